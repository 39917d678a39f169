"""The Waterbirds layout: photographs of birds on land or water, listed in `metadata.csv`.

    img_id,img_filename,y,split,place,place_filename
    1,001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg,1,0,0,/b/bamboo_forest/00000131.jpg

`y`: 0 landbird, 1 waterbird. `place`: 0 land, 1 water. `split`: 0 train, 1 val, 2 test.

Source: Sagawa, Koh, Hashimoto & Liang 2020, Distributionally robust neural networks for group shifts, section 2.1 and
appendix C.1, and the released data set.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import existing_folder, name_and_sizes, read_rgb
from microtome.data.geometry import label_grid
from microtome.data.groups import Groups
from microtome.data.problems import Collector

LIST = "metadata.csv"
COLUMNS = ("img_filename", "y", "split", "place")
SPLITS = ("train", "val", "test")
CLASS, PLACE = "class", "place"


class _Row(NamedTuple):
    image: str
    line: int
    label: int
    split: int
    place: int


def is_waterbirds(root: Path) -> bool:
    """Whether a folder has a `metadata.csv` with the columns of Waterbirds."""
    try:
        with (root / LIST).open(encoding="utf-8-sig") as handle:
            header = next(csv.reader([handle.readline(65536)]), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return set(COLUMNS) <= set(header)


class WaterBirds(ImageData):
    """Birds before land or water, with the class and the place of each image.

    Both hold of the whole image: categories `class` and `place`. Nothing is annotated below the image.

    Parameters
    ----------
    root:
        The folder with `metadata.csv` and the pictures.
    split:
        `train`, `val` or `test`; default: all.

    Raises
    ------
    DataError
        With all problems of the list at once, each with its line: columns or values that are missing, unknown labels,
        names that leave the folder, text that is not UTF-8, no image. Missing and damaged pictures are raised when
        they are read, with the file and its line in the list.
    OptionError
        For an unknown split.
    """

    classes = ("landbird", "waterbird")
    values = ("land", "water")

    def __init__(self, root: Path, *, split: str | None = None) -> None:
        self._root = existing_folder(root)
        self._list = root / LIST
        if split is not None and split not in SPLITS:
            raise OptionError(
                f"Waterbirds has no split '{split}'.",
                expected=f"one of {', '.join(SPLITS)}",
                next_step=f"did you mean {nearest(split, SPLITS, most=1)}?",
            )
        rows = _rows(self._list)
        self._rows = [row for row in rows if split is None or SPLITS[row.split] == split]
        if not self._rows:
            part = "" if split is None else f" of the split '{split}'"
            raise DataError(f"'{self._list}' lists no image{part}.", expected="one line an image")
        pairs = [(name, CLASS) for name in self.classes] + [(name, PLACE) for name in self.values]
        self.concepts = unique_concepts(pairs)
        self.groups = Groups(
            np.array([row.label for row in self._rows], np.int64),
            np.array([row.place for row in self._rows], np.int64),
            self.classes,
            self.values,
        )
        counts = self.groups.counts
        sizes = [f"{self.groups.name(y, p)}: {counts[y, p]}" for y in range(2) for p in range(2)]
        name = root.resolve().name if split is None else f"{root.resolve().name}/{split}"
        self.card = DataCard(name=name, reader="waterbirds", source=str(root), notes=("; ".join(sizes) + ".",))

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, index: int) -> str:
        return self._rows[index].image

    def read(self, index: int) -> LabelledImage:
        row = self._rows[index]
        path = self._root / row.image
        if not path.is_file():
            raise DataError(
                f"The file '{path}', line {row.line} of '{self._list}', is missing.",
                expected="a picture for every line",
                next_step="restore the picture, or take the line out",
            )
        pixels = read_rgb(path, upright=True)
        return LabelledImage(
            row.image,
            pixels,
            np.zeros((0, *label_grid(*pixels.shape[:2])), dtype=np.int32),
            whole=(row.label, len(self.classes) + row.place),
            label=row.label,
        )

    def fingerprint(self) -> str:
        files = [self._root / row.image for row in self._rows]
        listed = [(row.image, row.label, row.split, row.place) for row in self._rows]
        return hash_of(["waterbirds", listed, *name_and_sizes(files, self._root)])


def _rows(path: Path) -> list[_Row]:
    text = _text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        header = tuple(reader.fieldnames or ())
    except csv.Error as error:
        raise DataError(f"Line 1 of '{path}' cannot be read as CSV: {error}.", expected="a header") from error
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DataError(
            f"Line 1 of '{path}' lacks the columns {', '.join(missing)}; it has {', '.join(header) or 'none'}.",
            expected=f"a header with {', '.join(COLUMNS)}",
        )
    problems = Collector()
    rows: list[_Row] = []
    seen: dict[str, int] = {}
    try:
        for fields in reader:
            line = reader.line_num
            row = problems.attempt(lambda fields=fields, line=line: _row(fields, line, path))
            if row is None:
                continue
            if row.image in seen:
                problems.add(
                    DataError(
                        f"Line {line} of '{path}' lists '{row.image}' again, after line {seen[row.image]}.",
                        expected="each picture once",
                    )
                )
                continue
            seen[row.image] = line
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"Line {reader.line_num} of '{path}' cannot be read as CSV: {error}.") from error
    problems.settle()
    return rows


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error}.", expected="the list of the images") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"Line {line} of '{path}' is not UTF-8.", expected="UTF-8 text with a header", next_step="save it as UTF-8"
        ) from error


def _row(fields: dict[str, str | None], line: int, path: Path) -> _Row:
    problems = Collector()
    name = (fields["img_filename"] or "").strip()
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or "\0" in name:
        problems.add(
            DataError(
                f"Line {line} of '{path}' has the img_filename '{name}'.",
                expected="the path of a picture inside the folder",
            )
        )
    meanings = {"y": WaterBirds.classes, "split": SPLITS, "place": WaterBirds.values}
    numbers: dict[str, int] = {}
    for column, names in meanings.items():
        value = (fields[column] or "").strip()
        if value in [str(number) for number in range(len(names))]:
            numbers[column] = int(value)
            continue
        shown = ", ".join(f"{number} ({word})" for number, word in enumerate(names))
        problems.add(DataError(f"Line {line} of '{path}' has {column} '{value}'.", expected=f"{column}: {shown}"))
    problems.settle()
    return _Row(parts.as_posix(), line, numbers["y"], numbers["split"], numbers["place"])
