"""Overlap of units with concepts from dense masks, image by image and pixel by pixel, without any signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microtome.core.concept import Concept
from microtome.data.base import LabelledImage


@dataclass(frozen=True)
class Counts:
    """|C|, |U| and |C & U| over the annotated elements."""

    concept: int = 0
    unit: int = 0
    both: int = 0


def concepts_at(
    image: LabelledImage, concepts: Sequence[Concept], grid: tuple[int, int]
) -> dict[tuple[int, int], set[str]]:
    """Names of the concepts in each annotated cell of the grid; void cells are missing."""
    found: dict[tuple[int, int], set[str]] = {}
    height, width = image.planes.shape[1:]
    for row in range(grid[0]):
        for column in range(grid[1]):
            y, x = int((row + 0.5) / grid[0] * height), int((column + 0.5) / grid[1] * width)
            if image.void is not None and image.void[y, x]:
                continue
            names = {concepts[int(value) - 1].name for value in image.planes[:, y, x] if value > 0}
            found[row, column] = names | {concepts[index].name for index in image.whole}
    return found


def count_overlap(cells: Sequence[dict[tuple[int, int], set[str]]], masks: Sequence[np.ndarray], name: str) -> Counts:
    """Counts of one concept and one unit.

    Parameters
    ----------
    cells:
        For each image what `concepts_at` says.
    masks:
        For each image the unit's mask, bool [H, W].
    """
    concept = unit = both = 0
    for names_at, mask in zip(cells, masks, strict=True):
        for cell, names in names_at.items():
            concept += name in names
            unit += bool(mask[cell])
            both += name in names and bool(mask[cell])
    return Counts(concept, unit, both)
