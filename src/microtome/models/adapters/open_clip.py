"""`open_clip:NAME/TAG`: the models of open_clip, images in, a vector of the space shared with texts out."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Family, Request, library, seeded
from microtome.models.preprocess import Preprocess
from microtome.models.state import load_weights

_PLACES = ("hf-hub:", "local-dir:")
_FAILURES = (OSError, ValueError, KeyError, RuntimeError, ImportError, pickle.UnpicklingError)


class OpenClipImages(nn.Module):
    """The image side of a model of open_clip as a module that takes pixels alone; the text side travels along.

    Parameters
    ----------
    both:
        What `open_clip.create_model` returns.
    """

    def __init__(self, both: nn.Module) -> None:
        super().__init__()
        self.both = both

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch d_out"]:
        both: Any = self.both
        features = both.encode_image(pixels, normalize=False)
        return features[0] if isinstance(features, tuple) else features


class OpenClipTexts:
    """The text side; see `models.texts.TextTower`.

    Parameters
    ----------
    both:
        The whole model.
    tokenizer:
        What `open_clip.get_tokenizer` returns for it.
    """

    template = "a photo of a {}."

    def __init__(self, both: nn.Module, tokenizer: Any) -> None:
        self._both: Any = both
        self._tokenizer = tokenizer
        self.context = int(self._both.context_length)
        self.scale = float(self._both.logit_scale.detach().exp())
        bias = getattr(self._both, "logit_bias", None)
        self.bias = 0.0 if bias is None else float(bias.detach())

    def lengths(self, texts: Sequence[str]) -> list[int]:
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:
            return [len(ids) for ids in inner(list(texts), truncation=False)["input_ids"]]
        # open_clip's own tokenizer puts a start and an end around the pieces.
        return [len(self._tokenizer.encode(text)) + 2 for text in texts]

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text d_out"]:
        ids = self._tokenizer(list(texts), context_length=self.context)
        return self._both.encode_text(ids.to(next(self._both.parameters()).device), normalize=False)


def build(request: Request) -> Built:
    """A model of open_clip with the weights of a tag, the user's weights, or random ones.

    The name is `NAME/TAG` (`ViT-B-32/laion2b_s34b_b79k`); `NAME` alone with weights of the user's or random ones;
    `local-dir:FOLDER` or `hf-hub:owner/model` for a model saved by open_clip.

    Raises
    ------
    ModelError
        If open_clip cannot be imported, has no such model or tag, or the weights or the tokenizer cannot be had.
    """
    open_clip = library("open_clip", extra="open_clip")
    name, tag = _name_and_tag(open_clip, request)
    fresh = request.random or request.state is not None
    options: dict[str, Any] = {} if request.size is None else {"force_image_size": request.size}
    if fresh:
        options |= {"pretrained_hf": False} | ({"load_weights": False} if name.startswith(_PLACES) else {})
    else:
        published = open_clip.get_pretrained_cfg(name, tag) if tag else {}
        options |= {"pretrained": tag, "require_pretrained": True}
        # Weights that were trained with the approximate GELU give other features with the exact one.
        options |= {"force_quick_gelu": True} if published.get("quick_gelu") else {}
    try:
        with _silent():
            both = seeded(lambda: open_clip.create_model(name, **options))
            tokenizer = open_clip.get_tokenizer(name)
    except _FAILURES as error:
        raise _not_loaded(request.name, error) from error
    notes: tuple[str, ...] = ("The weights are random (seed 0).",) if request.random else ()
    if request.state is not None:
        notes = load_weights(both, request.state, source=request.source)
    both.eval()
    preprocess = preprocess_of(open_clip.get_model_preprocess_cfg(both))
    return Built(OpenClipImages(both), preprocess, notes=notes, texts=OpenClipTexts(both, tokenizer))


def preprocess_of(config: Mapping[str, Any]) -> Preprocess:
    """Preprocessing from open_clip's configuration of it.

    `resize_mode` "shortest" resizes the short side and cuts out the middle; the others keep the whole image, which is
    then squeezed.
    """
    size = config["size"]
    high, wide = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    mean, std = config["mean"], config["std"]
    cut = config.get("resize_mode", "shortest") == "shortest"
    filter_ = config.get("interpolation", "bicubic")
    return Preprocess(
        high if high == wide else (high, wide),
        (float(mean[0]), float(mean[1]), float(mean[2])),
        (float(std[0]), float(std[1]), float(std[2])),
        crop="center" if cut else "none",
        resize_short=max(high, wide) if cut else None,
        interpolation="bilinear" if filter_ == "bilinear" else "bicubic",
    )


def _name_and_tag(open_clip: Any, request: Request) -> tuple[str, str | None]:
    if request.name.startswith(_PLACES):
        return request.name, None
    name, _, tag = request.name.partition("/")
    names = open_clip.list_models()
    if name not in names:
        raise ModelError(
            f"open_clip has no model '{name}'.",
            expected=f"one of its {len(names)} models, for example {nearest(name, names)}",
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if request.random or request.state is not None:
        return name, None
    if not tags:
        raise ModelError(
            f"open_clip has no published weights of {name}.",
            next_step=f"give a file with --weights, or open_clip:{name}@random for random weights",
        )
    if tag not in tags:
        raise ModelError(
            f"open_clip has no weights '{tag}' of {name}." if tag else f"open_clip:{name} does not say which weights.",
            expected=f"one of {nearest(tag, tags, most=20)}",
            next_step=f"for example open_clip:{name}/{tags[0]}, or give a file with --weights",
        )
    return name, tag


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what open_clip reports while it builds from setting up the root logger and from the terminal."""
    handler, root = logging.NullHandler(), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _not_loaded(name: str, error: BaseException) -> ModelError:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return ModelError(
        f"open_clip:{name} could not be loaded: {lines[0] if lines else type(error).__name__}",
        expected="a connection to the model's host, or its weights and tokenizer in the cache",
        next_step="give a weight file with --weights, or @random for random weights",
    )


FAMILY = Family("open_clip", "open_clip:ViT-B-32/laion2b_s34b_b79k", build)
