"""Open masked images by one string: ImageNet-Segmentation, the planted world, or one concept of any image set.

gtsegs_ijcv.mat                    ImageNet-Segmentation: each photograph's object
arranged:heldout@500               the most prominent objects of planted pictures, or a kind of object
path/to/folder                     one concept of a set with label pictures
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microtome.core.errors import DataError, OptionError, nearest, problems_together
from microtome.data.base import ImageData, LabelledImage, hash_of
from microtome.data.gtsegs import ImageNetSegmentation
from microtome.data.masks import ConceptMasks, MaskedImages, SceneMasks, Scenes
from microtome.data.open import open_data
from microtome.data.world.objects import KINDS

_MAT = "gtsegs_ijcv.mat"
_SHOWN = 12
_LOOKED_AT = 500


@dataclass(frozen=True, eq=False)
class OpenedMasks:
    """Masked images.

    Attributes
    ----------
    masks:
        Image by image.
    things:
        What masks of these data could show, in words; empty where nobody says.
    problems:
        What was wrong with each image that had to be read to find masks and could not be.
    """

    masks: MaskedImages
    things: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def open_masks(
    spec: str | Path, *, concept: str | None = None, names: Path | None = None, strict: bool = False
) -> OpenedMasks:
    """Open masked images.

    Parameters
    ----------
    spec:
        A `.mat` file or its folder; otherwise what `open_data` takes.
    concept:
        Whose masks: for the planted world `main` (default), `objects` or a kind of object; for other sets the name of
        a concept. ImageNet-Segmentation has one mask an image.
    names:
        For ImageNet-Segmentation: a file with a WordNet id and its words on each line.
    strict:
        Whether an image that cannot be read is an error; otherwise it is left out and named.

    Raises
    ------
    DataError
        When the data cannot be read, or have no mask.
    OptionError
        For a concept that is not there, or options that do not fit the data.
    """
    path = Path(spec)
    if path.suffix == ".mat" or (path.is_dir() and (path / _MAT).is_file()):
        if concept is not None:
            raise OptionError("ImageNet-Segmentation has no concepts.", next_step="leave --concept out")
        found = _segmentation(path, names)
        texts = read_names(names) if names is not None else {}
        ids = {found.key(n).partition("_")[0] for n in range(len(found))}
        return OpenedMasks(found, tuple(sorted({texts[one] for one in ids if one in texts})))
    if names is not None:
        raise OptionError(f"Names are for ImageNet-Segmentation, and '{spec}' is none.", next_step="leave --names out")
    data = open_data(spec, colours=False, bare=True)
    if isinstance(data, Scenes):
        return OpenedMasks(SceneMasks(data, concept or "main"), _kinds(data))
    if not data.concepts:
        raise DataError(
            f"'{spec}' has no masks: nothing in it is annotated.",
            expected="images with label pictures, gtsegs_ijcv.mat, or the planted world (arranged@500)",
        )
    return _concept(data, str(spec), concept, strict=strict)


def _concept(data: ImageData, spec: str, concept: str | None, *, strict: bool) -> OpenedMasks:
    known = [one.name for one in data.concepts]
    if concept is None:
        more = ", ..." if len(known) > _SHOWN else ""
        raise OptionError(
            f"'{spec}' has masks of {len(known)} concepts, and none of them is chosen.",
            expected=f"--concept with one of: {', '.join(known[:_SHOWN])}{more}",
        )
    found = [one for one in known if one == concept or one.partition(":")[2] == concept]
    if not found:
        raise OptionError(
            f"'{spec}' has no concept '{concept}'.",
            expected=f"one of its {len(known)} concepts",
            next_step=f"did you mean {nearest(concept, known)}?",
        )
    category = next(one.category for one in data.concepts if one.name == found[0])
    things = tuple(one.name.removeprefix(f"{category}:") for one in data.concepts if one.category == category)
    if strict:
        return OpenedMasks(ConceptMasks(data, found[0]), things)
    lenient = Lenient(data)
    try:
        masks = ConceptMasks(lenient, found[0])
    except DataError as error:
        if len(lenient.problems) < len(data):
            raise
        raise DataError(
            f"None of the {len(data)} images of '{spec}' can be read:\n"
            f"{problems_together(list(lenient.problems.values()), limit=5)}",
            expected="images that PIL can decode",
        ) from error
    return OpenedMasks(masks, things, tuple(f"{key}: {what}" for key, what in lenient.problems.items()))


def _kinds(scenes: Scenes) -> tuple[str, ...]:
    """Words of the kinds of object that the first pictures show."""
    shown = {thing.kind for n in range(min(len(scenes), _LOOKED_AT)) for thing in scenes.scene(n).objects}
    return tuple(sorted(KINDS[kind].name for kind in shown))


def _segmentation(path: Path, names: Path | None) -> ImageNetSegmentation:
    if names is None:
        return ImageNetSegmentation(path)
    words = read_names(names)
    found = ImageNetSegmentation(path, names=words)
    missing = sorted({found.key(n).partition("_")[0] for n in range(len(found))} - words.keys())
    if missing:
        raise DataError(
            f"'{names}' has no words for {len(missing)} of the data's WordNet ids:\n"
            f"{problems_together(missing, limit=5)}",
            expected="a line for each",
        )
    return found


def read_names(path: Path) -> dict[str, str]:
    """WordNet ids and words from lines such as `n02056570 king penguin, Aptenodytes patagonica`; the first name counts.

    Raises
    ------
    DataError
        When the file cannot be read or holds no such line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}.", expected="UTF-8 text") from error
    parts = [line.split(None, 1) for line in lines if line.strip()]
    if not parts or any(len(part) != 2 for part in parts):
        raise DataError(f"'{path}' is no list of names.", expected="an id and its words on every line")
    return {key: words.partition(",")[0].strip() for key, words in parts}


class Lenient(ImageData):
    """An image set whose unreadable images are noted and show nothing, where every image is read to find a concept.

    Parameters
    ----------
    data:
        The image set.

    Attributes
    ----------
    problems:
        What was wrong with each image that could not be read, by its key.
    """

    def __init__(self, data: ImageData) -> None:
        self._data = data
        self.card, self.concepts, self.classes = data.card, data.concepts, data.classes
        self.problems: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._data)

    def key(self, index: int) -> str:
        return self._data.key(index)

    def labels(self, index: int) -> frozenset[str]:
        return self._data.labels(index)

    def read(self, index: int) -> LabelledImage:
        try:
            return self._data.read(index)
        except DataError as error:
            self.problems[self.key(index)] = " ".join(error.what.split())
            nothing = np.zeros((1, 1, 3), np.uint8)
            return LabelledImage(self.key(index), nothing, np.zeros((0, 1, 1), np.int32))

    def fingerprint(self) -> str:
        return self._data.fingerprint()


class MaskPictures(ImageData):
    """The pictures of masked images, some of them, without their masks.

    Parameters
    ----------
    masks:
        Masked images.
    numbers:
        Which, in order.
    """

    concepts = ()

    def __init__(self, masks: MaskedImages, numbers: Sequence[int]) -> None:
        self._masks, self._numbers = masks, list(numbers)
        note = f"{len(self._numbers)} of {len(masks)} masked images." if len(self._numbers) < len(masks) else ""
        self.card = replace(masks.card, notes=(*masks.card.notes, *([note] if note else [])))

    def __len__(self) -> int:
        return len(self._numbers)

    def key(self, index: int) -> str:
        return self._masks.key(self._numbers[index])

    def read(self, index: int) -> LabelledImage:
        return LabelledImage(
            self.key(index), self._masks.read(self._numbers[index]).pixels, np.zeros((0, 1, 1), np.int32)
        )

    def fingerprint(self) -> str:
        return hash_of(["pictures of masks", self._masks.fingerprint(), self._numbers])
