"""Vision transformers of open_clip laid open (as `OpenClipImages`): its own, and timm's inside it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, problems_together
from microtome.models.towers.base import (
    ClassRow,
    LayerPart,
    Place,
    Pooling,
    Tower,
    fused_attention,
    norm_part,
    plain_mlp,
)
from microtome.models.towers.named import comes_from, two
from microtome.models.towers.pooling import row_means
from microtome.models.towers.timm_vit import timm_tower_in

_PREFIX = "both.visual"


def open_clip_tower(module: nn.Module) -> Tower | None:
    """The tower of a CLIP of open_clip; None for any other module, and for its ResNets.

    Raises
    ------
    ModelError
        If it has parts whose output is no sum over heads; all of them are named.
    """
    if type(module).__name__ != "OpenClipImages":
        return None
    visual: Any = module.get_submodule(_PREFIX)
    if comes_from(visual, "open_clip", "TimmModel") and len(visual.head) == 0:
        return timm_tower_in(module, f"{_PREFIX}.trunk")
    if not comes_from(visual, "open_clip", "VisionTransformer"):
        return None
    problems = _odd(visual)
    if problems:
        raise ModelError(
            f"This VisionTransformer of open_clip cannot be decomposed:\n{problems_together(problems)}",
            expected="a CLIP such as ViT-B-32 or ViT-L-14",
        )
    blocks = f"{_PREFIX}.transformer.resblocks"
    layers: Any = visual.transformer.resblocks
    return Tower(
        module=module,
        family="CLIP of open_clip",
        start=Place(f"{blocks}.0"),
        end=Place(f"{blocks}.{len(layers) - 1}", "output"),
        layers=tuple(_layer(f"{blocks}.{n}", block) for n, block in enumerate(layers)),
        pooling=_pooling(visual),
        first_patch=1,
        grid=two(visual.grid_size),
        patch=two(visual.patch_size),
    )


def _odd(visual: Any) -> list[str]:
    """What has no place in the sum."""
    found = {}
    if getattr(visual, "attn_pool", None) is not None:
        found["attention pooling"] = None
    if getattr(visual, "pool_type", None) not in ("tok", "avg"):
        found[f"pooling '{getattr(visual, 'pool_type', 'unknown')}'"] = None
    if not isinstance(visual.ln_post, nn.LayerNorm):
        found[f"a final norm of type {type(visual.ln_post).__name__}"] = None
    for block in visual.transformer.resblocks:
        if not comes_from(block, "open_clip", "ResidualAttentionBlock"):
            found[f"blocks of type {type(block).__name__}"] = None
            continue
        if not isinstance(block.attn, nn.MultiheadAttention) or block.attn.in_proj_weight is None:
            found[f"attention of type {type(block.attn).__name__}"] = None
        elif not block.attn.batch_first:
            found["blocks that run with positions before the batch (upgrade: pip install -U open_clip_torch)"] = None
        if any(getattr(scale, "inplace", False) for scale in (block.ls_1, block.ls_2)):
            found["a LayerScale that changes its input in place"] = None
    return list(found)


def _pooling(visual: Any) -> Pooling:
    norm = norm_part(f"{_PREFIX}.ln_post", visual.ln_post)
    width = norm.scale.shape[0]
    eye = torch.eye(width, dtype=norm.scale.dtype, device=norm.scale.device)
    projection = eye if visual.proj is None else visual.proj.detach().T.contiguous()
    if visual.pool_type == "tok":
        return ClassRow(norm, projection)
    last = bool(visual.final_ln_after_pool)
    return row_means(projection[None], None, spans=((1, None),), norm=norm, norm_last=last)


def _layer(name: str, block: Any) -> LayerPart:
    attention = fused_attention(
        f"{name}.attn",
        weight=block.attn.in_proj_weight,
        bias=block.attn.in_proj_bias,
        out=block.attn.out_proj,
        heads=block.attn.num_heads,
        layer_scale=_layer_scale(block.ls_1),
    )
    last = block.mlp.c_proj
    mlp = plain_mlp(f"{name}.mlp", neurons=f"{name}.mlp.c_proj", last=last, layer_scale=_layer_scale(block.ls_2))
    return LayerPart(norm_part(f"{name}.ln_1", block.ln_1), attention, mlp)


def _layer_scale(part: Any) -> Tensor | None:
    return None if isinstance(part, nn.Identity) else part.gamma.detach()
