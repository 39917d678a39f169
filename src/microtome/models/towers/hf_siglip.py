"""SigLIP of transformers laid open: `SiglipModel` and `Siglip2Model` (as `ClipImages`) and the image classifier.

SigLIP pools with an attention of its own, whose query is fixed. Its heads are the readouts; the MLP that follows is not
linear and is one term, `head.mlp`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from microtome.models.towers.base import (
    LayerPart,
    NormPart,
    Place,
    Pooling,
    Tower,
    fused_attention,
    norm_part,
    plain_mlp,
    separate_attention,
)
from microtome.models.towers.named import comes_from, two
from microtome.models.towers.pooling import AttentionRows, linear_parts, row_means


def hf_siglip_tower(module: nn.Module) -> Tower | None:
    """The tower of a SigLIP of transformers; None for any other module."""
    classifies = comes_from(module, "transformers", "SiglipForImageClassification")
    pools = type(module).__name__ == "ClipImages" and comes_from(
        module.get_submodule("both"), "transformers", "SiglipModel", "Siglip2Model"
    )
    if not classifies and not pools:
        return None
    prefix = "vision_model" if classifies else "both.vision_model"
    vision: Any = module.get_submodule(prefix)
    if pools and not hasattr(vision, "head"):
        return None
    config = vision.config
    blocks = f"{prefix}.encoder.layers"
    layers: Any = vision.encoder.layers
    norm = norm_part(f"{prefix}.post_layernorm", vision.post_layernorm)
    # SigLIP 2 has no image size of its own: its positions are fitted to whatever grid comes.
    flexible = not hasattr(config, "image_size")
    patch = two(config.patch_size)
    high, wide = two(round(config.num_patches**0.5) * patch[0] if flexible else config.image_size)
    return Tower(
        module=module,
        family="SigLIP of transformers",
        start=Place(f"{blocks}.0"),
        end=Place(f"{blocks}.{len(layers) - 1}", "output"),
        layers=tuple(_layer(f"{blocks}.{n}", block, config.num_attention_heads) for n, block in enumerate(layers)),
        pooling=_attention(f"{prefix}.head", vision.head, norm) if pools else _mean(module, norm),
        tail=Place(f"{prefix}.head.mlp", "output") if pools else None,
        tail_name="head.mlp" if pools else "",
        first_patch=0,
        grid=(high // patch[0], wide // patch[1]),
        patch=patch,
        any_size=flexible,
    )


def _attention(name: str, head: Any, norm: NormPart) -> AttentionRows:
    with torch.no_grad():
        inner = head.attention
        part = fused_attention(
            f"{name}.attention",
            weight=inner.in_proj_weight,
            bias=inner.in_proj_bias,
            out=inner.out_proj,
            heads=inner.num_heads,
        )
        query = torch.einsum("hed,d->he", part.wq, head.probe[0, 0]) + part.bq
    return AttentionRows(part, norm, query)


def _mean(module: nn.Module, norm: NormPart) -> Pooling:
    weight, bias = linear_parts(module.get_submodule("classifier"), norm.scale.shape[0], norm.scale)
    return row_means(weight[None], bias, spans=((0, None),), norm=norm)


def _layer(name: str, block: Any, heads: int) -> LayerPart:
    attention = block.self_attn
    return LayerPart(
        norm_part(f"{name}.layer_norm1", block.layer_norm1),
        separate_attention(
            f"{name}.self_attn",
            parts=(attention.q_proj, attention.k_proj, attention.v_proj, attention.out_proj),
            out_name=f"{name}.self_attn.out_proj",
            heads=heads,
            temperature=float(attention.scale),
        ),
        plain_mlp(f"{name}.mlp", neurons=f"{name}.mlp.fc2", last=block.mlp.fc2),
    )
