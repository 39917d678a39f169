"""Attention rollout: the heads' mean attention of all blocks, multiplied along the residual stream.

relevance = w (1/2 A_L + 1/2) ... (1/2 A_1 + 1/2)          w = 1 on the class row, where it is read
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
class Rollout:
    """Attention rollout; the same for every direction. See `HeatmapMethod`."""

    name = "rollout"
    source = Source(
        "Abnar & Zuidema 2020, Quantifying attention flow in transformers",
        "section 3, attention rollout",
        "the read row is carried back through the blocks instead of multiplying matrices; where other rows than the "
        "class row are read, they start with the pooling's weights",
    )

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        check_direction(tower, x, direction)
        with torch.no_grad():
            seen = plain_pass(tower, x, layers=range(len(tower.layers)))
            row = row_weights(tower, seen.at(tower.end))[:, None]
            for layer in reversed(tower.layers):
                attention = attention_of(layer.attention, seen.at(layer.attention.at)).mean(dim=1)
                row = 0.5 * (row @ attention) + 0.5 * row
            return as_grid(tower, row[:, 0])
