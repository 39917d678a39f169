"""ADE20K as released: `NAME.jpg`, `NAME_seg.png`, `NAME_parts_1.png` ... side by side in any sub-folder.

Source: Zhou et al., Semantic understanding of scenes through the ADE20K dataset, IJCV 2019, and its read-me:
in every label picture the class is R // 10 * 256 + G (B numbers the instances), 0 where nobody annotated;
`_seg` holds objects, `_parts_N` the parts of level N. Names come, safely, from one of

- `NAME.json` beside each image (release of 2021: `name`, `name_ndx`, `part_level`),
- `index_ade20k.mat` (release of 2017: `objectnames`),
- a class list of your own (`classes.json` or `.csv`: index, name; category `object` or `part`).

`index_ade20k.pkl` is never read: unpickling runs code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from microtome.core.concept import Concept, unique_concepts
from microtome.core.errors import DataError, nearest
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.files import (
    existing_folder,
    name_and_sizes,
    read_channels,
    read_json,
    read_rgb,
    require_same_size,
    walk_files,
)
from microtome.data.labels import LabelTable, label_table, read_class_list
from microtome.data.problems import Collector

OBJECT, PART = "object", "part"

CLASS_FILES = ("classes.json", "classes.csv")

_Names = dict[str, dict[int, str]]
"""category -> class number -> name."""


class _Files(NamedTuple):
    key: str
    image: Path
    objects: Path
    parts: tuple[Path, ...]


def is_ade20k(root: Path) -> bool:
    """Whether some file below a folder ends in `_seg.png`."""
    return any(path.name.endswith("_seg.png") for path in walk_files(root))


class Ade20k(ImageData):
    """Images with an object plane and a plane for each level of parts.

    Pixels that no object covers are unannotated and dropped. Images without a file of parts do not label
    parts.

    Parameters
    ----------
    root:
        Any folder above the images.
    split:
        Keep the images below a sub-folder of this name alone (ADE20K: `training`, `validation`).
    """

    def __init__(self, root: Path, *, split: str | None = None) -> None:
        self._root = existing_folder(root)
        self._files = _find(root, split)
        names = _names(root, self._files)
        self.concepts, self._tables = _tables(names)
        notes = ["Pixels that no object covers are unannotated and dropped."]
        bare = sum(not files.parts for files in self._files)
        if bare:
            notes.append(f"Parts are not labelled in {bare} of {len(self)} images and count as absent there.")
        name = root.resolve().name if split is None else f"{root.resolve().name}/{split}"
        self.card = DataCard(name=name, reader="ade20k", source=str(root), notes=tuple(notes))

    def __len__(self) -> int:
        return len(self._files)

    def key(self, index: int) -> str:
        return self._files[index].key

    def labels(self, index: int) -> frozenset[str]:
        return frozenset({OBJECT, PART} if self._files[index].parts else {OBJECT})

    def read(self, index: int) -> LabelledImage:
        files = self._files[index]
        problems = Collector()
        pixels = problems.attempt(lambda: read_rgb(files.image))
        planes: list[np.ndarray] = []
        void: np.ndarray | None = None
        for level, path in enumerate((files.objects, *files.parts)):
            coded = problems.attempt(lambda path=path: read_channels(path))
            if coded is None:
                continue
            if pixels is not None:
                names = {"image_name": str(files.image), "label_name": str(path)}
                problems.attempt(lambda coded=coded, names=names: require_same_size(pixels.shape, coded.shape, **names))
            numbers = (coded[..., 0] // 10).astype(np.int32) * 256 + coded[..., 1]
            table = self._tables[PART if level else OBJECT]
            labelled = problems.attempt(lambda n=numbers, t=table, p=path: t.apply(n, file=str(p)))
            if labelled is not None:
                planes.append(labelled[0])
                void = numbers == 0 if level == 0 else void
        problems.settle()
        assert pixels is not None
        assert void is not None
        return LabelledImage(files.key, pixels, np.stack(planes), void=void if void.any() else None)

    def fingerprint(self) -> str:
        files = [path for row in self._files for path in (row.image, row.objects, *row.parts)]
        tables = [table.values.tolist() for table in self._tables.values()]
        return hash_of(["ade20k", self.concepts, tables, *name_and_sizes(files, self._root)])


def _find(root: Path, split: str | None) -> list[_Files]:
    by_name = {path.relative_to(root).as_posix(): path for path in walk_files(root)}
    rows: list[_Files] = []
    for name, path in by_name.items():
        if path.suffix.lower() not in (".jpg", ".jpeg"):
            continue
        stem = path.relative_to(root).with_suffix("").as_posix()
        parts: list[Path] = []
        while f"{stem}_parts_{len(parts) + 1}.png" in by_name:
            parts.append(by_name[f"{stem}_parts_{len(parts) + 1}.png"])
        rows.append(_Files(name, path, path.with_name(f"{path.stem}_seg.png"), tuple(parts)))
    if split is not None:
        inside = [row for row in rows if split in Path(row.key).parent.parts]
        if not inside:
            valid = sorted({part for row in rows for part in Path(row.key).parent.parts})
            known = f", such as {nearest(split, valid)}" if valid else ""
            raise DataError(f"'{root}' has no part '{split}'.", expected=f"a sub-folder of that name{known}")
        rows = inside
    if not rows:
        raise DataError(f"There is no image in '{root}'.", expected="NAME.jpg beside NAME_seg.png")
    return rows


def _names(root: Path, rows: list[_Files]) -> _Names:
    for folder in (root, root.resolve().parent):
        for name in CLASS_FILES:
            if (folder / name).is_file():
                return _names_of_list(folder / name)
    described = [row.image.with_suffix(".json") for row in rows]
    described = [path for path in described if path.is_file()]
    if described:
        return _names_of_json(described)
    matlab = next((path for path in walk_files(root) if path.name == "index_ade20k.mat"), None)
    if matlab is not None:
        return _names_of_matlab(matlab)
    raise DataError(
        f"'{root}' has ADE20K label pictures but no names for them.",
        expected="NAME.json beside each image, index_ade20k.mat, or classes.csv (index,name,category)",
        next_step="copy the files of the release beside the images; index_ade20k.pkl is not read, for safety",
    )


def _names_of_list(path: Path) -> _Names:
    listed = read_class_list(path).names
    found: _Names = {OBJECT: {}, PART: {}}
    for index, entry in listed.items():
        if entry is None:
            continue
        name, category = entry
        if category not in found:
            raise DataError(f"'{path}' has the category '{category}'.", expected="object or part")
        found[category][index] = name
    return found


def _names_of_json(paths: Iterable[Path]) -> _Names:
    found: _Names = {OBJECT: {}, PART: {}}
    problems = Collector()
    for path in paths:
        entries = problems.attempt(lambda path=path: list(_objects_of(path)))
        for number, name, level in entries or ():
            found[PART if level else OBJECT][number] = name
    problems.settle()
    return found


def _objects_of(path: Path) -> Iterator[tuple[int, str, int]]:
    """(class number, name, part level) of every annotated thing of an image."""
    content: Any = read_json(path)
    try:
        for entry in content["annotation"]["object"]:
            yield int(entry["name_ndx"]), str(entry["name"]), int(entry["parts"]["part_level"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"'{path}' is no ADE20K annotation ({type(error).__name__}: {error}).",
            expected="annotation.object[] with name, name_ndx and parts.part_level",
        ) from error


def _names_of_matlab(path: Path) -> _Names:
    # scipy reads numbers and text from MATLAB files and executes nothing.
    from scipy.io import loadmat

    try:
        index = loadmat(str(path), squeeze_me=True)["index"]
        names = [str(name) for name in np.atleast_1d(index["objectnames"][()])]
        share = np.atleast_1d(index["proportionClassIsPart"][()]).astype(float)
    except (OSError, KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        raise DataError(
            f"'{path}' cannot be read ({type(error).__name__}: {error}).",
            expected="index with objectnames and proportionClassIsPart",
        ) from error
    if len(names) != len(share):
        raise DataError(f"'{path}' has {len(names)} names and {len(share)} proportions.", expected="one each")
    numbered = list(enumerate(names, start=1))
    return {
        OBJECT: {number: name for number, name in numbered if not share[number - 1] >= 1},
        PART: {number: name for number, name in numbered if share[number - 1] > 0},
    }


def _tables(names: _Names) -> tuple[tuple[Concept, ...], dict[str, LabelTable]]:
    """Concepts (objects, then parts, by class number) and a label table for each category."""
    pairs: list[tuple[str, str]] = []
    tables: dict[str, LabelTable] = {}
    for category in (OBJECT, PART):
        numbered = sorted(names[category].items())
        # Names list synonyms (`car, auto, automobile`): the first is enough unless another class has it too.
        short = Counter(name.split(",")[0].strip() for _, name in numbered)
        values: dict[int, int] = {0: 0}
        for number, name in numbered:
            first = name.split(",")[0].strip()
            pairs.append((first if short[first] == 1 else name, category))
            values[number] = len(pairs)
        tables[category] = label_table(values)
    if not pairs:
        raise DataError("The ADE20K names are empty.", expected="at least one object or part")
    return unique_concepts(pairs), tables
