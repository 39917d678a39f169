"""Folders of images with indexed label pictures (CamVid, Pascal VOC, ADE20K benchmark and their like)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from microtome.core.errors import DataError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import (
    existing_folder,
    image_files,
    name_and_sizes,
    read_index,
    read_rgb,
    require_same_size,
)
from microtome.data.labels import concepts_of, read_class_list
from microtome.data.problems import Collector

LAYOUTS = (
    ("images", "labels"),
    ("images", "annotations"),
    ("images", "masks"),
    ("JPEGImages", "SegmentationClass"),
)
"""Sub-folders with the images and with the label pictures, in the order tried."""

CLASS_FILES = ("classes.json", "classes.csv", "classes.txt")

LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


class _Pair(NamedTuple):
    key: str
    image: Path
    label: Path


def is_indexed(root: Path) -> bool:
    """Whether a folder, or one of its sub-folders, has images beside label pictures."""
    return bool(_sections(root))


class IndexedImages(ImageData):
    """Images with one indexed label picture each: pixel value = class index.

    Parameters
    ----------
    root:
        Holds `images/` and `labels/` (also `annotations/`, `masks/`; or VOC's `JPEGImages/`,
        `SegmentationClass/`) with files of the same stem, sub-folders mirrored; or sub-folders (train, val)
        that do, all read by default.
    split:
        Read one sub-folder alone; with VOC's layout, the list `ImageSets/Segmentation/SPLIT.txt`.
    classes:
        The class list (see `read_class_list`); default `classes.json`, `.csv` or `.txt` in the root or its
        parent.
    void:
        Indices of unannotated pixels beside those that the class list declares.

    Raises
    ------
    DataError
        When there are no images or no class list. Damaged and missing files are raised when they are read.
    """

    def __init__(
        self, root: Path, *, split: str | None = None, classes: Path | None = None, void: Iterable[int] = ()
    ) -> None:
        self._root = existing_folder(root)
        self._void_option = tuple(void)
        listed = _find_class_list(root) if classes is None else classes
        class_names = read_class_list(listed, void=self._void_option)
        self.concepts, self._table = concepts_of(class_names)
        self._class_list = listed
        self._pairs, notes = _find_pairs(root, split)
        if class_names.void:
            shown = ", ".join(str(index) for index in sorted(class_names.void))
            notes.append(f"Pixels of index {shown} are unannotated and dropped.")
        name = root.resolve().name if split is None else f"{root.resolve().name}/{split}"
        self.card = DataCard(name=name, reader="indexed", source=str(root), notes=tuple(notes))

    def __len__(self) -> int:
        return len(self._pairs)

    def key(self, index: int) -> str:
        return self._pairs[index].key

    def read(self, index: int) -> LabelledImage:
        pair = self._pairs[index]
        problems = Collector()
        pixels = problems.attempt(lambda: read_rgb(pair.image))
        raw = problems.attempt(lambda: _read_label(pair))
        labelled = None
        if raw is not None:
            labelled = problems.attempt(lambda: self._table.apply(raw, file=str(pair.label)))
            if pixels is not None:
                names = {"image_name": str(pair.image), "label_name": str(pair.label)}
                problems.attempt(lambda: require_same_size(pixels.shape, raw.shape, **names))
        problems.settle()
        assert pixels is not None
        assert labelled is not None
        plane, void = labelled
        return LabelledImage(pair.key, pixels, plane[None], void=void if void.any() else None)

    def fingerprint(self) -> str:
        files = [path for pair in self._pairs for path in (pair.image, pair.label)]
        table = np.asarray(self._table.values).tolist()
        return hash_of(["indexed", table, self.concepts, *name_and_sizes(files, self._root)])


def _read_label(pair: _Pair) -> np.ndarray:
    if not pair.label.is_file():
        raise DataError(
            f"'{pair.image}' has no label file '{pair.label}'.",
            expected="a label picture of the same stem for every image",
            next_step="add the label, or move the image away",
        )
    return read_index(pair.label)


def _layout(folder: Path) -> tuple[Path, Path] | None:
    for images, labels in LAYOUTS:
        if (folder / images).is_dir() and (folder / labels).is_dir():
            return folder / images, folder / labels
    return None


def _sections(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    if _layout(root):
        return [root]
    return sorted(child for child in root.iterdir() if child.is_dir() and _layout(child))


def _find_class_list(root: Path) -> Path:
    places = [folder / name for folder in (root, root.resolve().parent) for name in CLASS_FILES]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"'{root}' has label pictures but no class list.",
        expected="one of " + ", ".join(CLASS_FILES) + " in the folder or in its parent",
        next_step='write classes.json: {"classes": ["sky", "road"], "void": 255}',
    )


def _find_pairs(root: Path, split: str | None) -> tuple[list[_Pair], list[str]]:
    sections = _sections(root)
    notes: list[str] = []
    wanted: set[str] | None = None
    prefix = ""
    if split is not None and sections == [root]:
        wanted, prefix = _voc_list(root, split), f"{split}/"
    elif split is not None:
        chosen = [section for section in sections if section.name == split]
        if not chosen:
            raise _no_split(root, split, [section.name for section in sections])
        sections = chosen
    elif len(sections) > 1:
        notes.append("Read together: " + ", ".join(section.name for section in sections) + ".")
    pairs = [pair for section in sections for pair in _pairs_of(section, root, notes)]
    if wanted is not None:
        pairs = [pair for pair in pairs if pair.image.stem in wanted]
    elif prefix:
        inside = [pair for pair in pairs if f"/{prefix}" in f"/{pair.key}"]
        if not inside:
            raise _no_split(root, str(split), sorted({Path(pair.key).parent.name for pair in pairs}))
        pairs = inside
    if not pairs:
        raise DataError(
            f"There is no image in '{root}'.",
            expected="images in " + " or ".join(sorted({images for images, _ in LAYOUTS})),
        )
    return pairs, notes


def _no_split(root: Path, split: str, valid: Sequence[str]) -> DataError:
    return DataError(
        f"'{root}' has no part '{split}'.",
        expected="a sub-folder of that name" + (f": {nearest(split, valid)}" if valid else ""),
    )


def _voc_list(root: Path, split: str) -> set[str] | None:
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not listed.is_file():
        return None
    return {line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()}


def _pairs_of(section: Path, root: Path, notes: list[str]) -> list[_Pair]:
    layout = _layout(section)
    if layout is None:
        raise DataError(
            f"'{section}' has no images beside label pictures.",
            expected=" or ".join(f"{images}/ and {labels}/" for images, labels in LAYOUTS),
        )
    images, labels = layout
    by_stem = {
        path.relative_to(labels).with_suffix("").as_posix(): path
        for path in image_files(labels)
        if path.suffix.lower() in LABEL_SUFFIXES
    }
    pairs: list[_Pair] = []
    used: set[str] = set()
    skipped = 0
    for path in image_files(images):
        stem = path.relative_to(images).with_suffix("").as_posix()
        label = by_stem.get(stem)
        # VOC keeps thousands of images without a mask beside the few that have one.
        if label is None and images.name == "JPEGImages":
            skipped += 1
            continue
        used.add(stem)
        key = path.relative_to(root).as_posix()
        pairs.append(_Pair(key, path, label or labels / f"{stem}.png"))
    if skipped:
        notes.append(f"{skipped} images of {images.name} have no label picture and are left out.")
    if orphans := len(by_stem.keys() - used):
        notes.append(f"{orphans} label pictures of {section.name} have no image.")
    return pairs
