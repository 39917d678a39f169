"""Gradient-weighted attention rollout: what raises the score along the attention of all blocks.

    R <- R + mean over heads h of max(0, dscore/dA_h * A_h) R   over the blocks, from R = 1;     relevance = w R

w is 1 on the class row, where it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.source import Source
from microtome.methods.attribute.base import (
    as_grid,
    attention_gradient,
    attention_of,
    check_direction,
    graded_pass,
    row_weights,
)
from microtome.models.towers.base import Tower


@dataclass(frozen=True)
class GradientRollout:
    """Settings of gradient-weighted rollout. See `HeatmapMethod`.

    Attributes
    ----------
    cosine:
        Whether the score divides the output by its length (CLIP-like models) or not (class scores).
    """

    cosine: bool = True

    name = "gradient-rollout"
    source = Source(
        "Chefer, Gur & Wolf 2021, Generic attention-model explainability for interpreting bi-modal and "
        "encoder-decoder transformers",
        "section 3, equations 5 and 6",
        "the read row is carried back through the blocks instead of multiplying matrices; where other rows than the "
        "class row are read, they start with the pooling's weights",
    )

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        check_direction(tower, x, direction)
        seen = graded_pass(tower, x, direction, layers=range(len(tower.layers)), cosine=self.cosine)
        with torch.no_grad():
            row = row_weights(tower, seen.end)[:, None]
            blocks = zip(tower.layers, seen.inputs, seen.gradients, strict=True)
            for layer, y, written in reversed(list(blocks)):
                gradient = attention_gradient(tower, layer.attention, y, written)
                raising = (gradient * attention_of(layer.attention, y)).clamp_min(0).mean(dim=1)
                row = row + row @ raising
            return as_grid(tower, row[:, 0])
