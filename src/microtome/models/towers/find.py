"""From a model to its tower: each family is asked in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.models.towers.hf_clip import hf_clip_tower
from microtome.models.towers.hf_siglip import hf_siglip_tower
from microtome.models.towers.hf_vit import hf_vit_tower
from microtome.models.towers.open_clip import open_clip_tower
from microtome.models.towers.timm_vit import timm_vit_tower
from microtome.models.towers.world_clip import world_clip_tower

FAMILIES: tuple[Callable[[nn.Module], Tower | None], ...] = (
    world_clip_tower,
    hf_clip_tower,
    hf_siglip_tower,
    hf_vit_tower,
    timm_vit_tower,
    open_clip_tower,
)
REPAIRED = "microtome_repaired_output"
"""The buffer of a model some of whose parts are cut in every pass (`models/repaired_output.py`)."""
SUPPORTED = (
    "a CLIP of microtome (world:clip), of transformers (CLIPModel, SiglipModel) or of open_clip, "
    "or a plain ViT, DINOv2 or SigLIP image classifier of transformers or timm"
)


def tower_of(model: Model) -> Tower:
    """The model laid open, with the grid of patches that its input size gives.

    Raises
    ------
    ModelError
        If it is none of the transformers that can be decomposed, has parts cut in every pass, or does not take images
        of that size.
    """
    if hasattr(model.module, REPAIRED):
        raise ModelError(
            f"{model.spec} is repaired: parts are cut from its output, which is the sum of its parts no longer.",
            expected="a model without a repair of its output",
            next_step="take the model apart that it was made from",
        )
    for recognise in FAMILIES:
        tower = recognise(model.module)
        if tower is not None:
            return _fitted(tower, model)
    raise ModelError(
        f"{model.spec} ({type(model.module).__name__}) cannot be decomposed: it is no known vision transformer.",
        expected=SUPPORTED,
        next_step="`microtome dissect` names the units of any network",
    )


def _fitted(tower: Tower, model: Model) -> Tower:
    """The tower with the grid of the model's input size."""
    down, across = tower.patch
    if not down or not across:
        return tower
    size = model.preprocess
    grid = (size.height // down, size.width // across)
    if grid == tower.grid:
        return tower
    if tower.any_size:
        return replace(tower, grid=grid)
    raise ModelError(
        f"{model.spec} is given images of {size.height} x {size.width} pixels, "
        f"which makes {grid[0]} x {grid[1]} patches.",
        expected=f"{tower.grid[0] * down} x {tower.grid[1] * across} pixels: its positions are for "
        f"{tower.grid[0]} x {tower.grid[1]} patches",
        next_step="leave --size out",
    )
