"""The labels of one block of images on the run's grid: signature maps, and what the tables need beside them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt8

from microtome.data.geometry import to_grid
from microtome.record.items import Items
from microtome.record.settings import RecordSettings
from microtome.record.signatures import csr_of, image_signatures

_FULL_GRID = (112, 112)


@dataclass(frozen=True)
class LabelBlock:
    """Labels of consecutive images.

    Attributes
    ----------
    maps:
        int32 [image, H, W]: index into `sets`, -1 = void.
    sets:
        The block's distinct sets of concepts.
    labels:
        int64 [image]: class index in the image's own data set, -1 = none.
    """

    maps: Int[np.ndarray, "image height width"]
    sets: list[tuple[int, ...]]
    labels: Int[np.ndarray, "image"]

    def arrays(self) -> dict[str, np.ndarray]:
        indptr, indices = csr_of(self.sets)
        return {"maps": self.maps, "set_ptr": indptr, "set_concepts": indices, "labels": self.labels}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> LabelBlock:
        pointers, concepts = arrays["set_ptr"], arrays["set_concepts"]
        sets = [tuple(concepts[start:stop].tolist()) for start, stop in pairwise(pointers)]
        return cls(arrays["maps"], sets, arrays["labels"])


def read_block(
    images: Items, first: int, last: int, *, settings: RecordSettings, keys: Int[np.ndarray, "value"]
) -> tuple[LabelBlock, list[UInt8[np.ndarray, "_ _ 3"]]]:
    """Labels and pixels of images first..last-1. Raises DataError naming the file that cannot be read."""
    place: dict[tuple[int, ...], int] = {}
    maps, labels, pixels = [], [], []
    for index in range(first, last):
        image, renumber = images.read(index)
        planes, void = to_grid(image, grid=_FULL_GRID if settings.image_level else settings.grid)
        whole = tuple(int(renumber[c + 1]) - 1 for c in image.whole if renumber[c + 1])
        planes = renumber[planes]
        if settings.image_level:
            planes, whole, void = _as_one_element(planes, whole, void, len(keys), settings.present_share)
        found = image_signatures(planes, whole=whole, void=void, keys=keys)
        numbers = np.array([place.setdefault(key, len(place)) for key in found.sets] + [-1], np.int32)
        maps.append(numbers[found.map])
        labels.append(images.class_of(index, image.label))
        pixels.append(image.pixels)
    return LabelBlock(np.stack(maps), list(place), np.array(labels, np.int64)), pixels


def _as_one_element(
    planes: np.ndarray, whole: tuple[int, ...], void: np.ndarray, values: int, share: float
) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """The image as a single element with the concepts that cover at least `share` of what is annotated."""
    kept = ~void
    annotated = max(int(kept.sum()), 1)
    stacked = np.sort(planes[:, kept], axis=0)
    # A concept that lies on an element in two planes covers it once.
    stacked[1:][stacked[1:] == stacked[:-1]] = 0
    covered = np.bincount(stacked.ravel(), minlength=values)
    present = tuple(int(v) - 1 for v in np.flatnonzero(covered >= share * annotated) if v > 0)
    none = np.zeros((0, 1, 1), np.int32)
    return none, tuple(sorted({*whole, *present})), np.array([[not kept.any()]])
