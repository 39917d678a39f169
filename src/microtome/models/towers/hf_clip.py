"""CLIP of transformers laid open: `CLIPModel` (as `ClipImages`) and its image classifiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.models.towers.base import (
    ClassRow,
    LayerPart,
    Place,
    Tower,
    norm_part,
    plain_mlp,
    separate_attention,
)


@dataclass(frozen=True, eq=False)
class PatchMean:
    """Pooling of `CLIPForImageClassification`: the classifier of the patches' mean, without a final norm.

    Attributes
    ----------
    matrices, constant:
        Weight (with a readout axis in front) and bias of the classifier.
    first_patch:
        Rows before it are left out.
    """

    matrices: Float[Tensor, "readout d_out d_model"]
    constant: Float[Tensor, " d_out"]
    first_patch: int
    first_row_only: bool = field(default=False, init=False)

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch pos"]:
        rho = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
        rho[:, self.first_patch :] = 1.0 / (x.shape[1] - self.first_patch)
        return rho[None]


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
    side = config.image_size // config.patch_size
    if type(module).__name__ == "CLIPForImageClassification":
        classifier: Any = module.get_submodule("classifier")
        pooling = PatchMean(classifier.weight.detach()[None], classifier.bias.detach(), 1)
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
        grid=(side, side),
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
