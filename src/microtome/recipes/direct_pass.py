"""The pass behind every decomposition: each image's terms, kept small, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from microtome._version import __version__
from microtome.core.errors import OptionError
from microtome.data.base import ImageData
from microtome.data.open import open_data
from microtome.methods.decompose.terms import TOLERANCE, check_exact, head_matrices, places_of, take_apart
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.models.towers.streams import run_tower
from microtome.record.stream import StreamPass, no_grad

LESS = "draw fewer images with --limit"
"""How a run needs less disk."""


@dataclass(frozen=True)
class PassSettings:
    """How images go through the model; the same for every command.

    Attributes
    ----------
    batch_size:
        Images in a forward pass, 1 to 64.
    strict:
        An image that cannot be read ends the run; otherwise it is skipped and counted.
    limit:
        Of data given by name, at most this many images, drawn with `seed`; None: all.
    seed:
        Decides draws, halves and shuffles.
    """

    batch_size: int = 16
    strict: bool = False
    limit: int | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Opened:
    """A model laid open, and images."""

    model: Model
    tower: Tower
    data: ImageData


def open_both(model: Model | str, data: ImageData | str | Path, settings: PassSettings) -> Opened:
    """Load and open what a command was given.

    Raises
    ------
    MicrotomeError
        If the model is no transformer that can be decomposed, or the data cannot be read.
    """
    if not 1 <= settings.batch_size <= 64:
        raise OptionError(f"The batch size is {settings.batch_size}.", expected="1 to 64 images")
    loaded = load(model) if isinstance(model, str) else model
    tower = tower_of(loaded)
    if isinstance(data, ImageData):
        return Opened(loaded, tower, data)
    return Opened(loaded, tower, open_data(data, colours=False, bare=True, limit=settings.limit, seed=settings.seed))


def direct_pass(opened: Opened, folder: Path, settings: PassSettings) -> StreamPass:
    """A pass that keeps of each image: `heads` [layer, head, space], `mlps` [layer, d_out], `embedding`, `output`.

    The sum is checked on the first batch that runs: an error if the terms do not add up.
    """
    tower = opened.tower
    unchecked = [True]

    def terms_of(x: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        terms = take_apart(tower, run_tower(tower, x, places_of(tower)))
        if unchecked:
            check_exact(tower, terms)
            unchecked.clear()
        kept = {"heads": terms.heads, "mlps": terms.mlps, "embedding": terms.embedding, "output": terms.output}
        return {name: value.float() for name, value in kept.items()}

    return StreamPass(
        opened.model, opened.data, no_grad(terms_of), folder=folder, batch_size=settings.batch_size,
        strict=settings.strict,
    )  # fmt: skip


def bytes_needed(tower: Tower, images: int) -> int:
    """Bytes on disk that `direct_pass` needs."""
    layers = len(tower.layers)
    return 4 * images * (layers * tower.heads * tower.space + (layers + 2) * tower.d_out)


def matrices_of(tower: Tower, layer: int) -> Float[np.ndarray, "head d_out space"]:
    """P of every head of a layer, float64."""
    return head_matrices(tower, layer).double().cpu().numpy()


def heldout_half(count: int, seed: int) -> Bool[np.ndarray, " image"]:
    """Which images are held out: a random half."""
    order = np.random.default_rng(seed).permutation(count)
    held = np.zeros(count, dtype=bool)
    held[order[count // 2 :]] = True
    return held


def plan_of(opened: Opened, command: str, settings: PassSettings, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a run: a draft with the same plan is taken up."""
    return {
        "microtome": __version__,
        "kind": f"decompose {command}",
        "device": opened.model.device.type,
        "model": [opened.model.fingerprint(), repr(opened.model.module)],
        "preprocess": repr(opened.model.preprocess),
        "data": opened.data.fingerprint(),
        "images": len(opened.data),
        "batch": settings.batch_size,
        "strict": settings.strict,
        "seed": settings.seed,
        **extra,
    }


def exactness(tower: Tower) -> float:
    """The relative error that the sum may have in this model's type."""
    dtype = tower.pooling.matrices.dtype
    return TOLERANCE.get(dtype, TOLERANCE[torch.float32])
