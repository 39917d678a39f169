"""CLIP of transformers laid open: `CLIPModel` (as `ClipImages`) and its image classifiers."""

from __future__ import annotations

from typing import Any

from torch import nn

from microtome.models.towers.base import (
    ClassRow,
    LayerPart,
    Place,
    Tower,
    norm_part,
    plain_mlp,
    separate_attention,
)
from microtome.models.towers.named import two
from microtome.models.towers.pooling import linear_parts, row_means


def hf_clip_tower(module: nn.Module) -> Tower | None:
    """The tower of a CLIP of transformers; None for any other module."""
    prefix = {"ClipImages": "both.vision_model", "CLIPVisionModelWithProjection": "vision_model",
              "CLIPForImageClassification": "vision_model"}.get(type(module).__name__)  # fmt: skip
    if prefix is None or not hasattr(module.get_submodule(prefix), "pre_layrnorm"):
        return None
    vision: Any = module.get_submodule(prefix)
    blocks = f"{prefix}.encoder.layers"
    layers: Any = vision.encoder.layers
    config = vision.config
    final = norm_part(f"{prefix}.post_layernorm", vision.post_layernorm)
    (high, wide), patch = two(config.image_size), two(config.patch_size)
    if type(module).__name__ == "CLIPForImageClassification":
        # The mean of the patches, without a final norm.
        weight, bias = linear_parts(module.get_submodule("classifier"), config.hidden_size, final.scale)
        pooling = row_means(weight[None], bias, spans=((1, None),), norm=None)
    else:
        name = "both.visual_projection" if prefix.startswith("both") else "visual_projection"
        projection: Any = module.get_submodule(name)
        pooling = ClassRow(final, projection.weight.detach())
    return Tower(
        module=module,
        family="CLIP of transformers",
        start=Place(f"{blocks}.0"),
        end=Place(f"{blocks}.{len(layers) - 1}", "output"),
        layers=tuple(_layer(f"{blocks}.{n}", block, config.num_attention_heads) for n, block in enumerate(layers)),
        pooling=pooling,
        first_patch=1,
        grid=(high // patch[0], wide // patch[1]),
        patch=patch,
    )


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
