"""Tiny models and data for the tests of decompose: a random WorldClip with texts, arrangements, spoilt image sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import DataError
from microtome.data.base import ImageData, LabelledImage
from microtome.data.pools.base import TextPool, pool_of
from microtome.data.pools.world import world_pool
from microtome.data.world.arrangements import Arrangements
from microtome.models.clip_file import WorldTexts
from microtome.models.clip_words import ClipWords, words_in
from microtome.models.model import Model, wrap
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.models.world_clip import ClipSizes, WorldClip
from tests.support.listed import Listed
from tests.support.towers import shaken

SIDE = 32


def small_pool(texts: int = 60) -> TextPool:
    """Some texts of the world's pool, from all over it."""
    pool = world_pool()
    return pool.restricted(list(range(0, len(pool), max(1, len(pool) // texts)))[:texts])


def clip_words(context: int = 40) -> ClipWords:
    """Every word of the world's pool."""
    words = sorted({word for text in (*world_pool().texts, "photo of tree car house boat") for word in words_in(text)})
    return ClipWords(words, context=context)


def tiny_clip(*, seed: int = 0, layers: int = 2, dtype: torch.dtype = torch.float32) -> Model:
    """A random WorldClip of 4 heads for 32 x 32 images, with its text side."""
    words = clip_words()
    torch.manual_seed(seed)
    sizes = ClipSizes(
        image=SIDE, patch=8, width=24, layers=layers, heads=4, text_width=16, text_layers=1, text_heads=2,
        context=words.context, words=len(words), shared=16,
    )  # fmt: skip
    net = WorldClip(sizes)
    shaken(net, seed=seed)
    net = net.to(dtype)
    model = wrap(net, size=SIDE, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), device="cpu", spec="tiny:clip")
    return replace(model, texts=WorldTexts(net, words))


def arrangements(count: int = 60, *, seed: int = 0) -> Arrangements:
    """Arrangements of the tiny model's size."""
    return Arrangements("heldout", count=count, size=SIDE, seed=seed)


def labelled(count: int = 60, *, classes: tuple[str, ...] = ("tree", "car", "house")) -> Listed:
    """Random pictures with a class each, which shifts their colour."""
    rng = np.random.default_rng(5)
    made = []
    for index in range(count):
        pixels = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
        label = index % len(classes)
        pixels[:, :, label % 3] = pixels[:, :, label % 3] // 4 + 150
        planes = np.zeros((0, 2, 2), np.int32)
        made.append(LabelledImage(f"{index:03d}", pixels.astype(np.uint8), planes, label=label))
    return Listed(made, (), classes=classes)


class Spoilt(ImageData):
    """A data set some of whose images cannot be read."""

    def __init__(self, data: ImageData, broken: Callable[[int], bool]) -> None:
        self.inner, self.broken = data, broken
        self.card, self.concepts, self.classes = data.card, data.concepts, data.classes

    def __len__(self) -> int:
        return len(self.inner)

    def key(self, index: int) -> str:
        return self.inner.key(index)

    def read(self, index: int) -> LabelledImage:
        if self.broken(index):
            raise DataError(f"{self.key(index)} is\n no picture.", expected="a picture")
        return self.inner.read(index)

    def fingerprint(self) -> str:
        return f"{self.inner.fingerprint()} spoilt"


@dataclass(frozen=True, eq=False)
class Blends:
    """A made-up pooling of several readouts, each with matrix and row weights of its own; see `towers.base.Pooling`."""

    matrices: Float[Tensor, "readout d_out d_model"]
    constant: Float[Tensor, " d_out"]
    looks: Float[Tensor, "readout d_model"]
    first_row_only: bool = False

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch pos"]:
        return (torch.einsum("rd,bid->rbi", self.looks, x) * 0.2).softmax(-1) * (1.0 + x.var(-1))[None]


def blended(tower: Tower, readouts: int = 3, *, seed: int = 0) -> Tower:
    """A tower with `Blends` in place of its pooling: its sum is no longer the module's output."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=tower.pooling.matrices.dtype)

    pooling = Blends(draw(readouts, tower.d_out, tower.d_model), draw(tower.d_out), draw(readouts, tower.d_model))
    return replace(tower, pooling=pooling)


def tiny_tower(*, seed: int = 0) -> Tower:
    """The tiny CLIP laid open, in float64."""
    return tower_of(tiny_clip(seed=seed, dtype=torch.float64))


def text_file(path: Path, lines: list[str]) -> Path:
    """A file of texts."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def random_pool(count: int, properties: int, *, seed: int = 0) -> TextPool:
    """Texts without meaning, with random properties."""
    rng = np.random.default_rng(seed)
    return pool_of("random", [(f"text {n}", f"property {rng.integers(properties)}") for n in range(count)])


def spoil(model: Model, change: Callable[[Any], None]) -> Model:
    """The model after a change of its network's weights, in place."""
    with torch.no_grad():
        change(model.module)
    return model
