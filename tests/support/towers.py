"""Vision transformers with shaken weights: fresh ones have zero biases and unit norms, which hide errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from microtome.models.adapters.hf_bare import ClassRowImages
from microtome.models.adapters.hf_clip import ClipImages
from microtome.models.adapters.open_clip import OpenClipImages

TEXT: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 60,
    "bos_token_id": 1, "eos_token_id": 3, "pad_token_id": 0, "projection_size": 16,
}  # fmt: skip
TINY: dict[str, Any] = {
    "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
DINO_S: dict[str, Any] = {"hidden_size": 384, "num_attention_heads": 6, "image_size": 518, "patch_size": 14}


def shaken(module: nn.Module, *, seed: int = 0) -> nn.Module:
    """The module in evaluation mode; matrices of a size that makes attention uneven, all else moved at random."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            rows = parameter.shape[0] if parameter.ndim >= 2 else 1
            if rows > 1 and parameter.numel() > 2 * rows:
                # The model's own random draw, rescaled: drawing 86 million numbers again would take seconds.
                spread = parameter.flatten()[:4096].std().clamp_min(1e-3)
                parameter.mul_(1.2 * (parameter.numel() / rows) ** -0.5 / spread)
            else:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def images(size: int | tuple[int, int], *, count: int = 2, seed: int = 1) -> Tensor:
    """Preprocessed images of noise, float64."""
    high, wide = (size, size) if isinstance(size, int) else size
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, high, wide, generator=generator, dtype=torch.float64)


def _hf(kind: str, config: str, wrapped: type[nn.Module] | None = None, **options: Any) -> nn.Module:
    import transformers

    module = getattr(transformers, kind)(getattr(transformers, config)(**options))
    return module if wrapped is None else wrapped(module)


def clip(**vision: Any) -> nn.Module:
    """A `CLIPModel` with a small text side, as it is loaded."""
    return _hf("CLIPModel", "CLIPConfig", ClipImages, vision_config=vision, text_config=TEXT, projection_dim=512)


def siglip(**vision: Any) -> nn.Module:
    """A `SiglipModel` with a small text side, as it is loaded."""
    return _hf("SiglipModel", "SiglipConfig", ClipImages, vision_config=vision, text_config=TEXT)


def siglip2(**vision: Any) -> nn.Module:
    """A `Siglip2Model` for 4 x 4 patches with a small text side, as it is loaded."""
    vision = {key: value for key, value in vision.items() if key != "image_size"}
    vision["num_patches"] = 16
    return _hf("Siglip2Model", "Siglip2Config", ClipImages, vision_config=vision, text_config=TEXT)


def timm_vit(**options: Any) -> nn.Module:
    """A `VisionTransformer` of timm, small where nothing else is said."""
    from timm.models.vision_transformer import VisionTransformer

    small = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 4, "num_classes": 7}
    return VisionTransformer(**{**small, **options})


def open_clip_vit(embed: int = 12, **vision: Any) -> nn.Module:
    """A `CLIP` of open_clip, small where nothing else is said, as it is loaded."""
    from open_clip import CLIP, CLIPTextCfg, CLIPVisionCfg

    small = {"layers": 3, "width": 24, "head_width": 6, "patch_size": 8, "image_size": 32}
    text = CLIPTextCfg(context_length=12, vocab_size=60, width=16, heads=2, layers=1)
    return OpenClipImages(CLIP(embed, CLIPVisionCfg(**{**small, **vision}), text))


def tiny(kind: str, config: str, wrapped: type[nn.Module] | None = None, **options: Any) -> Callable[[], nn.Module]:
    """A maker of a tiny model of transformers."""
    return lambda: _hf(kind, config, wrapped, **{**TINY, **options})


def joined(kind: str, config: str, **options: Any) -> Callable[[], nn.Module]:
    """A maker of a tiny model of transformers whose configuration has an image and a text side."""
    return lambda: _hf(kind, config, None, vision_config=TINY, text_config=TEXT, **options)


FULL: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "CLIP ViT-B/32": (clip, 224),
    "CLIP ViT-B/16": (lambda: clip(patch_size=16), 224),
    "SigLIP base": (siglip, 224),
    "DINOv2 small": (lambda: _hf("Dinov2ForImageClassification", "Dinov2Config", **DINO_S), 224),
    "DINOv2 small with registers": (
        lambda: _hf("Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig", **DINO_S),
        224,
    ),
    "ViT-B/16 classifier": (lambda: _hf("ViTForImageClassification", "ViTConfig", num_labels=1000), 224),
    "timm ViT-B/16": (
        lambda: timm_vit(img_size=224, patch_size=16, embed_dim=768, depth=12, num_heads=12, num_classes=1000),
        224,
    ),
    "open_clip ViT-B/32": (
        lambda: open_clip_vit(512, layers=12, width=768, head_width=64, patch_size=32, image_size=224),
        224,
    ),
}
"""Architectures in their published sizes: how to make them, and their input size."""

SMALL: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "CLIP": (lambda: clip(**TINY), 32),
    "CLIP vision with projection": (tiny("CLIPVisionModelWithProjection", "CLIPVisionConfig", projection_dim=10), 32),
    "CLIP classifier": (joined("CLIPForImageClassification", "CLIPConfig", num_labels=5), 32),
    "SigLIP": (lambda: siglip(**TINY), 32),
    "SigLIP 2": (lambda: siglip2(**TINY), 32),
    "SigLIP classifier": (joined("SiglipForImageClassification", "SiglipConfig", num_labels=5), 32),
    "ViT": (tiny("ViTForImageClassification", "ViTConfig", num_labels=5), 32),
    "ViT without biases": (tiny("ViTForImageClassification", "ViTConfig", num_labels=5, qkv_bias=False), 32),
    "bare ViT": (tiny("ViTModel", "ViTConfig", ClassRowImages), 32),
    "bare DINOv2": (tiny("Dinov2Model", "Dinov2Config", ClassRowImages), 32),
    "DINOv2": (tiny("Dinov2ForImageClassification", "Dinov2Config", num_labels=5), 48),
    "DINOv2 with SwiGLU": (tiny("Dinov2ForImageClassification", "Dinov2Config", num_labels=5, use_swiglu_ffn=True), 32),
    "DINOv2 with registers": (
        tiny("Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersConfig", num_labels=5),
        32,
    ),
    "timm token": (timm_vit, 32),
    "timm mean, then norm": (lambda: timm_vit(global_pool="avg", reg_tokens=2, init_values=0.5), 32),
    "timm norm, then mean": (lambda: timm_vit(global_pool="avg", fc_norm=False), 32),
    "timm mean of all rows": (lambda: timm_vit(global_pool="avg", pool_include_prefix=True), 32),
    "timm without class token": (lambda: timm_vit(global_pool="avg", class_token=False), 32),
    "timm without norm": (lambda: timm_vit(final_norm=False), 32),
    "timm norm after the token": (lambda: timm_vit(fc_norm=True, pre_norm=True), 32),
    "timm without biases": (lambda: timm_vit(qkv_bias=False, proj_bias=False), 32),
    "timm latent": (lambda: timm_vit(global_pool="map", class_token=False, num_classes=0), 32),
    "timm latent beside a class token": (lambda: timm_vit(global_pool="map", num_classes=0), 32),
    "open_clip": (open_clip_vit, 32),
    "open_clip with LayerScale": (lambda: open_clip_vit(ls_init_value=0.5, no_ln_pre=True), 32),
    "open_clip norm, then mean": (lambda: open_clip_vit(pool_type="avg"), 32),
    "open_clip mean, then norm": (lambda: open_clip_vit(pool_type="avg", final_ln_after_pool=True), 32),
}
"""Tiny models of every family and variant."""
