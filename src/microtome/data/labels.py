"""Class lists (which name an index has) and the table that turns raw indices into label planes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Integer

from microtome.core.concept import Concept, unique_concepts
from microtome.core.errors import DataError
from microtome.data.files import read_json, read_rows
from microtome.data.problems import Collector

VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore"})
"""A class of this name is no concept: its pixels are dropped."""

EMPTY_NAMES = frozenset({"background", "__background__"})
"""A class of this name is no concept: its pixels have none of the concepts."""

MAX_INDEX = 1 << 24

_OUT_OF_RANGE, _VOID = -1, -2


@dataclass(frozen=True)
class ClassList:
    """Names of label indices.

    Attributes
    ----------
    names:
        index -> (name, category); None where the index means that no concept holds.
    void:
        Indices that mean that nobody annotated the pixel.
    """

    names: Mapping[int, tuple[str, str] | None]
    void: frozenset[int] = frozenset()


def class_list(entries: Iterable[tuple[int, str | None, str]], *, void: Iterable[int] = (), source: str) -> ClassList:
    """A checked class list from (index, name, category) entries.

    Parameters
    ----------
    entries:
        A name in `VOID_NAMES` makes its index void; `None` or a name in `EMPTY_NAMES` means "no concept".
    void:
        Further void indices; they win over a name.
    source:
        The file, for errors.

    Raises
    ------
    DataError
        With all problems at once: indices listed twice or out of range, empty and repeated names, no name.
    """
    names: dict[int, tuple[str, str] | None] = {}
    dropped = set(void)
    taken: dict[tuple[str, str], int] = {}
    problems = Collector()
    for index, name, category in entries:
        clean = None if name is None else " ".join(name.split())
        if not 0 <= index < MAX_INDEX:
            problems.add(DataError(f"Index {index} in '{source}' is out of range.", expected=f"0 to {MAX_INDEX - 1}"))
        elif index in names:
            problems.add(DataError(f"Index {index} is listed twice in '{source}'.", expected="one name an index"))
        elif clean == "":
            problems.add(DataError(f"Index {index} has an empty name in '{source}'.", expected="a name, or null"))
        elif clean is None or clean.lower() in EMPTY_NAMES:
            names[index] = None
        elif clean.lower() in VOID_NAMES or index in dropped:
            dropped.add(index)
        elif (clean, category) in taken:
            problems.add(
                DataError(
                    f"The name '{clean}' is both index {taken[clean, category]} and {index} in '{source}'.",
                    expected="one index for each concept",
                    next_step="merge the two or rename one",
                )
            )
        else:
            taken[clean, category] = index
            names[index] = (clean, category)
    if not taken:
        problems.add(DataError(f"'{source}' names no class.", expected="at least one concept"))
    problems.settle()
    return ClassList(names, frozenset(dropped))


def read_class_list(path: Path, *, category: str = "object", void: Iterable[int] = ()) -> ClassList:
    """A class list from a file.

    - JSON: `{"classes": ["sky", ...], "void": 11}`; `void` may be a list; an entry may be
      `{"name": "sky", "category": "stuff"}` or null; `category` at the top is everybody's default.
      A bare list and `{"0": "sky", ...}` (id2label) are read as well.
    - CSV with the columns `index,name` and, if you like, `category`.
    - TXT: one name a line, the first is index 0.

    Parameters
    ----------
    path:
        The file; its suffix decides the format.
    category:
        Category of classes that state none.
    void:
        Void indices beside those that the file declares.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _from_json(read_json(path), path=path, category=category, void=void)
    if suffix == ".csv":
        entries: list[tuple[int, str | None, str]] = []
        for row in read_rows(path, columns=("index", "name")):
            entries.append((_integer(row["index"], path), row["name"], row.get("category") or category))
        return class_list(entries, void=void, source=str(path))
    if suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"'{path}' cannot be read: {error}.", expected="one name a line") from error
        return class_list(((i, name, category) for i, name in enumerate(lines)), void=void, source=str(path))
    raise DataError(f"The class list '{path}' is of an unknown kind.", expected="a .json, .csv or .txt file")


def _from_json(content: Any, *, path: Path, category: str, void: Iterable[int]) -> ClassList:
    dropped = list(void)
    classes = content
    if isinstance(content, dict) and "classes" in content:
        classes = content["classes"]
        stated = content.get("void", [])
        dropped += [_integer(value, path) for value in (stated if isinstance(stated, list) else [stated])]
        category = content.get("category", category)
    if isinstance(classes, dict):
        items = [(_integer(key, path), value) for key, value in classes.items()]
    elif isinstance(classes, list):
        items = list(enumerate(classes))
    else:
        raise DataError(f"'{path}' holds no class list.", expected='{"classes": ["sky", ...], "void": 11}')
    entries: list[tuple[int, str | None, str]] = []
    for index, value in items:
        name, kind = value, category
        if isinstance(value, dict):
            name, kind = value.get("name"), value.get("category", category)
        if not isinstance(name, str | None) or not isinstance(kind, str):
            raise DataError(f"Class {index} of '{path}' is {value!r}.", expected="a name, or null")
        entries.append((index, name, kind))
    return class_list(entries, void=dropped, source=str(path))


def _integer(value: Any, path: Path) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"'{path}' has the index {value!r}.", expected="whole numbers from 0") from error


@dataclass(frozen=True)
class LabelTable:
    """Turns raw label indices into plane values (0 = none, k = `concepts[k - 1]`) and void."""

    values: Int[np.ndarray, "raw"]
    """Plane value of each raw index; -1 where the index means nothing, -2 where it is void."""

    def apply(
        self, raw: Integer[np.ndarray, "h w"], *, file: str
    ) -> tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
        """Plane int32 [h, w] and void bool [h, w] of raw labels. Raises DataError on an unknown index."""
        known = len(self.values)
        highest = int(raw.max(initial=0))
        plane = self.values[raw] if highest < known else self.values[np.minimum(raw, known - 1)]
        unknown = plane == _OUT_OF_RANGE
        if highest >= known:
            unknown |= raw >= known
        if unknown.any():
            bad = np.unique(raw[unknown])
            shown = ", ".join(str(value) for value in bad[:8]) + (" ..." if len(bad) > 8 else "")
            raise DataError(
                f"'{file}' holds the label index {shown}, which the class list does not name.",
                expected="every label index in the class list, or declared void",
                next_step="add it to the class list; if it marks unannotated pixels, declare it as `void`",
            )
        void = plane == _VOID
        plane[void] = 0
        return plane, void


def label_table(values: Mapping[int, int], *, void: Iterable[int] = ()) -> LabelTable:
    """The table of raw index -> plane value; void indices win."""
    dropped = list(void)
    table = np.full(max([*values, *dropped], default=0) + 1, _OUT_OF_RANGE, dtype=np.int32)
    for raw, value in values.items():
        table[raw] = value
    table[dropped] = _VOID
    return LabelTable(table)


def concepts_of(classes: ClassList) -> tuple[tuple[Concept, ...], LabelTable]:
    """Concepts of a class list, by rising index, and the table for its label pictures."""
    named = [(index, entry) for index, entry in sorted(classes.names.items()) if entry is not None]
    concepts = unique_concepts(entry for _, entry in named)
    values = {index: position + 1 for position, (index, _) in enumerate(named)}
    values |= {index: 0 for index, entry in classes.names.items() if entry is None}
    return concepts, label_table(values, void=classes.void)
