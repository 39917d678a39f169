"""The Broden layout: `index.csv`, `label.csv`, and several label planes per category.

Source: Bau et al., Network Dissection, CVPR 2017 (section 2.1 and the released data set `broden1_224`). A
label picture codes the label number as R + 256 G; a category may have several pictures (`a.png;b.png`) and
label numbers that hold of the whole image (`12;15`), also mixed.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from microtome.core.concept import Concept, unique_concepts
from microtome.core.errors import DataError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import (
    existing_folder,
    name_and_sizes,
    read_channels,
    read_rgb,
    read_rows,
    require_same_size,
)
from microtome.data.geometry import label_grid
from microtome.data.labels import label_table
from microtome.data.problems import Collector

SIZES = ("ih", "iw", "sh", "sw")

_CATEGORY = re.compile(r"^(?P<name>[^()]+)\((?P<count>\d+)\)$")


class _Row(NamedTuple):
    image: str
    size: tuple[int, int] | None
    label_size: tuple[int, int] | None
    planes: tuple[tuple[str, tuple[str, ...]], ...]
    whole: tuple[tuple[str, tuple[int, ...]], ...]


def is_broden(root: Path) -> bool:
    """Whether a folder has the two tables of the layout."""
    return (root / "index.csv").is_file() and (root / "label.csv").is_file()


class Broden(ImageData):
    """Images with label planes of several categories (color, object, part, material, scene, texture).

    A label number that several categories use is one concept, of the category in which it is most frequent
    (`label.csv`: `object(25);part(3)`), as in the published code. A category for which an image has no file
    counts as absent there; `labels` says which ones it has.

    Parameters
    ----------
    root:
        Holds `index.csv`, `label.csv` and `images/`.
    split:
        Keep the images of this `split` column alone (Broden: `train`, `val`).
    """

    def __init__(self, root: Path, *, split: str | None = None) -> None:
        self._root = existing_folder(root)
        numbers, self.concepts = _read_labels(root / "label.csv")
        self._index_of = {number: position for position, number in enumerate(numbers)}
        # 0 is "no label"; Broden has no void.
        self._table = label_table({0: 0} | {number: i + 1 for number, i in self._index_of.items()})
        self._rows, categories = _read_index(root / "index.csv", split)
        name = root.resolve().name if split is None else f"{root.resolve().name}/{split}"
        self.card = DataCard(name=name, reader="broden", source=str(root), notes=self._gaps(categories))

    def _gaps(self, categories: tuple[str, ...]) -> tuple[str, ...]:
        notes = []
        for category in categories:
            missing = sum(category not in self.labels(i) for i in range(len(self)))
            if missing:
                notes.append(
                    f"The category {category} is not labelled in {missing} of {len(self)} images "
                    "and counts as absent there."
                )
        return tuple(notes)

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, index: int) -> str:
        return self._rows[index].image

    def labels(self, index: int) -> frozenset[str]:
        row = self._rows[index]
        return frozenset(category for category, _ in (*row.planes, *row.whole))

    def read(self, index: int) -> LabelledImage:
        row = self._rows[index]
        path = self._root / "images" / row.image
        problems = Collector()
        pixels = problems.attempt(lambda: read_rgb(path))
        if pixels is not None and row.size is not None:
            listed = {"image_name": str(path), "label_name": "index.csv (ih, iw)"}
            problems.attempt(lambda: require_same_size(pixels.shape, row.size or (), **listed))
        planes: list[np.ndarray] = []
        for _, files in row.planes:
            for file in files:
                plane = problems.attempt(partial(self._plane, row, file))
                if plane is not None:
                    planes.append(plane)
        whole: list[int] = []
        for _, numbers in row.whole:
            for number in numbers:
                if number not in self._index_of:
                    problems.add(_unknown_number(number, row.image))
                else:
                    whole.append(self._index_of[number])
        if len({plane.shape for plane in planes}) > 1:
            problems.add(DataError(f"The label pictures of '{path}' have different sizes.", expected="one size"))
        problems.settle()
        assert pixels is not None
        shape = row.label_size or label_grid(*pixels.shape[:2])
        stack = np.stack(planes) if planes else np.zeros((0, *shape), dtype=np.int32)
        return LabelledImage(row.image, pixels, stack, whole=tuple(dict.fromkeys(whole)))

    def _plane(self, row: _Row, file: str) -> np.ndarray:
        path = self._root / "images" / file
        coded = read_channels(path)
        if row.label_size is not None:
            names = {"image_name": "index.csv (sh, sw)", "label_name": str(path)}
            require_same_size(row.label_size, coded.shape, **names)
        numbers = coded[..., 0] + coded[..., 1].astype(np.int32) * 256
        return self._table.apply(numbers, file=str(path))[0]

    def fingerprint(self) -> str:
        images = self._root / "images"
        files = [
            images / name
            for row in self._rows
            for name in (row.image, *(file for _, planes in row.planes for file in planes))
        ]
        whole = [row.whole for row in self._rows]
        return hash_of(["broden", self.concepts, whole, *name_and_sizes(files, self._root)])


def _unknown_number(number: int, image: str) -> DataError:
    return DataError(
        f"index.csv gives image '{image}' the label {number}, which label.csv does not list.",
        expected="every label number in label.csv",
    )


def _read_labels(path: Path) -> tuple[list[int], tuple[Concept, ...]]:
    """Label numbers and their concepts; all problems of the table at once."""
    problems = Collector()
    named: dict[int, tuple[str, str]] = {}
    taken: dict[tuple[str, str], int] = {}
    for row in read_rows(path, columns=("number", "name", "category")):
        number, name = row["number"].strip(), row["name"].strip()
        category = _main_category(row["category"])
        if not number.isdecimal() or not 0 <= int(number) < 65536:
            problems.add(DataError(f"label.csv has the number '{number}'.", expected="1 to 65535 (R + 256 G)"))
            continue
        if int(number) == 0:
            continue
        # The released tables end colours in `-c` and scenes in `-s` to keep their names apart.
        if len(name) > 2 and name.endswith(f"-{category[:1]}"):
            name = name[:-2]
        if not name or not category:
            problems.add(DataError(f"Label {number} of label.csv lacks a name or category.", expected="both"))
        elif int(number) in named:
            problems.add(DataError(f"Label {number} is listed twice in label.csv.", expected="one row a number"))
        elif (name, category) in taken:
            problems.add(
                DataError(
                    f"The name '{name}' ({category}) is both label {taken[name, category]} and {number}.",
                    expected="one number for each concept",
                    next_step="merge the two rows or rename one",
                )
            )
        else:
            named[int(number)] = (name, category)
            taken[name, category] = int(number)
    if not named:
        problems.add(DataError(f"'{path}' names no label.", expected="at least one concept"))
    problems.settle()
    return list(named), unique_concepts(named.values())


def _main_category(text: str) -> str:
    """The most frequent category of `object(25);part(3)`; the first one where no counts are given."""
    best, most = "", -1
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _CATEGORY.match(part)
        name, count = (match["name"].strip(), int(match["count"])) if match else (part, 0)
        if count > most:
            best, most = name, count
    return best


def _read_index(path: Path, split: str | None) -> tuple[list[_Row], tuple[str, ...]]:
    table = read_rows(path, columns=("image",))
    categories = tuple(column for column in (table[0] if table else {}) if column not in ("image", "split", *SIZES))
    if split is not None:
        splits = sorted({row.get("split", "") for row in table} - {""})
        table = [row for row in table if row.get("split") == split]
        if not table:
            known = f": {nearest(split, splits)}" if splits else ""
            raise DataError(f"index.csv has no image of the split '{split}'.", expected=f"a split it has{known}")
    problems = Collector()
    rows = [row for row in (problems.attempt(partial(_decode, row, categories)) for row in table) if row]
    seen: set[str] = set()
    for row in rows:
        if row.image in seen:
            problems.add(DataError(f"index.csv lists image '{row.image}' twice.", expected="one row an image"))
        seen.add(row.image)
    if not table:
        problems.add(DataError(f"'{path}' lists no image.", expected="a row for each image"))
    problems.settle()
    return rows, categories


def _decode(row: dict[str, str], categories: tuple[str, ...]) -> _Row:
    sizes: dict[str, int] = {}
    for column in SIZES:
        value = row.get(column, "").strip()
        if value and not value.isdecimal():
            raise DataError(f"index.csv gives '{row['image']}' {column} = '{value}'.", expected="whole numbers")
        if value:
            sizes[column] = int(value)
    planes, whole = [], []
    for category in categories:
        items = [item.strip() for item in row[category].split(";") if item.strip()]
        # A 0 is "no label", as in the pictures.
        numbers = tuple(int(item) for item in items if item.isdecimal() and int(item))
        files = tuple(item for item in items if not item.isdecimal())
        if files:
            planes.append((category, files))
        if numbers:
            whole.append((category, numbers))
    size = (sizes["ih"], sizes["iw"]) if {"ih", "iw"} <= sizes.keys() else None
    label_size = (sizes["sh"], sizes["sw"]) if {"sh", "sw"} <= sizes.keys() else None
    return _Row(row["image"], size, label_size, tuple(planes), tuple(whole))
