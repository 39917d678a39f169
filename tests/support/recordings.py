"""A Recording without a model: label maps that are given, units whose positions are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microtome.core.signatures import SignatureTable
from microtome.core.site import Site
from microtome.data.base import ImageData
from microtome.data.geometry import to_grid
from microtome.record.blocks import BlockCache
from microtome.record.items import halve
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings
from microtome.record.signatures import SignatureIndex, concept_keys, csr_of, image_signatures
from microtome.record.summary import Summary


def labelled_recording(data: ImageData, *, grid: tuple[int, int], units: int, seed: int = 0) -> Recording:
    """The labels of a data set as a finished pass; activations are absent, peaks are zero."""
    images = halve(data, seed=seed)
    index, keys, maps = SignatureIndex(), concept_keys(len(images.concepts)), []
    for i in range(len(images)):
        image, renumber = images.read(i)
        planes, void = to_grid(image, grid=grid)
        whole = tuple(int(renumber[c + 1]) - 1 for c in image.whole)
        found = image_signatures(renumber[planes], whole=whole, void=void, keys=keys)
        maps.append(np.append(index.place(found.sets), -1)[found.map])
    sets, renumbered = index.canonical()
    joined = np.append(renumbered, -1).astype(np.int32)[np.stack(maps)].reshape(len(images), -1)
    counts = np.stack([np.bincount(one[one >= 0], minlength=len(sets)) for one in joined])
    rows, columns = np.nonzero(counts)
    pointers = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(images)))))
    indptr, indices = csr_of(sets)
    halves = [counts[images.heldout == half].sum(axis=0) for half in (False, True)]
    summary = Summary(units=units, tail=1, top_k=1)
    return Recording(
        items=images,
        settings=RecordSettings(layer="planted", grid=grid),
        cache=BlockCache(Path("nowhere")),
        site=Site("planted", 1, (units, *grid), units),
        units=tuple(range(units)),
        spatial=True,
        map_shape=grid,
        block_size=len(images),
        summary=summary,
        activations=_no_activations,
        searched=SignatureTable(images.concepts, indptr, indices, halves[0]),
        heldout_weight=halves[1],
        maps=joined.reshape(-1),
        image_ptr=pointers.astype(np.int64),
        image_rows=columns.astype(np.int32),
        image_counts=counts[rows, columns],
        thresholds=np.zeros(units, np.float32),
        peaks=np.zeros((len(images), units), np.float32),
        cells=np.zeros((len(images), units), np.int32),
        labels=np.full(len(images), -1),
        answers=np.full(len(images), -1),
    )


def _no_activations(block: int, start: int, stop: int) -> np.ndarray:
    raise AssertionError("a planted recording has no activations")
