"""Images as a model sees them, with the concepts of every pixel, in memory: what is to be cut out of and pasted into.

Pixels are at the model's input size, after its own crop. Of the labels each image keeps one number a pixel, its
signature, so that any formula is looked up, not computed: holds(F)[pixel] = F's truth on the pixel's signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from microtome.core.errors import DataError
from microtome.core.formula import Formula
from microtome.core.signatures import SignatureTable
from microtome.data.base import ImageData
from microtome.models.preprocess import Preprocess
from microtome.record.one_pass import Progress, silent
from microtome.record.signatures import SignatureIndex, concept_keys, csr_of, image_signatures


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images in memory.

    Attributes
    ----------
    name:
        Of the data set.
    pixels:
        RGB, as the model sees them before normalisation.
    maps:
        int32: signature of each pixel, -1 = void.
    table:
        The signatures; weights count pixels of all images.
    counts:
        Pixels of each signature in each image.
    labels:
        Class of each image, as numbers in `classes`; -1 = none.
    classes:
        Names of the data set's classes.
    keys:
        Names of the images.
    problems:
        What was wrong with images that were left out.
    """

    name: str
    pixels: UInt8[np.ndarray, "image height width 3"]
    maps: Int[np.ndarray, "image height width"]
    table: SignatureTable
    counts: Int[np.ndarray, "image signature"]
    labels: Int[np.ndarray, " image"]
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    problems: tuple[str, ...] = ()
    _known: dict[str, Bool[np.ndarray, " signature"]] = field(default_factory=dict, repr=False)
    _shares: dict[str, Float[np.ndarray, " image"]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def truth(self, formula: Formula) -> Bool[np.ndarray, " signature"]:
        """Where the formula holds, by signature. Raises FormulaError for a concept that the data lack."""
        text = str(formula)
        if text not in self._known:
            self._known[text] = self.table.holds(formula)
        return self._known[text]

    def holds(self, formula: Formula, image: int) -> Bool[np.ndarray, "height width"]:
        """Pixels of one image where the formula holds; void pixels never do."""
        return np.append(self.truth(formula), False)[self.maps[image]]

    def share(self, formula: Formula) -> Float[np.ndarray, " image"]:
        """Share of each image's annotated pixels where the formula holds; 0 where nothing is annotated."""
        text = str(formula)
        if text not in self._shares:
            self._shares[text] = (self.counts @ self.truth(formula)) / self._annotated
        return self._shares[text]

    @cached_property
    def _annotated(self) -> Int[np.ndarray, " image"]:
        return np.maximum(self.counts.sum(axis=1), 1)

    @cached_property
    def category_of(self) -> dict[str, str]:
        """Category of each concept."""
        return {concept.name: concept.category for concept in self.table.concepts}

    @cached_property
    def local(self) -> frozenset[str]:
        """Concepts that cover a part of some image: only of these something can be cut out."""
        indptr, rows = self.table.columns
        whole = self.counts.sum(axis=1)
        found = []
        for index, concept in enumerate(self.table.concepts):
            held = self.counts[:, rows[indptr[index] : indptr[index + 1]]].sum(axis=1)
            if ((held > 0) & (held < whole)).any():
                found.append(concept.name)
        return frozenset(found)

    def of_class(self, label: int) -> Int[np.ndarray, " image"]:
        """Numbers of the images of a class."""
        return np.flatnonzero(self.labels == label)


def read_gallery(
    data: ImageData,
    preprocess: Preprocess,
    *,
    limit: int,
    seed: int,
    progress: Progress = silent,
    stage: str = "reading images",
) -> Gallery:
    """Read images as a model sees them.

    Parameters
    ----------
    data:
        Any image set.
    preprocess:
        The model's; its crop is applied to pixels and labels alike.
    limit:
        At most so many images, drawn with `seed`; each takes 3 + 4 bytes a pixel.

    Raises
    ------
    DataError
        If no image can be read; images that cannot are left out and named in `problems`.
    """
    drawn = np.sort(np.random.default_rng([seed, 41]).permutation(len(data))[:limit])
    index, keys_of = SignatureIndex(), concept_keys(len(data.concepts))
    pixels, places, maps, labels, keys, problems = [], [], [], [], [], []
    for done, number in enumerate(drawn.tolist(), start=1):
        try:
            image = data.read(number)
        except DataError as error:
            problems.append(f"{data.key(number)}: {' '.join(error.what.split())}")
            continue
        seen = preprocess.cropped(image.pixels)
        planes = np.stack([_like(preprocess, plane, image.pixels) for plane in image.planes]) if len(
            image.planes
        ) else np.zeros((0, *seen.shape[:2]), np.int32)  # fmt: skip
        void = np.zeros(seen.shape[:2], bool) if image.void is None else _like(
            preprocess, image.void.astype(np.int32), image.pixels
        ).astype(bool)  # fmt: skip
        found = image_signatures(planes, whole=image.whole, void=void, keys=keys_of)
        places.append(index.place(found.sets))
        maps.append(found.map)
        pixels.append(seen)
        labels.append(-1 if image.label is None else image.label)
        keys.append(image.key)
        if done % 64 == 0 or done == len(drawn):
            progress(stage, done, len(drawn))
    if not pixels:
        raise DataError(
            f"None of the {len(drawn)} images of {data.card.name} can be read.",
            expected="images that PIL can decode",
            next_step=problems[0] if problems else "check the folder",
        )
    return _assembled(data, index, places, maps, pixels, labels, keys, problems)


def _assembled(
    data: ImageData, index: SignatureIndex, places: list[np.ndarray], maps: list[np.ndarray],
    pixels: list[np.ndarray], labels: Sequence[int], keys: Sequence[str], problems: Sequence[str],
) -> Gallery:  # fmt: skip
    sets, renumber = index.canonical()
    indptr, indices = csr_of(sets)
    numbered = np.empty((len(maps), *maps[0].shape), np.int32)
    counts = np.zeros((len(maps), len(sets)), np.int64)
    for place, (numbers, one) in enumerate(zip(places, maps, strict=True)):
        own = np.append(renumber[numbers] if len(numbers) else numbers, -1).astype(np.int32)
        numbered[place] = own[one]
        counts[place] = np.bincount(numbered[place][numbered[place] >= 0], minlength=len(sets))
    table = SignatureTable(data.concepts, indptr, indices, counts.sum(axis=0))
    return Gallery(
        data.card.name, np.stack(pixels), numbered, table, counts, np.array(labels, np.int64), data.classes,
        tuple(keys), tuple(problems),
    )  # fmt: skip


def _like(
    preprocess: Preprocess, plane: Int[np.ndarray, "rows columns"], pixels: UInt8[np.ndarray, "height width 3"]
) -> Int[np.ndarray, "height_ width_"]:
    """A label plane cut as the pixels were, nearest neighbour."""
    height, width = preprocess.height, preprocess.width
    top, left, high, wide = 0.0, 0.0, 1.0, 1.0
    if preprocess.crop != "none":
        rows, columns = preprocess.before_crop(pixels.shape[0], pixels.shape[1])
        top, left = round((rows - height) / 2) / rows, round((columns - width) / 2) / columns
        high, wide = height / rows, width / columns
    own_rows = ((top + (np.arange(height) + 0.5) / height * high) * plane.shape[0]).astype(int)
    own_columns = ((left + (np.arange(width) + 0.5) / width * wide) * plane.shape[1]).astype(int)
    return plane[
        np.clip(own_rows, 0, plane.shape[0] - 1)[:, None], np.clip(own_columns, 0, plane.shape[1] - 1)[None, :]
    ]  # fmt: skip


def resized(
    pixels: UInt8[np.ndarray, "height width 3"], height: int, width: int
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Pixels at another size, bilinear."""
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture)
