"""One streaming pass: images in, a cache of blocks and the statistics of every unit out. Resumable, shardable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from microtome.core.errors import OptionError
from microtome.data.geometry import resize_pixels
from microtome.models.model import Model
from microtome.record.blocks import BlockCache
from microtome.record.forward import Forward
from microtome.record.images import Images
from microtome.record.labels import LabelBlock, read_block
from microtome.record.recording import Recording, assemble
from microtome.record.settings import RecordSettings, block_size
from microtome.record.signatures import concept_keys
from microtome.record.summary import Summary
from microtome.stats.tail import tail_size

THUMBNAIL = 112

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much is done, and of how much."""


def silent(stage: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


def thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """The whole image squeezed to the size of the report's tiles."""
    return resize_pixels(pixels, size=THUMBNAIL)


class Pass:
    """A pass over images, block by block.

    Parameters
    ----------
    model, images, settings:
        What to run, on what, and how.
    folder:
        Where the cache lies. Blocks found there are taken as they are: the caller has made sure that they are of
        this very pass.
    classify:
        Also record which class the model answers.

    Raises
    ------
    OptionError
        For a setting out of its range, or a layer without a map unless elements are images.
    """

    def __init__(
        self, model: Model, images: Images, settings: RecordSettings, *, folder: Path, classify: bool = False
    ) -> None:
        settings.check()
        self.images, self.settings = images, settings
        self.site = model.site(settings.layer)
        if not (self.site.spatial or settings.image_level):
            raise OptionError(
                f"Layer '{self.site.layer}' has no map over the image, so its elements cannot be pixels.",
                expected="a layer with a spatial map, or image-level elements",
                next_step="set image_level (--elements image), or choose another --layer",
            )
        self.spatial = self.site.spatial and not settings.image_level
        self.map_shape = self.site.positions if self.spatial else (1, 1)
        self.units = tuple(range(self.site.units)) if settings.units is None else settings.units
        self.size = block_size(len(self.units), self.map_shape[0] * self.map_shape[1])
        self.blocks = -(-len(images) // self.size)
        self.cache = BlockCache(folder)
        self.forward = Forward(model, self.site, settings, classify)
        self._keys = concept_keys(len(images.concepts))

    def _bounds(self, block: int) -> tuple[int, int]:
        return block * self.size, min((block + 1) * self.size, len(self.images))

    def new_summary(self) -> Summary:
        """An empty summary of the right size."""
        searched = int((~self.images.heldout).sum())
        cells = self.map_shape[0] * self.map_shape[1]
        return Summary(
            units=len(self.units),
            tail=tail_size(self.settings.quantile, searched * cells),
            top_k=self.settings.top_k,
        )

    def run(self, blocks: Iterable[int] | None = None, *, progress: Progress = silent) -> Summary:
        """Record some blocks (default: all); those in the cache are read back. Returns their statistics.

        Shards are runs over disjoint blocks into one cache; their summaries merge to that of a single run.
        """
        summary = self.new_summary()
        wanted = list(range(self.blocks) if blocks is None else blocks)
        missing = [block for block in wanted if not self._complete(block)]
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, missing[0]) if missing else None
            for place, block in enumerate(wanted):
                if ahead is None or block != missing[0]:
                    values = self.cache.read("activations", block)
                else:
                    read = ahead.result()
                    missing.pop(0)
                    ahead = reader.submit(self._read, missing[0]) if missing else None
                    values = self._record(block, *read)
                self._summarise(summary, block, values)
                progress("recording", min((place + 1) * self.size, len(self.images)), len(self.images))
        return summary

    def _complete(self, block: int) -> bool:
        return self.cache.has("labels", block) and self.cache.has("activations", block)

    def _read(self, block: int) -> tuple[LabelBlock, list[np.ndarray]]:
        return read_block(self.images, *self._bounds(block), settings=self.settings, keys=self._keys)

    def _record(self, block: int, labels: LabelBlock, pixels: list[np.ndarray]) -> dict[str, np.ndarray]:
        from microtome.stats.kernels import peaks_of

        first, last = self._bounds(block)
        names = [self.images.key(index) for index in range(first, last)]
        values, answers = self.forward.run(pixels, names=names)
        peaks, cells = peaks_of(values.astype(np.float32))
        arrays = {"peaks": peaks, "cells": cells, "answers": answers, "values": values}
        self.cache.write("thumbnails", block, {"pixels": np.stack([thumbnail(image) for image in pixels])})
        self.cache.write("labels", block, labels.arrays())
        stored = {name: a for name, a in arrays.items() if name != "values" or not self.settings.recompute}
        self.cache.write("activations", block, stored)
        return arrays

    def _summarise(self, summary: Summary, block: int, arrays: dict[str, np.ndarray]) -> None:
        first, last = self._bounds(block)
        if "values" not in arrays:
            arrays = dict(arrays, values=self.activations(block, 0, len(self.units)))
        summary.add(
            block, first, arrays["values"].astype(np.float32),
            searched=~self.images.heldout[first:last], peaks=arrays["peaks"], cells=arrays["cells"],
        )  # fmt: skip

    def activations(self, block: int, start: int, stop: int) -> np.ndarray:
        """Activations [image, unit, h, w] of units start..stop-1 (as places in `units`), float32.

        Read from the cache, or with `recompute` from another run of the model.
        """
        if not self.settings.recompute:
            return self.cache.activations(block, start, stop)
        _, pixels = self._read(block)
        values, _ = self.forward.run(pixels, names=[self.images.key(i) for i in range(*self._bounds(block))])
        return values[:, start:stop].astype(np.float32)

    def recording(self, summary: Summary) -> Recording:
        """Everything that the search and the report need, from the cache and the statistics of all blocks."""
        return assemble(
            self.images, self.cache, summary, blocks=self.blocks, units=self.units, site=self.site, size=self.size,
            settings=self.settings, spatial=self.spatial, map_shape=self.map_shape, activations=self.activations,
        )  # fmt: skip
