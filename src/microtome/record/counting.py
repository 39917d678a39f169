"""Where each unit is active, and on which signatures: the counts that every method reads.

A *slot* is a unit with a range of activation, low < a <= high. Its positions are image * (H * W) + Y * W + X over all
images. Counts of the searched half and of the held-out half are kept apart.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from microtome.record.recording import Recording


@dataclass(frozen=True)
class Slot:
    """A unit (its place in `Recording.units`) and a range of activation; `range` is 0 for the top, else 1, 2, ..."""

    place: int
    range: int
    low: float
    high: float


@dataclass(frozen=True)
class HalfCounts:
    """A slot's active elements by signature, in each half: rows ascending, counts > 0."""

    searched: tuple[Int[np.ndarray, "active"], Int[np.ndarray, "active"]]
    heldout: tuple[Int[np.ndarray, "active_heldout"], Int[np.ndarray, "active_heldout"]]


def positions_of(recording: Recording, slots: Sequence[Slot]) -> list[Int[np.ndarray, "position"]]:
    """Active positions of each slot, ascending by image; every block of the pass is read once.

    Memory is 8 bytes a position: hand in slots as `slot_chunks` groups them.
    """
    from microtome.record.upsample import axis_weights, unit_positions

    (h, w), (rows, columns) = recording.map_shape, recording.grid
    weights = (*axis_weights(h, rows), *axis_weights(w, columns))
    start, stop = min(s.place for s in slots), max(s.place for s in slots) + 1
    found: list[list[np.ndarray]] = [[] for _ in slots]
    buffer = np.empty(1 << 16, np.int64)
    for block in range(recording.blocks):
        values = recording.activations(block, start, stop)
        first = block * recording.block_size
        for slot, parts in zip(slots, found, strict=True):
            while True:
                count = unit_positions(values, slot.place - start, slot.low, slot.high, *weights, first, buffer, 0)
                if count >= 0:
                    break
                buffer = np.empty(2 * len(buffer), np.int64)
            parts.append(buffer[:count].copy())
    return [np.concatenate(parts) for parts in found]


def slot_chunks(recording: Recording, slots: Sequence[Slot]) -> list[list[Slot]]:
    """Slots in groups, in order, whose positions take about 64 MiB (2 GiB where the model must run for each)."""
    share = recording.settings.quantile if all(slot.range == 0 for slot in slots) else 0.5
    one = 8.0 * len(recording.items) * recording.elements * share + 1024
    budget = 2**31 if recording.settings.recompute else 2**26
    size = max(1, int(budget // one))
    return [list(slots[start : start + size]) for start in range(0, len(slots), size)]


class HalfCounter:
    """Counts positions by signature and half, also when images are re-paired or maps are shifted. Thread-safe."""

    def __init__(self, recording: Recording) -> None:
        self._maps = recording.maps
        self._half = recording.items.heldout
        self._cells, self._width = recording.elements, recording.grid[1]
        lengths = recording.lengths
        # A text without tokens has no column to be read in; it is paired with nobody.
        self._lengths = np.full(len(self._half), self._width) if lengths is None else np.maximum(lengths, 1)
        self._signatures = recording.searched.n_signatures
        self._threads = threading.local()

    def __call__(
        self,
        positions: Int[np.ndarray, "position"],
        *,
        pairing: Int[np.ndarray, "image"] | None = None,
        shifts: Int[np.ndarray, "image 2"] | None = None,
    ) -> HalfCounts:
        """Counts of the positions.

        Parameters
        ----------
        pairing:
            Activation map i is read against label map pairing[i].
        shifts:
            Rows and columns by which activation map i is moved around, circularly.
        """
        from microtome.record.pairing import paired_counts, shifted_counts
        from microtome.record.upsample import take_counts

        if not hasattr(self._threads, "dense"):
            self._threads.dense = np.zeros((2, self._signatures), np.int64)
        dense = self._threads.dense
        others = np.arange(len(self._half)) if pairing is None else pairing
        if shifts is not None:
            shifted_counts(
                positions, self._maps, self._half, self._cells, self._width, others, shifts, self._lengths, dense
            )
        else:
            paired_counts(positions, self._maps, self._half, self._cells, others, dense)
        return HalfCounts(take_counts(dense[0]), take_counts(dense[1]))


class RankCounter:
    """Doubled ranks of a unit's activation, summed by signature: what AUROC is read from.

    Mid-ranks from 1 within each half, so that all sums are integers. Void elements have no rank.

    Parameters
    ----------
    recording:
        A pass whose elements are whole items, or tokens.
    place:
        The unit's place in `Recording.units`.
    """

    def __init__(self, recording: Recording, place: int) -> None:
        from scipy.stats import rankdata

        self._maps, self._width = np.asarray(recording.maps), recording.elements
        self._half = np.repeat(recording.items.heldout, self._width)
        self._ragged = recording.lengths is not None
        self._lengths = np.ones(len(recording.items), np.int64) if recording.lengths is None else recording.lengths
        self._weights = (recording.searched.weight, recording.heldout_weight)
        self._signatures = recording.searched.n_signatures
        self._doubled = np.zeros(len(self._half), np.int64)
        values = recording.values_of(place)
        for half in (False, True):
            kept = (self._half == half) & (self._maps >= 0)
            self._doubled[kept] = np.rint(2 * rankdata(values[kept])).astype(np.int64)

    def __call__(
        self,
        *,
        pairing: Int[np.ndarray, "image"] | None = None,
        shifts: Int[np.ndarray, "image 2"] | None = None,
    ) -> HalfCounts:
        """Rank sums as recorded, or with the labels of image pairing[i] for image i, or of tokens further on."""
        maps = self._maps if pairing is None and shifts is None else self._moved(pairing, shifts)
        halves = []
        for half in (False, True):
            kept = (self._half == half) & (maps >= 0)
            dense = np.bincount(maps[kept], weights=self._doubled[kept], minlength=self._signatures)
            if self._ragged and pairing is not None:
                dense = self._scaled(dense, np.bincount(maps[kept], minlength=self._signatures), self._weights[half])
            rows = np.flatnonzero(dense).astype(np.int32)
            halves.append((rows, np.rint(dense[rows]).astype(np.int64)))
        return HalfCounts(halves[0], halves[1])

    def _scaled(self, sums: np.ndarray, met: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Rank sums for as many elements of each signature as there are: texts of unlike length meet more or fewer."""
        middle = int(weight.sum()) + 1
        return np.where(met > 0, sums * weight / np.maximum(met, 1), middle * weight)

    def _moved(self, pairing: np.ndarray | None, shifts: np.ndarray | None) -> Int[np.ndarray, "element"]:
        """The signature that each element is read against."""
        others = np.arange(len(self._lengths)) if pairing is None else pairing
        column = np.arange(self._width)[None, :]
        if shifts is not None:
            column = (column + shifts[:, 1:]) % np.maximum(self._lengths[others], 1)[:, None]
        moved = self._maps[others[:, None] * self._width + column]
        # What lies beyond the end of a text has no activation of its own.
        own = np.arange(self._width)[None, :] < self._lengths[:, None]
        return np.where(own, moved, -1).reshape(-1)


class MaskCounter:
    """A slot's positions by signature; see `HalfCounter`."""

    def __init__(self, counter: HalfCounter, positions: Int[np.ndarray, "position"]) -> None:
        self._counter, self._positions = counter, positions

    def __call__(
        self,
        *,
        pairing: Int[np.ndarray, "image"] | None = None,
        shifts: Int[np.ndarray, "image 2"] | None = None,
    ) -> HalfCounts:
        """Counts as recorded, re-paired or shifted."""
        return self._counter(self._positions, pairing=pairing, shifts=shifts)
