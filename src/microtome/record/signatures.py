"""From label planes to signatures: each image's own distinct sets first, then one list for all.

An image has some dozens of distinct sets, a data set some ten thousand; a local unique is many times cheaper than a
global one over all elements. Elements are grouped by the sum of a random 64-bit number per concept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

_KEY_SEED = 1_000_003


def concept_keys(n_concepts: int) -> Int[np.ndarray, "concept_plus_1"]:
    """Random int64 for plane values 0..n_concepts; 0 for 'no concept'."""
    keys = np.random.default_rng(_KEY_SEED).integers(1, 2**62, size=n_concepts + 1, dtype=np.int64)
    keys[0] = 0
    return keys


@dataclass(frozen=True)
class ImageSignatures:
    """One image: its distinct sets and which of them each element has.

    Attributes
    ----------
    sets:
        Ascending tuples of concept indices (0-based).
    map:
        int32 [H, W]: index into `sets`; -1 where void.
    """

    sets: tuple[tuple[int, ...], ...]
    map: Int[np.ndarray, "height width"]


def image_signatures(
    planes: Int[np.ndarray, "plane height width"],
    *,
    whole: tuple[int, ...],
    void: Bool[np.ndarray, "height width"],
    keys: Int[np.ndarray, "concept_plus_1"],
) -> ImageSignatures:
    """Distinct sets of concepts of one image.

    Parameters
    ----------
    planes:
        Values 0 = none, k = concept k - 1.
    whole:
        Concept indices (0-based) that hold everywhere.
    void:
        Elements to drop.
    keys:
        From `concept_keys`.
    """
    summed = np.zeros(void.shape, np.int64)
    for plane in planes:
        summed += keys[plane]
    _, first, inverse = np.unique(summed.ravel(), return_index=True, return_inverse=True)
    flat = planes.reshape(len(planes), void.size)
    sets: list[tuple[int, ...]] = []
    place: dict[tuple[int, ...], int] = {}
    renumber = np.empty(len(first), np.int32)
    for i, position in enumerate(first):
        members = {int(value) - 1 for value in flat[:, position] if value > 0}
        members.update(whole)
        key = tuple(sorted(members))
        if key not in place:
            place[key] = len(sets)
            sets.append(key)
        renumber[i] = place[key]
    index = renumber[inverse.reshape(void.shape)]
    index[void] = -1
    return ImageSignatures(tuple(sets), index)


class SignatureIndex:
    """All distinct sets seen so far, numbered as they come; `canonical` puts them in an order free of history."""

    def __init__(self) -> None:
        self._place: dict[tuple[int, ...], int] = {}

    def place(self, sets: tuple[tuple[int, ...], ...]) -> Int[np.ndarray, "set"]:
        """Numbers of the sets, new ones entered. int32."""
        place = self._place
        return np.array([place.setdefault(key, len(place)) for key in sets], np.int32).reshape(-1)

    def __len__(self) -> int:
        return len(self._place)

    def canonical(self) -> tuple[list[tuple[int, ...]], Int[np.ndarray, "set"]]:
        """The sets sorted, and for each number handed out its place in that order (int32)."""
        ordered = sorted(self._place)
        renumber = np.empty(len(ordered), np.int32)
        for new, key in enumerate(ordered):
            renumber[self._place[key]] = new
        return ordered, renumber


def csr_of(sets: list[tuple[int, ...]]) -> tuple[Int[np.ndarray, "set_plus_1"], Int[np.ndarray, "entry"]]:
    """CSR pointers (int64) and indices (int32) of a list of sets."""
    indptr = np.zeros(len(sets) + 1, np.int64)
    np.cumsum([len(key) for key in sets], out=indptr[1:])
    indices = np.fromiter((c for key in sets for c in key), np.int32, count=int(indptr[-1]))
    return indptr, indices
