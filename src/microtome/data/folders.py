"""Folders of plain images: no annotation; sub-folders, where there are several, are classes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import existing_folder, image_files, name_and_sizes, read_rgb
from microtome.data.geometry import label_grid

CLASS = "class"

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "heldout"})


class _File(NamedTuple):
    key: str
    path: Path
    label: int | None


def has_images(root: Path) -> bool:
    """Whether there is an image below a folder."""
    return bool(image_files(root))


class ImageFolder(ImageData):
    """Images of a folder. With two or more sub-folders that hold images, each is a class of that name.

    The class holds of the whole image (category `class`). Images beside the sub-folders have no class: they
    do not label it. Images of a folder without classes have no concept at all until colours or predicted
    classes are added.

    Parameters
    ----------
    root:
        The folder. One sub-folder alone is taken for a container, not for a class.
    """

    def __init__(self, root: Path) -> None:
        self._root = existing_folder(root)
        found = image_files(root)
        if not found:
            raise DataError(
                f"There is no image in '{root}'.",
                expected="JPEG, PNG or other common pictures, in the folder or in sub-folders",
            )
        tops = [path.relative_to(root).parts[0] if path.parent != root else None for path in found]
        names = sorted({top for top in tops if top is not None})
        if names and all(name.lower() in SPLITS for name in names):
            raise DataError(
                f"'{root}' is divided into {', '.join(names)}: these are parts of a data set, not classes.",
                next_step=f"name one of them: '{root / names[0]}'",
            )
        self.classes = tuple(" ".join(name.split()) for name in names) if len(names) > 1 else ()
        self.concepts = unique_concepts((name, CLASS) for name in self.classes)
        number = {name: i for i, name in enumerate(names)} if self.classes else {}
        self._files = [
            _File(path.relative_to(root).as_posix(), path, number.get(top) if top is not None else None)
            for path, top in zip(found, tops, strict=True)
        ]
        notes: list[str] = []
        loose = sum(file.label is None for file in self._files)
        if self.classes and loose:
            notes.append(f"{loose} images lie in no sub-folder and have no class; the classes count as absent there.")
        self.card = DataCard(name=root.resolve().name, reader="folder", source=str(root), notes=tuple(notes))

    def __len__(self) -> int:
        return len(self._files)

    def key(self, index: int) -> str:
        return self._files[index].key

    def labels(self, index: int) -> frozenset[str]:
        return frozenset() if self._files[index].label is None else frozenset({CLASS})

    def read(self, index: int) -> LabelledImage:
        file = self._files[index]
        # Photographs carry their orientation beside the pixels, and no label picture lies over these.
        pixels = read_rgb(file.path, upright=True)
        planes = np.zeros((0, *label_grid(*pixels.shape[:2])), dtype=np.int32)
        whole = () if file.label is None else (file.label,)
        return LabelledImage(file.key, pixels, planes, whole=whole, label=file.label)

    def fingerprint(self) -> str:
        files = [file.path for file in self._files]
        return hash_of(["folder", self.classes, *name_and_sizes(files, self._root)])
