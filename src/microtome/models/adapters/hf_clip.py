"""CLIP-like models of transformers (`CLIPModel`, `SiglipModel`): images in, a vector of the shared space out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError

IMAGE_TEXT = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model"}
"""Model types with an image and a text side, and their classes."""


class ClipImages(nn.Module):
    """The image side of a CLIP-like model as a module that takes pixels alone; the text side travels along.

    Parameters
    ----------
    both:
        A `CLIPModel` or `SiglipModel`.
    """

    def __init__(self, both: nn.Module) -> None:
        super().__init__()
        self.both = both

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch d_out"]:
        both: Any = self.both
        fixed = hasattr(both.config.vision_config, "image_size")
        inputs = (pixels,) if fixed else _patches(pixels, both.config.vision_config.patch_size)
        pooled = both.vision_model(*inputs).pooler_output
        return both.visual_projection(pooled) if hasattr(both, "visual_projection") else pooled


def _patches(pixels: Float[Tensor, "batch 3 height width"], side: int) -> tuple[Tensor, Tensor, Tensor]:
    """What SigLIP 2 takes: patches, pixel by pixel; that none of them is padding; how many go down and across."""
    batch, down, across = pixels.shape[0], pixels.shape[2] // side, pixels.shape[3] // side
    cut = pixels[:, :, : down * side, : across * side].reshape(batch, 3, down, side, across, side)
    rows = cut.permute(0, 2, 4, 3, 5, 1).reshape(batch, down * across, -1)
    real = torch.ones(batch, down * across, dtype=torch.int64, device=pixels.device)
    return rows, real, torch.tensor([[down, across]] * batch, device=pixels.device)


class HfTexts:
    """The text side; see `models.texts.TextTower`.

    Parameters
    ----------
    both:
        The whole model.
    tokenizer:
        Its tokenizer.
    """

    template = "a photo of a {}."

    def __init__(self, both: nn.Module, tokenizer: Any) -> None:
        self._both: Any = both
        self._tokenizer = tokenizer
        config = self._both.config.text_config
        self.context: int = config.max_position_embeddings
        self.scale = float(self._both.logit_scale.detach().exp())
        self.bias = float(getattr(self._both, "logit_bias", torch.zeros(1)).detach())

    def lengths(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer(list(texts), truncation=False)["input_ids"]]

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text d_out"]:
        both = self._both
        siglip = not hasattr(both, "text_projection")
        # SigLIP was trained on texts padded to the context, without a mask.
        inputs = self._tokenizer(
            list(texts), padding="max_length" if siglip else True, max_length=self.context, truncation=True,
            return_tensors="pt",
        )  # fmt: skip
        device = next(both.parameters()).device
        ids = inputs["input_ids"].to(device)
        mask = None if siglip else inputs["attention_mask"].to(device)
        pooled = both.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return pooled if siglip else both.text_projection(pooled)


def tokenizer_of(transformers: Any, name: str) -> Any:
    """The tokenizer beside a CLIP-like model.

    Raises
    ------
    ModelError
        If there is none.
    """
    try:
        return transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        lines = str(error).splitlines()
        raise ModelError(
            f"hf:{name} comes without a tokenizer that can be read: {lines[0] if lines else type(error).__name__}",
            expected="the tokenizer's files in the model's folder: texts name its parts",
            next_step="save it there with tokenizer.save_pretrained(folder)",
        ) from error
