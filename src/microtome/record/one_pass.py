"""One streaming pass: items in, a cache of blocks and the statistics of every unit out. Resumable, shardable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from microtome.core.errors import OptionError
from microtome.data.text.base import TextData
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.record.blocks import BlockCache
from microtome.record.feed import Feed
from microtome.record.image_feed import ImageFeed
from microtome.record.items import Items
from microtome.record.labels import LabelBlock
from microtome.record.recording import Recording, assemble
from microtome.record.settings import RecordSettings, block_size
from microtome.record.summary import Summary
from microtome.record.text_feed import TextFeed
from microtome.stats.tail import tail_size

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much is done, and of how much."""


def silent(stage: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


class Pass:
    """A pass over images or texts, block by block.

    Parameters
    ----------
    model, items, settings:
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
        self, model: Model | TextModel, items: Items, settings: RecordSettings, *, folder: Path,
        classify: bool = False,
    ) -> None:  # fmt: skip
        settings.check()
        self.items, self.settings = items, settings
        self.feed = feed_of(model, items, settings, classify=classify)
        self.site, self.spatial, self.map_shape = self.feed.site, self.feed.spatial, self.feed.map_shape
        self.units = tuple(range(self.site.units)) if settings.units is None else settings.units
        self.size = block_size(len(self.units), self.map_shape[0] * self.map_shape[1])
        self.blocks = -(-len(items) // self.size)
        self.cache = BlockCache(folder)

    def _bounds(self, block: int) -> tuple[int, int]:
        return block * self.size, min((block + 1) * self.size, len(self.items))

    def new_summary(self) -> Summary:
        """An empty summary of the right size."""
        searched = int((~self.items.heldout).sum())
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
                progress("recording", min((place + 1) * self.size, len(self.items)), len(self.items))
        return summary

    def _complete(self, block: int) -> bool:
        return self.cache.has("labels", block) and self.cache.has("activations", block)

    def _read(self, block: int) -> tuple[LabelBlock, Sequence[Any]]:
        return self.feed.read(*self._bounds(block))

    def _record(self, block: int, labels: LabelBlock, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        from microtome.stats.kernels import peaks_of

        first, last = self._bounds(block)
        names = [self.items.key(index) for index in range(first, last)]
        values, answers = self.feed.run(inputs, names)
        peaks, cells = peaks_of(values.astype(np.float32))
        arrays = {"peaks": peaks, "cells": cells, "answers": answers, "values": values}
        if kept := self.feed.kept(inputs):
            self.cache.write("thumbnails", block, kept)
        self.cache.write("labels", block, labels.arrays())
        stored = {name: a for name, a in arrays.items() if name != "values" or not self.settings.recompute}
        self.cache.write("activations", block, stored)
        return arrays

    def _summarise(self, summary: Summary, block: int, arrays: dict[str, np.ndarray]) -> None:
        first, last = self._bounds(block)
        if "values" not in arrays:
            arrays = dict(arrays, values=self.activations(block, 0, len(self.units)))
        values, searched = arrays["values"].astype(np.float32), ~self.items.heldout[first:last]
        if self.feed.padded:
            # An element is then a token: one map of a single cell each, and none for the padding.
            present = self.cache.read("labels", block)["maps"].reshape(len(values), -1) >= 0
            values = values[:, :, 0, :].transpose(0, 2, 1)[present][:, :, None, None]
            searched = np.repeat(searched, present.sum(axis=1))
        summary.add(block, first, values, searched=searched, peaks=arrays["peaks"], cells=arrays["cells"])

    def activations(self, block: int, start: int, stop: int) -> np.ndarray:
        """Activations [image, unit, h, w] of units start..stop-1 (as places in `units`), float32.

        Read from the cache, or with `recompute` from another run of the model.
        """
        if not self.settings.recompute:
            return self.cache.activations(block, start, stop)
        _, inputs = self._read(block)
        values, _ = self.feed.run(inputs, [self.items.key(i) for i in range(*self._bounds(block))])
        return values[:, start:stop].astype(np.float32)

    def recording(self, summary: Summary) -> Recording:
        """Everything that the search and the report need, from the cache and the statistics of all blocks."""
        return assemble(
            self.items, self.cache, summary, blocks=self.blocks, units=self.units, site=self.site, size=self.size,
            settings=self.settings, spatial=self.spatial, map_shape=self.map_shape, activations=self.activations,
            padded=self.feed.padded,
        )  # fmt: skip


def feed_of(model: Model | TextModel, items: Items, settings: RecordSettings, *, classify: bool) -> Feed:
    """How these items are shown to this model. Raises OptionError where model and data are not of a kind."""
    texts = isinstance(items.sets[0], TextData)
    if isinstance(model, TextModel) != texts:
        takes, holds = ("images", "texts") if texts else ("texts", "images")
        raise OptionError(
            f"{model.spec} takes {takes}, and the data holds {holds}.",
            expected="a model and data of one kind",
            next_step="choose another model or other data",
        )
    if isinstance(model, TextModel):
        return TextFeed(model, items, settings, classify=classify)
    return ImageFeed(model, items, settings, classify=classify)
