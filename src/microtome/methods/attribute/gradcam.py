"""GradCAM with the last block's attention as the feature map: heads weighted by their mean gradient.

relevance_j = max(0, mean over heads h of g_h sum over rows i of w_i A[h, i, j])
g_h = mean over patches j of sum over rows i of d score / d A[h, i, j]        w = 1 on the class row, where it is read
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
class GradCam:
    """Settings of GradCAM. See `HeatmapMethod`.

    Attributes
    ----------
    cosine:
        Whether the score divides the output by its length (CLIP-like models) or not (class scores).
    """

    cosine: bool = True

    name = "gradcam"
    source = Source(
        "Selvaraju, Cogswell, Das, Vedantam, Parikh & Batra 2017, Grad-CAM; on the last attention of a vision "
        "transformer: Chefer, Gur & Wolf 2021, Transformer interpretability beyond attention visualization",
        "section 4, baselines",
        "where other rows than the class row are read, maps are averaged by row weight and gradients summed",
    )

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        check_direction(tower, x, direction)
        last = len(tower.layers) - 1
        part = tower.layers[last].attention
        seen = graded_pass(tower, x, direction, layers=[last], cosine=self.cosine)
        with torch.no_grad():
            gradient = attention_gradient(tower, part, seen.inputs[0], seen.gradients[0])
            head_weights = gradient.sum(dim=2)[:, :, tower.first_patch :].mean(dim=2)
            maps = torch.einsum("bi,bhij->bhj", row_weights(tower, seen.end), attention_of(part, seen.inputs[0]))
            relevance = (head_weights[..., None] * maps).mean(dim=1).clamp_min(0)
            return as_grid(tower, relevance)
