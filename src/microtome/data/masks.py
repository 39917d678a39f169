"""Images with one mask each: what heatmaps and segmentations are scored on, wherever the masks come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.base import DataCard, ImageData, hash_of
from microtome.data.geometry import cell_centres, resize_pixels
from microtome.data.world.captions import groups_of
from microtome.data.world.graph import SceneGraph
from microtome.data.world.objects import KINDS
from microtome.data.world.render import render_full


@dataclass(frozen=True)
class MaskedImage:
    """One image and where its thing is.

    Attributes
    ----------
    key:
        Stable name within its data set.
    pixels:
        RGB, uint8.
    mask:
        True on the foreground.
    text:
        What the foreground is, in words; None where the data do not say.
    void:
        True where nobody annotated; None = nothing is void.
    """

    key: str
    pixels: UInt8[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    text: str | None = None
    void: Bool[np.ndarray, "h w"] | None = None


@runtime_checkable
class MaskedImages(Protocol):
    """A list of masked images that is read one at a time."""

    @property
    def card(self) -> DataCard:
        """What the data are, for reports."""
        ...

    def __len__(self) -> int: ...

    def key(self, index: int) -> str:
        """Stable name of image `index`, without reading it."""
        ...

    def read(self, index: int) -> MaskedImage:
        """Image `index` with its mask. Raises DataError naming the file when it cannot be read."""
        ...

    def fingerprint(self) -> str:
        """Hash of what decides the data."""
        ...


@runtime_checkable
class Scenes(Protocol):
    """Pictures of the planted world: `World`, `Arrangements`, `WorldBirds`."""

    card: DataCard
    size: int

    def __len__(self) -> int: ...

    def key(self, index: int) -> str: ...

    def scene(self, index: int) -> SceneGraph: ...

    def fingerprint(self) -> str: ...


def resized(image: MaskedImage, size: int | tuple[int, int]) -> MaskedImage:
    """The image at another size: pixels squeezed with antialiasing, mask and void by cell centre, nearest neighbour.

    Parameters
    ----------
    size:
        (rows, columns), or one number for a square. The published protocol takes 224.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    under = (
        cell_centres(rows, image.mask.shape[0])[:, None],
        cell_centres(columns, image.mask.shape[1])[None, :],
    )
    return replace(
        image,
        pixels=resize_pixels(image.pixels, size=(rows, columns)),
        mask=image.mask[under],
        void=None if image.void is None else image.void[under],
    )


class ConceptMasks:
    """Where one concept of an image set holds; the images that show it, in their order.

    Parameters
    ----------
    data:
        Any image set with label planes: indexed pictures, Broden, a segmenter's predictions, the planted world ...
    concept:
        The name of one of `data.concepts`; it is the text too, without a category in front.
    least:
        Smallest share of an image's annotated pixels that the concept must cover, 0 to 1; 0 keeps every image that
        shows a pixel of it. Every image is read once to know.

    Raises
    ------
    OptionError
        If there is no such concept.
    DataError
        If no image shows it so, or it holds of whole images, and when an image cannot be read.
    """

    def __init__(self, data: ImageData, concept: str, *, least: float = 0.0) -> None:
        names = [known.name for known in data.concepts]
        if concept not in names:
            raise OptionError(
                f"'{data.card.name}' has no concept '{concept}'.",
                expected="a concept of the image set",
                next_step=f"did you mean {nearest(concept, names)}?",
            )
        if not 0.0 <= least <= 1.0:
            raise OptionError(f"A share of {least} is out of range.", expected="0 to 1")
        self._data = data
        self._concept = names.index(concept)
        self._text = concept.removeprefix(f"{data.concepts[self._concept].category}:")
        self._least = least
        self._kept = [index for index in range(len(data)) if self._shows(index)]
        if not self._kept:
            raise DataError(
                f"No image of '{data.card.name}' shows '{concept}'"
                + (f" on {least:.0%} of its pixels." if least else "."),
                expected="at least one image with a mask",
            )
        note = f"Masks of '{concept}': {len(self._kept)} of {len(data)} images show it."
        self.card = replace(data.card, notes=(*data.card.notes, note))

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, index: int) -> str:
        return self._data.key(self._kept[index])

    def read(self, index: int) -> MaskedImage:
        return self._masked(self._kept[index])

    def fingerprint(self) -> str:
        return hash_of(["masks", self._data.fingerprint(), self._concept, self._least])

    def _masked(self, index: int) -> MaskedImage:
        image = self._data.read(index)
        if self._concept in image.whole:
            raise DataError(
                f"'{self._text}' holds of the whole image '{image.key}'.",
                expected="a concept with a place in the image",
            )
        height, width = image.pixels.shape[:2]
        rows, columns = image.planes.shape[1:]
        under = cell_centres(height, rows)[:, None], cell_centres(width, columns)[None, :]
        mask = (image.planes == self._concept + 1).any(axis=0)[under]
        void = None if image.void is None else image.void[under]
        if void is not None:
            mask = mask & ~void
        return MaskedImage(image.key, image.pixels, mask, self._text, void)

    def _shows(self, index: int) -> bool:
        if self._data.concepts[self._concept].category not in self._data.labels(index):
            return False
        image = self._masked(index)
        known = image.mask.size if image.void is None else int((~image.void).sum())
        return bool(image.mask.any()) and int(image.mask.sum()) >= self._least * known


class SceneMasks:
    """Objects of the planted world's pictures as masks.

    Parameters
    ----------
    scenes:
        `World`, `Arrangements` or `WorldBirds`.
    what:
        `main`: the kind of the most prominent group of objects, whose word is the text. `objects`: every object,
        without a text. Else a kind of object (`gull`): the pictures that have one. What is hidden by other things is
        not in a mask, so a mask can be empty.

    Raises
    ------
    OptionError
        If there is no such kind.
    DataError
        If no picture shows it.
    """

    def __init__(self, scenes: Scenes, what: str = "main") -> None:
        if what not in ("main", "objects") and what not in KINDS:
            raise OptionError(
                f"The planted world has no kind of object '{what}'.",
                expected=f"main, objects, or one of {', '.join(KINDS)}",
                next_step=f"did you mean {nearest(what, KINDS)}?",
            )
        self._scenes = scenes
        self._what = what
        self._kept = [index for index in range(len(scenes)) if _kinds(scenes.scene(index), what)]
        if not self._kept:
            raise DataError(
                f"No picture of '{scenes.card.name}' shows {'an object' if what not in KINDS else f'a {what}'}.",
                expected="at least one picture with a mask",
            )
        note = f"Masks of {what}: {len(self._kept)} of {len(scenes)} pictures show it."
        self.card = replace(scenes.card, notes=(*scenes.card.notes, note))

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, index: int) -> str:
        return self._scenes.key(self._kept[index])

    def read(self, index: int) -> MaskedImage:
        scene = self._scenes.scene(self._kept[index])
        kinds = _kinds(scene, self._what)
        chosen = [thing.kind in kinds for thing in scene.objects]
        drawn = render_full(scene, self._scenes.size)
        # The last entry is what instance -1, the background, finds.
        mask = np.array([*chosen, False])[drawn.instances]
        text = None if self._what == "objects" else KINDS[kinds[0]].name
        return MaskedImage(self.key(index), drawn.pixels, mask, text)

    def fingerprint(self) -> str:
        return hash_of(["masks", self._scenes.fingerprint(), self._what])


def _kinds(scene: SceneGraph, what: str) -> list[str]:
    """Kinds of object that make up the mask; empty where the picture shows none."""
    groups = groups_of(scene)
    if what == "main":
        return [groups[0][0].kind] if groups else []
    if what == "objects":
        return sorted({thing.kind for thing in scene.objects}) if groups else []
    return [what] if any(group[0].kind == what for group in groups) else []
