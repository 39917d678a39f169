"""One JSON object a line: SNLI and MNLI as published, {"premise", "hypothesis", "label"}, or {"text", "label"}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microtome.core.errors import DataError
from microtome.data.problems import Collector
from microtome.data.text.rows import (
    ID_COLUMNS,
    LABEL_COLUMNS,
    ONE_SIDE,
    PAIR_COLUMNS,
    PAIR_SIDES,
    TEXT_COLUMNS,
    TextRow,
    TextRows,
    default_classes,
    dropped_note,
    fault,
    file_lines,
    finished,
    row_of,
)


def is_jsonl(path: Path, first: str) -> bool:
    """Whether a file holds JSON lines: by its suffix or its first character."""
    return path.suffix.lower() in {".jsonl", ".ndjson"} or first.lstrip().startswith("{")


def read_jsonl(path: Path, labels: tuple[str, ...] = ()) -> TextRows:
    """Rows of a file of JSON lines.

    Parameters
    ----------
    path:
        The file.
    labels:
        Labels that may occur. Default: entailment, neutral, contradiction for pairs, any for single texts.

    Raises
    ------
    DataError
        With all problems of the file, each with its line.
    """
    problems = Collector()
    parsed = [
        (line, found) for line, text in file_lines(path, problems) if (found := _parsed(path, line, text, problems))
    ]
    if not parsed:
        problems.settle()
        raise DataError(f"'{path}' holds no JSON object.", expected='lines like {"premise": ..., "hypothesis": ...}')
    names = list(dict.fromkeys(name for _, found in parsed[:100] for name in found))
    sides = text_columns(names, str(path))
    side_names = tuple(side for _, side in sides)
    label_column = next((name for name in LABEL_COLUMNS if name in names), None)
    id_column = next((name for name in ID_COLUMNS if name in names), None)
    valid = default_classes(side_names, labels)
    rows: list[TextRow] = []
    dropped = 0
    for line, found in parsed:
        row, lacks_gold = row_of(
            found.get,
            sides,
            label_column=label_column,
            id_column=id_column,
            valid=valid,
            path=path,
            line=line,
            problems=problems,
        )
        dropped += lacks_gold
        if row is not None:
            rows.append(row)
    notes = dropped_note(dropped)
    return finished(rows, path=path, reader="jsonl", sides=side_names, valid=valid, problems=problems, notes=notes)


def text_columns(names: list[str], where: str) -> tuple[tuple[str, str], ...]:
    """(column, side) of a pair or of a single text among column names. Raises DataError when neither is there.

    One column of a known pair is enough, so that the rows can name the side that is missing.
    """
    for pair in PAIR_COLUMNS:
        if all(name in names for name in pair):
            return tuple(zip(pair, PAIR_SIDES, strict=True))
    for name in TEXT_COLUMNS:
        if name in names:
            return ((name, ONE_SIDE[0]),)
    for pair in PAIR_COLUMNS:
        if any(name in names for name in pair):
            return tuple(zip(pair, PAIR_SIDES, strict=True))
    raise DataError(
        f"'{where}' has no column of texts: {', '.join(names) or 'there is none'}.",
        expected="premise and hypothesis, sentence1 and sentence2, or text or sentence",
        next_step="rename the columns",
    )


def _parsed(path: Path, line: int, text: str, problems: Collector) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        problems.add(fault(path, line, f"this is no JSON: {error}.", expected="one JSON object a line"))
        return None
    if not isinstance(found, dict):
        problems.add(fault(path, line, f"this is a JSON {type(found).__name__}.", expected="one JSON object a line"))
        return None
    if not found:
        problems.add(fault(path, line, "the object is empty.", expected="texts and a label"))
    return found or None
