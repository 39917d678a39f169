"""Plain ViTs and DINOv2 of transformers laid open: the classifiers, and the class row of the bare models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from microtome.models.towers.base import (
    ClassRow,
    LayerPart,
    MlpPart,
    NormPart,
    Place,
    Pooling,
    Tower,
    norm_part,
    plain_mlp,
    separate_attention,
)
from microtome.models.towers.named import comes_from, name_of, two
from microtome.models.towers.pooling import CLASS, linear_parts, row_means

_BODIES = {
    "ViTForImageClassification": "vit",
    "Dinov2ForImageClassification": "dinov2",
    "Dinov2WithRegistersForImageClassification": "dinov2_with_registers",
}
_BARE = ("ViTModel", "Dinov2Model", "Dinov2WithRegistersModel")


def hf_vit_tower(module: nn.Module) -> Tower | None:
    """The tower of a ViT or DINOv2 of transformers; None for any other module.

    The bare models are recognised inside `ClassRowImages`, whose output is the class row after the final norm: the
    tanh of a ViT's pooler comes after it and is left out.
    """
    if comes_from(module, "transformers", *_BODIES):
        prefix = _BODIES[type(module).__name__]
    elif type(module).__name__ == "ClassRowImages" and comes_from(module.get_submodule("body"), "transformers", *_BARE):
        prefix = "body"
    else:
        return None
    body: Any = module.get_submodule(prefix)
    config = body.config
    dino = type(body).__name__.startswith("Dinov2")
    blocks = f"{prefix}.{name_of(body, 'encoder.layer', 'layers')}"
    layers: Any = module.get_submodule(blocks)
    first_patch = 1 + getattr(config, "num_register_tokens", 0)
    (high, wide), patch = two(config.image_size), two(config.patch_size)
    return Tower(
        module=module,
        family="DINOv2 of transformers" if dino else "ViT of transformers",
        start=Place(f"{blocks}.0"),
        end=Place(f"{blocks}.{len(layers) - 1}", "output"),
        layers=tuple(_layer(f"{blocks}.{n}", block, config.num_attention_heads) for n, block in enumerate(layers)),
        pooling=_pooling(module, norm_part(f"{prefix}.layernorm", body.layernorm), dino, first_patch),
        first_patch=first_patch,
        grid=(high // patch[0], wide // patch[1]),
        patch=patch,
        any_size=dino,
    )


def _pooling(module: nn.Module, norm: NormPart, dino: bool, first_patch: int) -> Pooling:
    width = norm.scale.shape[0]
    if type(module).__name__ == "ClassRowImages":
        return ClassRow(norm, torch.eye(width, dtype=norm.scale.dtype, device=norm.scale.device))
    classifier = module.get_submodule("classifier")
    if not dino:
        return ClassRow(norm, *linear_parts(classifier, width, norm.scale))
    # DINOv2's classifier takes the class row and the mean of the patches side by side; registers are left out.
    weight, bias = linear_parts(classifier, 2 * width, norm.scale)
    halves = weight.view(weight.shape[0], 2, width).transpose(0, 1)
    return row_means(halves, bias, spans=(CLASS, (first_patch, None)), norm=norm)


def _layer(name: str, block: Any, heads: int) -> LayerPart:
    query, key, value = (
        block.get_submodule(name_of(block, f"attention.{short}_proj", f"attention.attention.{long}"))
        for short, long in (("q", "query"), ("k", "key"), ("v", "value"))
    )
    out = name_of(block, "attention.o_proj", "attention.output.dense")
    norm = name_of(block, "norm1", "layernorm_before")
    attention = separate_attention(
        f"{name}.attention",
        parts=(query, key, value, block.get_submodule(out)),
        out_name=f"{name}.{out}",
        heads=heads,
        temperature=(query.out_features // heads) ** -0.5,
        layer_scale=_layer_scale(block, "layer_scale1"),
    )
    return LayerPart(norm_part(f"{name}.{norm}", block.get_submodule(norm)), attention, _mlp(name, block))


def _mlp(name: str, block: Any) -> MlpPart:
    """The MLP. Older ViTs have no module for the whole of it: what its last layer writes is the same."""
    last = name_of(block, "mlp.fc2", "mlp.down_proj", "mlp.weights_out", "output.dense")
    whole = "mlp" if last.startswith("mlp.") else last
    return plain_mlp(
        f"{name}.{whole}",
        neurons=f"{name}.{last}",
        last=block.get_submodule(last),
        layer_scale=_layer_scale(block, "layer_scale2"),
    )


def _layer_scale(block: Any, name: str) -> Tensor | None:
    scale: Any = getattr(block, name, None)
    return None if scale is None else scale.lambda1.detach()
