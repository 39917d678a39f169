"""What a finished pass leaves: the table of signatures of both halves, signature maps, thresholds, peaks, answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from safetensors import safe_open

from microtome.core.signatures import SignatureTable
from microtome.core.site import Site
from microtome.record.blocks import BlockCache
from microtome.record.items import Items
from microtome.record.labels import LabelBlock
from microtome.record.settings import RecordSettings
from microtome.record.signatures import SignatureIndex, csr_of
from microtome.record.summary import Summary
from microtome.stats.tail import tail_size
from microtome.store.atomic import write_atomically

Activations = Callable[[int, int, int], Float[np.ndarray, "image unit height width"]]
"""(block, first unit, last unit + 1) -> activations."""


@dataclass(frozen=True)
class Recording:
    """A finished pass.

    Attributes
    ----------
    units:
        Unit indices of the site, in the order of all arrays with a unit axis.
    spatial:
        False: an element is an image.
    table:
        Signatures of all images together, weights of the searched half and of the held-out half apart.
    maps:
        int32 [image * H * W], memory-mapped: signature of each element, -1 = void.
    image_ptr, image_rows, image_counts:
        CSR: how many elements of each signature an image has.
    thresholds:
        float32 [unit].
    peaks, cells:
        [image, unit]: largest activation of each map, and its cell.
    labels, answers:
        int64 [image]: class of the image (in `Items.classes`) and class the model answered, -1 = unknown.
    padded:
        Items have different lengths; `lengths` says which.
    positive:
        Active means above 0, not above a quantile.
    """

    items: Items
    settings: RecordSettings
    cache: BlockCache
    site: Site
    units: tuple[int, ...]
    spatial: bool
    map_shape: tuple[int, ...]
    block_size: int
    summary: Summary
    activations: Activations
    searched: SignatureTable
    heldout_weight: Int[np.ndarray, "signature"]
    maps: Int[np.ndarray, "element"]
    image_ptr: Int[np.ndarray, "image_plus_1"]
    image_rows: Int[np.ndarray, "entry"]
    image_counts: Int[np.ndarray, "entry"]
    thresholds: Float[np.ndarray, "unit"]
    peaks: Float[np.ndarray, "image unit"]
    cells: Int[np.ndarray, "image unit"]
    labels: Int[np.ndarray, "image"]
    answers: Int[np.ndarray, "image"]
    padded: bool = False
    positive: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        return (1, 1) if self.settings.image_level or not self.spatial else self.settings.grid

    @property
    def elements(self) -> int:
        """Elements of one image, void included."""
        return self.grid[0] * self.grid[1]

    @property
    def annotated(self) -> Bool[np.ndarray, "image"]:
        """Images with at least one element that is not void."""
        return np.diff(self.image_ptr) > 0

    @cached_property
    def lengths(self) -> Int[np.ndarray, "image"] | None:
        """Columns of each item that are in use; None where all are, in every item."""
        if not self.padded:
            return None
        total = np.concatenate(([0], np.cumsum(self.image_counts)))
        return total[self.image_ptr[1:]] - total[self.image_ptr[:-1]]

    def values_of(self, place: int) -> Float[np.ndarray, "element"]:
        """Activation of one unit (its place in `units`) on every element; at items of one element its peak."""
        if self.elements == 1:
            return self.peaks[:, place]
        return np.concatenate([self.activations(b, place, place + 1).reshape(-1) for b in range(self.blocks)])

    @property
    def blocks(self) -> int:
        return -(-len(self.items) // self.block_size)

    def thumbnail(self, image: int) -> UInt8[np.ndarray, "side side 3"]:
        """The image, squeezed to the size of a tile."""
        block, place = divmod(image, self.block_size)
        with safe_open(self.cache.path("thumbnails", block), framework="numpy") as file:
            return file.get_slice("pixels")[place : place + 1][0]

    @cached_property
    def local(self) -> Bool[np.ndarray, "concept"]:
        """Concepts that cover part of some image; the others hold of whole images only."""
        local = np.zeros(len(self.searched.concepts), bool)
        annotated = np.add.reduceat(np.append(self.image_counts, 0), self.image_ptr[:-1])
        annotated[np.diff(self.image_ptr) == 0] = 0
        covered = self.concept_cover
        image_of = np.repeat(np.arange(covered.shape[0]), np.diff(covered.indptr))
        partial = covered.data < annotated[image_of]
        local[covered.indices[partial]] = True
        return local

    @cached_property
    def concept_cover(self) -> Any:
        """scipy CSR [image, concept]: elements of each concept in each image."""
        from scipy.sparse import csr_array

        table = self.searched
        by_row = csr_array(
            (self.image_counts, self.image_rows, self.image_ptr), shape=(len(self.items), table.n_signatures)
        )
        sets = csr_array(
            (np.ones(len(table.indices), np.int64), table.indices, table.indptr),
            shape=(table.n_signatures, len(table.concepts)),
        )
        return csr_array(by_row @ sets)


def assemble(
    items: Items, cache: BlockCache, summary: Summary, *, blocks: int, units: tuple[int, ...], site: Site,
    size: int, settings: RecordSettings, spatial: bool, map_shape: tuple[int, ...], activations: Activations,
    padded: bool = False,
) -> Recording:  # fmt: skip
    """Join the blocks of a cache into a Recording."""
    index = SignatureIndex()
    places: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    labels, answers, peaks, cells = [], [], [], []
    for block in range(blocks):
        part = LabelBlock.of(cache.read("labels", block))
        places.append(index.place(tuple(part.sets)))
        counts.append(_set_counts(part))
        labels.append(part.labels)
        arrays = cache.read("activations", block) if settings.recompute else _small(cache, block)
        answers.append(arrays["answers"])
        peaks.append(arrays["peaks"])
        cells.append(arrays["cells"])
    sets, renumber = index.canonical()
    image_ptr, image_rows, image_counts = _image_csr(places, counts, renumber)
    halves = np.zeros((2, len(sets)), np.int64)
    half_of = items.heldout.astype(np.int64)
    np.add.at(halves, (np.repeat(half_of, np.diff(image_ptr)), image_rows), image_counts)
    indptr, indices = csr_of(sets)
    # The tail was made for windows that are full.
    rank = tail_size(settings.quantile, int(halves[0].sum())) if padded else None
    highest, exact = np.concatenate(peaks), summary.tail.thresholds(rank)
    positive = _rectified(settings, highest)
    return Recording(
        items=items, settings=settings, cache=cache, site=site, units=units, spatial=spatial, map_shape=map_shape,
        block_size=size, summary=summary, activations=activations,
        searched=SignatureTable(items.concepts, indptr, indices, halves[0], items.neighbours), heldout_weight=halves[1],
        maps=_join_maps(cache, places, renumber, len(items)),
        image_ptr=image_ptr, image_rows=image_rows, image_counts=image_counts,
        thresholds=np.zeros_like(exact) if positive else exact, positive=positive,
        peaks=highest, cells=np.concatenate(cells),
        labels=np.concatenate(labels), answers=np.concatenate(answers), padded=padded,
    )  # fmt: skip


def _rectified(settings: RecordSettings, peaks: np.ndarray) -> bool:
    """Whether active means above 0."""
    if settings.active != "auto":
        return settings.active == "positive"
    return settings.image_level and bool(peaks.min() == 0)


def _small(cache: BlockCache, block: int) -> dict[str, np.ndarray]:
    with safe_open(cache.path("activations", block), framework="numpy") as file:
        return {name: file.get_tensor(name) for name in ("answers", "peaks", "cells")}


def _set_counts(part: LabelBlock) -> np.ndarray:
    """int64 [image, set]: elements of each of the block's sets in each image."""
    flat = part.maps.reshape(len(part.maps), -1)
    return np.stack([np.bincount(one[one >= 0], minlength=len(part.sets)) for one in flat]).astype(np.int64)


def _image_csr(
    places: list[np.ndarray], counts: list[np.ndarray], renumber: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pointers, rows, values = [0], [], []
    for place, block in zip(places, counts, strict=True):
        numbers = renumber[place] if len(place) else place
        for one in block:
            held = np.flatnonzero(one)
            order = np.argsort(numbers[held])
            rows.append(numbers[held][order])
            values.append(one[held][order])
            pointers.append(pointers[-1] + len(held))
    return np.array(pointers, np.int64), np.concatenate(rows).astype(np.int32), np.concatenate(values)


def _join_maps(cache: BlockCache, places: list[np.ndarray], renumber: np.ndarray, images: int) -> np.ndarray:
    """Write the signature maps as one file under canonical numbers and map it into memory."""
    path = cache.folder / "signatures.npy"

    def write(temporary: Any) -> None:
        first = cache.read("labels", 0)["maps"]
        out = np.lib.format.open_memmap(str(temporary), mode="w+", dtype=np.int32, shape=(images, *first.shape[1:]))
        start = 0
        for block, place in enumerate(places):
            maps = cache.read("labels", block)["maps"]
            # The last entry answers for -1, void.
            numbers = np.append(renumber[place] if len(place) else place, -1).astype(np.int32)
            out[start : start + len(maps)] = numbers[maps]
            start += len(maps)
        out.flush()

    write_atomically(path, write)
    return np.asarray(np.load(path, mmap_mode="r")).reshape(-1)
