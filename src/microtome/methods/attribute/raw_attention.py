"""Raw attention: how much the last block's attention looks at each patch, from the row that is read.

relevance_j = mean over heads h of sum over rows i of w_i A[h, i, j]          w = 1 on the class row, where it is read
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.source import Source
from microtome.methods.attribute.base import as_grid, attention_of, check_direction, plain_pass, row_weights
from microtome.models.towers.base import Tower


@dataclass(frozen=True)
class RawAttention:
    """The last block's attention; the same for every direction. See `HeatmapMethod`."""

    name = "raw-attention"
    source = Source(
        "Caron, Touvron, Misra, Jégou, Mairal, Bojanowski & Joulin 2021, Emerging properties in self-supervised "
        "vision transformers",
        "figure 1",
        "mean over heads; where other rows than the class row are read, the mean of their attention by row weight",
    )

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        check_direction(tower, x, direction)
        last = len(tower.layers) - 1
        with torch.no_grad():
            seen = plain_pass(tower, x, layers=[last])
            part = tower.layers[last].attention
            attention = attention_of(part, seen.at(part.at)).mean(dim=1)
            weights = row_weights(tower, seen.at(tower.end))
            return as_grid(tower, (weights[:, None] @ attention)[:, 0])
