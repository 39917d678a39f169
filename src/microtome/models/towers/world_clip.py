"""The shipped CLIP laid open."""

from __future__ import annotations

from torch import nn

from microtome.models.towers.base import ClassRow, LayerPart, Place, Tower, norm_part, plain_mlp, separate_attention
from microtome.models.world_clip import Block, WorldClip


def world_clip_tower(module: nn.Module) -> Tower | None:
    """The tower of a `WorldClip`; None for any other module."""
    if not isinstance(module, WorldClip):
        return None
    vision, sizes = module.vision, module.sizes
    side = sizes.image // sizes.patch
    return Tower(
        module=module,
        family="the shipped CLIP",
        start=Place("vision.blocks.0"),
        end=Place("vision.blocks." + str(sizes.layers - 1), "output"),
        layers=tuple(_layer(f"vision.blocks.{n}", block, sizes.heads) for n, block in enumerate(vision.blocks)),
        pooling=ClassRow(norm_part("vision.norm_after", vision.norm_after), vision.project.weight.detach()),
        first_patch=1,
        grid=(side, side),
        patch=(sizes.patch, sizes.patch),
    )


def _layer(name: str, block: nn.Module, heads: int) -> LayerPart:
    assert isinstance(block, Block)
    attention = block.attention
    return LayerPart(
        norm_part(f"{name}.norm1", block.norm1),
        separate_attention(
            f"{name}.attention",
            parts=(attention.query, attention.key, attention.value, attention.out),
            out_name=f"{name}.attention.out",
            heads=heads,
            temperature=(attention.query.out_features // heads) ** -0.5,
        ),
        plain_mlp(f"{name}.mlp", neurons=f"{name}.mlp.fc2", last=block.mlp.fc2),
    )
