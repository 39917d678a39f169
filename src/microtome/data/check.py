"""Check a whole image set: all problems at once, and how often each concept occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microtome.core.errors import DataError
from microtome.data.base import DataCard, ImageData, LabelledImage
from microtome.data.open import open_data
from microtome.data.problems import each_problem


@dataclass(frozen=True)
class ConceptCount:
    """How often a concept occurs: images, and label pixels that are not void."""

    name: str
    category: str
    images: int
    pixels: int


@dataclass(frozen=True)
class CheckReport:
    """What `check_data` found.

    Attributes
    ----------
    card:
        The data set's card; None when it could not be opened at all.
    images:
        How many images it lists.
    readable:
        How many of them were read without a problem: the counts are over these.
    problems:
        One line each, in the order of the images.
    concepts:
        Every concept with its counts, zero included.
    void_pixels, pixels:
        Label pixels that are void, and all of them.
    """

    card: DataCard | None
    images: int
    readable: int
    problems: tuple[str, ...]
    concepts: tuple[ConceptCount, ...]
    void_pixels: int
    pixels: int

    @property
    def ok(self) -> bool:
        """Whether there was no problem."""
        return not self.problems


def check_data(
    data: ImageData | str | Path,
    *,
    reader: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Read every image of a data set and report every problem, not just the first.

    Parameters
    ----------
    data:
        An image set, or what `open_data` takes.
    reader:
        As for `open_data`; without meaning for an image set that is open already.
    progress:
        Called with (images done, images) after each image.

    Returns
    -------
    CheckReport
        Also when the data set cannot be opened: then with these problems and without counts.
    """
    if not isinstance(data, ImageData):
        try:
            data = open_data(data, reader=reader)
        except DataError as error:
            problems = tuple(_line(problem) for problem in each_problem(error))
            return CheckReport(None, 0, 0, problems, (), 0, 0)
    problems = _repeated_keys(data)
    images = np.zeros(len(data.concepts), dtype=np.int64)
    pixels = np.zeros(len(data.concepts), dtype=np.int64)
    readable = void_pixels = all_pixels = 0
    for i in range(len(data)):
        try:
            image = data.read(i)
        except DataError as error:
            problems += [_line(problem) for problem in each_problem(error)]
        else:
            found = _inconsistencies(image, data)
            problems += found
            if not found:
                here = _pixel_counts(image, len(data.concepts))
                images += here > 0
                pixels += here
                readable += 1
                all_pixels += image.planes.shape[1] * image.planes.shape[2]
                void_pixels += 0 if image.void is None else int(image.void.sum())
        if progress is not None:
            progress(i + 1, len(data))
    counts = tuple(
        ConceptCount(concept.name, concept.category, int(n), int(area))
        for concept, n, area in zip(data.concepts, images, pixels, strict=True)
    )
    if len(data) == 0:
        problems.append(f"'{data.card.source}' has no image.")
    return CheckReport(data.card, len(data), readable, tuple(problems), counts, void_pixels, all_pixels)


def _line(problem: DataError) -> str:
    return problem.what + (f" Expected: {problem.expected}." if problem.expected else "")


def _repeated_keys(data: ImageData) -> list[str]:
    times = Counter(data.key(i) for i in range(len(data)))
    return [f"The image name '{key}' occurs {count} times." for key, count in times.items() if count > 1]


def _inconsistencies(image: LabelledImage, data: ImageData) -> list[str]:
    """What a reader must never return: checked here because readers of other people plug in too."""
    problems: list[str] = []
    highest, lowest = int(image.planes.max(initial=0)), int(image.planes.min(initial=0))
    if highest > len(data.concepts) or lowest < 0:
        bad = highest if highest > len(data.concepts) else lowest
        problems.append(f"'{image.key}' has the plane value {bad}, and there are {len(data.concepts)} concepts.")
    if any(not 0 <= i < len(data.concepts) for i in image.whole):
        problems.append(f"'{image.key}' has the whole-image concepts {image.whole}, out of range.")
    if image.void is not None and image.void.shape != image.planes.shape[1:]:
        problems.append(f"'{image.key}' has a void of {image.void.shape} over labels of {image.planes.shape[1:]}.")
    if image.label is not None and not 0 <= image.label < len(data.classes):
        problems.append(f"'{image.key}' has the class {image.label} of {len(data.classes)}.")
    return problems


def _pixel_counts(image: LabelledImage, concepts: int) -> np.ndarray:
    """Label pixels of each concept, void left out; one that lies in several planes counts each pixel once."""
    inside = np.ones(image.planes.shape[1:], dtype=bool) if image.void is None else ~image.void
    by_plane = [np.bincount(plane[inside], minlength=concepts + 1) for plane in image.planes]
    counts = np.zeros(concepts + 1, dtype=np.int64)
    if by_plane:
        stacked = np.stack(by_plane)
        counts = stacked.sum(axis=0)
        for value in np.flatnonzero((stacked > 0).sum(axis=0) > 1):
            counts[value] = int(((image.planes == value).any(axis=0) & inside).sum())
    counts = counts[1:]
    counts[list(image.whole)] = int(inside.sum())
    return counts
