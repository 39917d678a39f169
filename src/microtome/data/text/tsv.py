"""Tab-separated text with a header: premise, hypothesis, label; sentence1, sentence2, label; or text, label."""

from __future__ import annotations

from pathlib import Path

from microtome.core.errors import DataError
from microtome.data.problems import Collector
from microtome.data.text.jsonl import text_columns
from microtome.data.text.rows import (
    ID_COLUMNS,
    LABEL_COLUMNS,
    TextRow,
    TextRows,
    default_classes,
    dropped_note,
    fault,
    file_lines,
    finished,
    row_of,
)


def is_tsv(path: Path, first: str) -> bool:
    """Whether a file is tab-separated with a header: by its suffix, or known column names on its first line."""
    known = {"premise", "hypothesis", "sentence1", "sentence2", "text", "sentence"}
    return path.suffix.lower() == ".tsv" or ("\t" in first and not known.isdisjoint(first.split("\t")))


def read_tsv(path: Path, labels: tuple[str, ...] = (), *, reader: str = "tsv") -> TextRows:
    """Rows of a tab-separated file. Quotes are ordinary characters.

    Parameters
    ----------
    path:
        The file.
    labels:
        Labels that may occur. Default: entailment, neutral, contradiction for pairs, any for single texts.
    reader:
        Name on the card.

    Raises
    ------
    DataError
        With all problems of the file, each with its line; without a column of texts.
    """
    problems = Collector()
    lines = file_lines(path, problems)
    number, first = next(lines, (0, ""))
    if number != 1:
        problems.settle()
        raise DataError(f"'{path}' has no header.", expected="the names of the columns, with tabs between")
    header = [name.strip() for name in first.split("\t")]
    if len(set(header)) < len(header):
        raise fault(path, 1, "a column name stands twice.", expected="each column once")
    sides = text_columns(header, f"{path}, line 1")
    side_names = tuple(side for _, side in sides)
    valid = default_classes(side_names, labels)
    label_column = next((name for name in LABEL_COLUMNS if name in header), None)
    id_column = next((name for name in ID_COLUMNS if name in header), None)
    rows: list[TextRow] = []
    dropped = 0
    for line, text in lines:
        if not text.strip():
            continue
        values = text.split("\t")
        if len(values) != len(header):
            what = f"{len(values)} columns."
            problems.add(fault(path, line, what, expected=f"{len(header)} columns with tabs between, as in the header"))
            continue
        row, lacks_gold = row_of(
            dict(zip(header, values, strict=True)).get,
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
    return finished(rows, path=path, reader=reader, sides=side_names, valid=valid, problems=problems, notes=notes)
