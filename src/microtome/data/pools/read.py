"""Open a text pool: one of ours by its name, or a file with one text a line."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from microtome.core.errors import DataError, nearest
from microtome.data.pools.base import TextPool
from microtome.data.pools.general import general_pool
from microtome.data.pools.world import world_pool
from microtome.data.problems import Collector
from microtome.data.text.rows import fault, file_lines

POOLS: dict[str, Callable[[], TextPool]] = {"general": general_pool, "world": world_pool}
"""Name -> pool of ours. `open_pool` takes these names before it looks for a file."""

_COMMENT = "#"
_SHOWN = 60
_FORM = "`text` or `text TAB property` on a line"


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    kind: str


def open_pool(spec: str | Path) -> TextPool:
    """The pool that a spec names.

    Parameters
    ----------
    spec:
        `general`, `world`, or the path of a file as `read_pool` takes it. A file of one of these names is `./general`.

    Raises
    ------
    DataError
        For a name that is neither a pool nor a file, and for a file that `read_pool` refuses.
    """
    if isinstance(spec, str) and spec in POOLS:
        return POOLS[spec]()
    if not os.path.exists(spec):
        raise DataError(
            f"There is no text pool '{str(spec)[:_SHOWN]}', and no file of that name.",
            expected=f"one of {', '.join(POOLS)}, or a file with one text a line",
            next_step=f"did you mean {nearest(str(spec), POOLS, most=1)}? A relative path starts at the current folder",
        )
    return read_pool(Path(spec))


def read_pool(path: Path) -> TextPool:
    """The pool in a file: one text a line, or `text TAB property`.

    Runs of white space become one blank. Blank lines and lines that start with `#` are skipped. A text that comes again
    with the same property is dropped, and a note counts how many were.

    Parameters
    ----------
    path:
        A file in UTF-8, with or without byte order mark.

    Raises
    ------
    DataError
        With all problems, each with file and line: a file that is missing or holds no text, a line that is not UTF-8
        or has more than two columns, a property without a text, a control character, properties on some lines alone,
        and a text with two properties.
    """
    problems = Collector()
    lines = list(_lines(path, problems))
    _check_column(path, lines, problems)
    kept, repeated = _without_repeats(path, lines, problems)
    problems.settle()
    if not kept:
        raise DataError(
            f"'{path}' holds no text, only blank lines and lines that start with '{_COMMENT}'.",
            expected=f"at least one text: {_FORM}",
        )
    notes = (*_repeat_note(repeated), *_case_notes(kept))
    return TextPool(path.name, tuple(line.text for line in kept), tuple(line.kind for line in kept), notes)


def _lines(path: Path, problems: Collector) -> Iterator[_Line]:
    for number, raw in file_lines(path, problems):
        if not raw.strip() or raw.lstrip().startswith(_COMMENT):
            continue
        columns = [" ".join(column.split()) for column in raw.split("\t")]
        problem = _problem(columns)
        if problem:
            problems.add(fault(path, number, problem, expected=_FORM))
        else:
            yield _Line(number, columns[0], columns[1] if len(columns) > 1 else "")


def _problem(columns: list[str]) -> str:
    """What is wrong with one line, or ""."""
    if len(columns) > 2:
        return f"{len(columns)} columns."
    if not columns[0]:
        return f"the text is empty, its property is '{columns[1][:_SHOWN]}'."
    control = next((mark for column in columns for mark in column if unicodedata.category(mark) == "Cc"), None)
    return f"a control character (0x{ord(control):02x})." if control is not None else ""


def _check_column(path: Path, lines: list[_Line], problems: Collector) -> None:
    """Add a problem where some lines have a property and some have none."""
    bare = [line for line in lines if not line.kind]
    if bare and len(bare) < len(lines):
        first = bare[0]
        problems.add(
            fault(
                path,
                first.number,
                f"'{first.text[:_SHOWN]}' has no property; {len(lines) - len(bare)} of {len(lines)} texts have one.",
                expected="a property for every text, or for none",
                next_step="put a tab and a property behind each text, or take the column away",
            )
        )


def _without_repeats(path: Path, lines: list[_Line], problems: Collector) -> tuple[list[_Line], int]:
    """Lines with a text that was not there before, and how many were left out."""
    first: dict[str, _Line] = {}
    repeated = 0
    for line in lines:
        known = first.setdefault(line.text, line)
        repeated += known is not line
        if known.kind != line.kind and known.kind and line.kind:
            problems.add(
                fault(
                    path,
                    line.number,
                    f"'{line.text[:_SHOWN]}' is '{line.kind}' here, but '{known.kind}' on line {known.number}.",
                    expected="one property for a text",
                    next_step="keep one of the two lines",
                )
            )
    return list(first.values()), repeated


def _repeat_note(repeated: int) -> tuple[str, ...]:
    if not repeated:
        return ()
    lines, were = ("lines", "were") if repeated > 1 else ("line", "was")
    return (f"{repeated} {lines} with a text that came before {were} left out.",)


def _case_notes(kept: list[_Line]) -> Iterator[str]:
    """A note for properties that differ in case alone: they count as two."""
    by_fold: dict[str, dict[str, None]] = {}
    for line in kept:
        by_fold.setdefault(line.kind.casefold(), {})[line.kind] = None
    for names in by_fold.values():
        if len(names) > 1:
            yield f"The properties {' and '.join(repr(name) for name in names)} differ in case alone and count apart."
