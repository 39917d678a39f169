"""A pass that runs any function of preprocessed images, block by block: resumable, shardable, in fixed blocks.

What the function returns is kept on disk, one file a block, so memory does not depend on the number of images; whatever
is read off it later reads the blocks in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from torch import Tensor

from microtome.core.errors import DataError, ModelError, problems_together
from microtome.data.base import ImageData
from microtome.models.model import Model
from microtome.models.probe import USER_CODE_ERRORS
from microtome.record.blocks import BlockCache
from microtome.record.one_pass import Progress, silent

BLOCK = 64
_KIND = "stream"
_OWN = ("index", "label", "problems")

RunBatch = Callable[[Float[Tensor, "batch 3 height width"]], dict[str, Tensor]]
"""Preprocessed images, on the model's device and in its type -> named tensors, each with the batch axis in front."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some images of a pass.

    Attributes
    ----------
    index:
        Their numbers in the data set.
    label:
        Their classes, -1 = none.
    arrays:
        What the function returned, by name, each with the image axis in front.
    """

    index: Int[np.ndarray, " image"]
    label: Int[np.ndarray, " image"]
    arrays: dict[str, np.ndarray]


class StreamPass:
    """A pass of a model over images.

    Parameters
    ----------
    model, data:
        What to run, on what. Images are cut as the model's own preprocessing says.
    run:
        What is done with a batch.
    folder:
        Where the blocks lie. Those found there are taken as they are: the caller has made sure that they are of this
        very pass.
    batch_size:
        Images in a forward pass; at most 64.
    strict:
        Whether an image that cannot be read ends the pass; otherwise it is skipped and counted.
    """

    def __init__(
        self, model: Model, data: ImageData, run: RunBatch, *, folder: Path, batch_size: int = 16, strict: bool = False
    ) -> None:
        self.model, self.data, self._run = model, data, run
        self.batch_size = max(1, min(batch_size, BLOCK))
        self.strict = strict
        self.blocks = -(-len(data) // BLOCK)
        self._cache = BlockCache(folder)

    def run(self, blocks: Iterable[int] | None = None, *, progress: Progress = silent, stage: str = "reading") -> None:
        """Record some blocks (default: all); those in the cache stay.

        Raises
        ------
        DataError
            If an image cannot be read and the pass is strict, or none can be read.
        ModelError
            If the model fails on a batch, or its terms do not add up.
        """
        missing = [b for b in (range(self.blocks) if blocks is None else blocks) if not self._cache.has(_KIND, b)]
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, missing[0]) if missing else None
            for place, block in enumerate(missing):
                assert ahead is not None
                index, labels, pixels, problems = ahead.result()
                ahead = reader.submit(self._read, missing[place + 1]) if place + 1 < len(missing) else None
                arrays = self._compute(pixels) if pixels else {}
                named = {"index": np.array(index, np.int64), "label": np.array(labels, np.int64), **arrays}
                self._cache.write(_KIND, block, {**named, "problems": _bytes("\n".join(problems))})
                progress(stage, min((block + 1) * BLOCK, len(self.data)), len(self.data))
        if blocks is None and not any(len(self._array(block, "index")) for block in range(self.blocks)):
            raise DataError(
                f"None of the {len(self.data)} images can be read:\n{problems_together(self.problems(), limit=5)}",
                expected="images that PIL can decode",
            )

    def problems(self) -> list[str]:
        """What was wrong with the images that were skipped, one line each."""
        found: list[str] = []
        for block in range(self.blocks):
            text = bytes(self._array(block, "problems")).decode()
            found += [line for line in text.split("\n") if line]
        return found

    def __iter__(self) -> Iterator[Block]:
        """All blocks in order, whole."""
        return self.take(None)

    def take(self, names: Sequence[str] | None, *, layer: int | None = None) -> Iterator[Block]:
        """All blocks in order, with the arrays of these names alone; blocks without a readable image are left out.

        With `layer`, arrays [image, layer, ...] come as [image, ...] of that layer, and no other is read.
        """
        for block in range(self.blocks):
            with safe_open(self._cache.path(_KIND, block), framework="numpy") as file:
                index = file.get_tensor("index")
                held = [n for n in file.keys() if n not in _OWN]  # noqa: SIM118 - not a dictionary
                if len(index):
                    wanted = held if names is None else names
                    arrays = {n: file.get_tensor(n) if layer is None else file.get_slice(n)[:, layer] for n in wanted}
                    yield Block(index, file.get_tensor("label"), arrays)

    def whole(self, name: str) -> Float[np.ndarray, "image *shape"]:
        """One array of all images, in memory: for what is small."""
        return np.concatenate([block.arrays[name] for block in self.take([name])])

    def index(self) -> Int[np.ndarray, " image"]:
        """Numbers of the images that were read, in order."""
        return np.concatenate([block.index for block in self.take([])])

    def labels(self) -> Int[np.ndarray, " image"]:
        """Classes of the images that were read, -1 = none."""
        return np.concatenate([block.label for block in self.take([])])

    def _array(self, block: int, name: str) -> np.ndarray:
        with safe_open(self._cache.path(_KIND, block), framework="numpy") as file:
            return file.get_tensor(name)

    def _read(self, block: int) -> tuple[list[int], list[int], list[np.ndarray], list[str]]:
        index, labels, pixels, problems = [], [], [], []
        for number in range(block * BLOCK, min((block + 1) * BLOCK, len(self.data))):
            try:
                image = self.data.read(number)
            except DataError as error:
                if self.strict:
                    raise
                problems.append(f"{self.data.key(number)}: {' '.join(error.what.split())}")
                continue
            index.append(number)
            labels.append(-1 if image.label is None else image.label)
            pixels.append(image.pixels)
        return index, labels, pixels, problems

    def _compute(self, pixels: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        parts: list[dict[str, np.ndarray]] = []
        for first in range(0, len(pixels), self.batch_size):
            x = self.model.preprocess(pixels[first : first + self.batch_size], crop=True)
            try:
                found = self._run(self.model.prepared(x))
            except (MemoryError, *USER_CODE_ERRORS) as error:
                raise ModelError(
                    f"{self.model.spec} fails on a batch of {len(x)} images: {type(error).__name__}: {error}",
                    next_step="try a smaller --batch-size; --debug shows the trace",
                ) from error
            parts.append({name: value.detach().cpu().numpy() for name, value in found.items()})
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        broken = [name for name, values in arrays.items() if not np.isfinite(values).all()]
        if broken:
            raise ModelError(
                f"{self.model.spec} gives NaN or infinite numbers ({', '.join(broken)}).",
                expected="finite numbers",
                next_step="check the weights and the preprocessing",
            )
        return arrays


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8).copy()


def no_grad(run: RunBatch) -> RunBatch:
    """The same function without gradients."""

    def quiet(x: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        with torch.no_grad():
            return run(x)

    return quiet
