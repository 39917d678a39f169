"""Vision transformers of transformers without a classifier: images in, the class row after the final norm out."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

BARE = ("ViTModel", "Dinov2Model", "Dinov2WithRegistersModel")
"""Architectures whose configuration names no classifier: one would be attached with random weights."""
WHOLE = ("CLIPVisionModelWithProjection",)
"""Image models that give their vector themselves."""


class ClassRowImages(nn.Module):
    """A bare model as a module whose output is one vector an image: the class row after the final norm.

    A ViT's pooler (a layer with tanh on that row) is left out: DINOv2 has none, and most ViTs were saved without one.

    Parameters
    ----------
    body:
        A `ViTModel`, `Dinov2Model` or `Dinov2WithRegistersModel`.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch d_out"]:
        body: Any = self.body
        return body(pixel_values=pixels).last_hidden_state[:, 0]


def image_class(config: Any) -> str:
    """Name of the class of transformers that loads an image model of this configuration."""
    named = (config.architectures or ("",))[0]
    return named if named in (*BARE, *WHOLE) else "AutoModelForImageClassification"


def classifies(config: Any) -> bool:
    """Whether the configuration names an image classifier."""
    return any(name.endswith("ForImageClassification") for name in config.architectures or ())
