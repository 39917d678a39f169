"""Vision transformers with random weights at published sizes: what decomposition is timed on."""

from __future__ import annotations

import sys
import types

import torch
from torch import nn

from microtome.models.towers.base import Tower

PIXELS = 224
NAMES = ("CLIP B/16", "CLIP B/32", "CLIP L/14", "SigLIP B/16")


def make_tower(name: str) -> Tower:
    """One of `NAMES`, laid open."""
    # torchvision built for CUDA fails to import beside a CPU build of torch, in this one module, which no CLIP needs.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    from microtome.models.towers.hf_clip import hf_clip_tower
    from microtome.models.towers.hf_siglip import hf_siglip_tower

    torch.manual_seed(0)
    tower = hf_siglip_tower(_siglip()) if name.startswith("SigLIP") else hf_clip_tower(_clip(name))
    assert tower is not None
    return tower


def _clip(name: str) -> nn.Module:
    """The image side of CLIP (Radford et al. 2021, table 20)."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    large = name.startswith("CLIP L")
    width, layers, heads, out = (1024, 24, 16, 768) if large else (768, 12, 12, 512)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads,
        projection_dim=out, image_size=PIXELS, patch_size=int(name.split("/")[1]),
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config).eval()


def _siglip() -> nn.Module:
    """The image side of siglip-base-patch16-224 (Zhai et al. 2023); the text side, which never runs, is tiny."""
    from transformers import SiglipConfig, SiglipModel

    from microtome.models.adapters.hf_clip import ClipImages

    vision = {"image_size": PIXELS, "patch_size": 16}
    text = {
        "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "num_hidden_layers": 1, "hidden_size": 768,
        "intermediate_size": 64,
    }  # fmt: skip
    return ClipImages(SiglipModel(SiglipConfig(vision_config=vision, text_config=text))).eval()
