"""From a model to its tower: each family is asked in turn."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.models.towers.hf_clip import hf_clip_tower
from microtome.models.towers.world_clip import world_clip_tower

FAMILIES: tuple[Callable[[nn.Module], Tower | None], ...] = (world_clip_tower, hf_clip_tower)
SUPPORTED = (
    "a CLIP of microtome (world:clip), of transformers (CLIPModel, SiglipModel) or of open_clip, "
    "or a plain ViT, DINOv2 or SigLIP image classifier of transformers or timm"
)


def tower_of(model: Model) -> Tower:
    """The model laid open.

    Raises
    ------
    ModelError
        If it is none of the transformers that can be decomposed.
    """
    for recognise in FAMILIES:
        tower = recognise(model.module)
        if tower is not None:
            return tower
    raise ModelError(
        f"{model.spec} ({type(model.module).__name__}) cannot be decomposed: it is no known vision transformer.",
        expected=SUPPORTED,
        next_step="`microtome dissect` names the units of any network",
    )
