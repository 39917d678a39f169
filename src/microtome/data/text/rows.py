"""Rows of a text file before any concept: texts, label and the line they came from; checks that readers share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from microtome.core.errors import DataError, nearest
from microtome.data.problems import Collector
from microtome.data.text.base import Word

NLI_CLASSES = ("entailment", "neutral", "contradiction")
PAIR_SIDES, ONE_SIDE = ("premise", "hypothesis"), ("text",)
PAIR_COLUMNS = (("premise", "hypothesis"), ("sentence1", "sentence2"))
TEXT_COLUMNS = ("text", "sentence")
LABEL_COLUMNS = ("gold_label", "label")
ID_COLUMNS = ("pairID", "id", "key")
NO_GOLD = "-"
LONGEST_SENTENCE = 20_000


@dataclass(frozen=True)
class TextRow:
    """One item as its file gives it.

    Attributes
    ----------
    key:
        Stable name: the file's own id, else the line number.
    texts:
        One text a side.
    label:
        The label as written, or None.
    line:
        Line of the file, from 1.
    words:
        Gold words of each side, or None where the file has bare text.
    """

    key: str
    texts: tuple[str, ...]
    label: str | None
    line: int
    words: tuple[tuple[Word, ...], ...] | None = None


@dataclass(frozen=True)
class TextRows:
    """What a reader gives.

    Attributes
    ----------
    rows:
        In the order of the file.
    sides:
        ("premise", "hypothesis") or ("text",).
    classes:
        Every label that a row may have; () where nothing is labelled.
    reader:
        Name of the reader.
    source:
        Path or name.
    digest:
        Hash of the bytes, or of whatever decides the rows.
    notes:
        What the card must say: rows dropped, and why.
    """

    rows: tuple[TextRow, ...]
    sides: tuple[str, ...]
    classes: tuple[str, ...]
    reader: str
    source: str
    digest: str
    notes: tuple[str, ...] = ()


def fault(path: Path | str, line: int, what: str, *, expected: str = "", next_step: str = "") -> DataError:
    """An error about one line of a file."""
    return DataError(f"{path}, line {line}: {what}", expected=expected, next_step=next_step)


def existing_file(path: Path) -> Path:
    """The path itself. Raises DataError when it is missing or a folder."""
    if not path.exists():
        raise DataError(
            f"The file '{path}' does not exist.",
            expected="a file of texts",
            next_step="check the path; a relative path starts at the current folder",
        )
    if path.is_dir():
        raise DataError(f"'{path}' is a folder.", expected="a file of texts", next_step="name a file in it")
    return path


def file_lines(path: Path, problems: Collector) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file without their ends; a line that is no UTF-8 becomes a problem and is left out.

    Parameters
    ----------
    path:
        The file; a byte order mark at its start is skipped.
    problems:
        Where the problems go.

    Raises
    ------
    DataError
        When the file is missing, cannot be read, or is empty.
    """
    blank = True
    try:
        with existing_file(path).open("rb") as file:
            for number, raw in enumerate(file, start=1):
                line = (raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).removesuffix(b"\n")
                blank = blank and not line.strip()
                text = _decoded(line.removesuffix(b"\r"), path, number, problems)
                if text is not None:
                    yield number, text
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error}") from error
    if blank:
        raise DataError(f"'{path}' is empty.", expected="at least one text")


def _decoded(line: bytes, path: Path, number: int, problems: Collector) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.add(
            fault(
                path,
                number,
                f"byte {error.start + 1} of the line is no UTF-8 (0x{line[error.start]:02x}).",
                expected="a file in UTF-8",
                next_step="convert it: iconv -f LATIN1 -t UTF-8 FILE",
            )
        )
    return None


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, first 16 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def checked_text(value: object, *, path: Path | str, line: int, side: str, strip: bool = True) -> str:
    """A side's text, checked.

    Parameters
    ----------
    value:
        What the file holds.
    path, line, side:
        For the message.
    strip:
        Drop white space at both ends.

    Raises
    ------
    DataError
        When it is missing, no text, empty, over 20,000 characters, or holds half a surrogate pair.
    """
    if value is None:
        raise fault(path, line, f"the {side} is missing.", expected=f"a {side} in every row")
    if not isinstance(value, str):
        raise fault(path, line, f"the {side} is {type(value).__name__}, no text.", expected="text")
    text = value.strip() if strip else value
    if not text.strip():
        raise fault(path, line, f"the {side} is empty.", expected="at least one word", next_step="drop the row")
    if len(text) > LONGEST_SENTENCE:
        raise fault(
            path,
            line,
            f"the {side} has {len(text):,} characters.",
            expected=f"at most {LONGEST_SENTENCE:,}",
            next_step="cut it, or drop the row",
        )
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise fault(path, line, f"the {side} holds half a surrogate pair.", expected="text that UTF-8 can write")
    return text


def unique_keys(rows: Iterable[TextRow], path: Path | str, problems: Collector) -> None:
    """Every key that comes twice is a problem."""
    seen: dict[str, int] = {}
    for row in rows:
        if row.key in seen:
            problems.add(
                fault(
                    path,
                    row.line,
                    f"the id '{row.key}' stands on line {seen[row.key]} already.",
                    expected="each id once",
                    next_step="drop the copy, or leave out the id column",
                )
            )
        else:
            seen[row.key] = row.line


def default_classes(sides: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that a file may have: as asked, else the three of inference for pairs; () = any."""
    return asked or (NLI_CLASSES if len(sides) == 2 else ())


def known_label(label: str, valid: tuple[str, ...], *, path: Path | str, line: int) -> str:
    """The label itself. Raises DataError naming it when it is not among the valid ones (() = any is)."""
    if valid and label not in valid:
        raise fault(
            path,
            line,
            f"the label '{label}' is unknown.",
            expected=f"one of {', '.join(valid)}",
            next_step=f"did you mean {nearest(label, valid, most=1)}? or name the labels: '{path}?labels=a,b'",
        )
    return label


def classes_of(rows: Sequence[TextRow], valid: tuple[str, ...]) -> tuple[str, ...]:
    """Class names: the valid ones in their order, else those that occur, numbers by size and words by name."""
    found = {row.label for row in rows if row.label is not None}
    if not found or valid:
        return valid if found else ()
    if all(label.isdecimal() for label in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found))


def labelled_throughout(rows: Sequence[TextRow], path: Path | str, problems: Collector) -> None:
    """Where any row has a label, a row without is a problem."""
    if any(row.label is not None for row in rows):
        for row in rows:
            if row.label is None:
                problems.add(fault(path, row.line, "the row has no label.", expected="a label in every row, or none"))


def finished(
    rows: list[TextRow],
    *,
    path: Path,
    reader: str,
    sides: tuple[str, ...],
    valid: tuple[str, ...],
    problems: Collector,
    notes: tuple[str, ...] = (),
) -> TextRows:
    """Check a file as a whole, raise every problem kept, and close the list.

    Raises
    ------
    DataError
        With all problems (the first 20 in words); also when no row is left.
    """
    unique_keys(rows, path, problems)
    labelled_throughout(rows, path, problems)
    problems.settle()
    if not rows:
        raise DataError(f"'{path}' has no text that can be used.", expected="at least one row")
    return TextRows(tuple(rows), sides, classes_of(rows, valid), reader, str(path), digest_of(path), notes)


def dropped_note(count: int) -> tuple[str, ...]:
    """The card's note on rows without a gold label."""
    return (f"{count:,} rows without a gold label ('{NO_GOLD}') dropped.",) if count else ()


def row_of(
    fields: Callable[[str], object],
    sides: tuple[tuple[str, str], ...],
    *,
    label_column: str | None,
    id_column: str | None,
    valid: tuple[str, ...],
    path: Path,
    line: int,
    problems: Collector,
) -> tuple[TextRow | None, bool]:
    """One row of named fields.

    Parameters
    ----------
    fields:
        Column name to what the row holds there, None where nothing.
    sides:
        (column, name of the side) of each.
    label_column, id_column:
        Columns of the label and of the id, or None.
    valid:
        Labels that may occur; () = any.
    path, line, problems:
        For messages, and where they go.

    Returns
    -------
    The row, None where it has a problem or no gold label; and whether it was dropped for want of one.
    """
    label = None if label_column is None else fields(label_column)
    if label == NO_GOLD:
        return None, True
    texts = [
        problems.attempt(lambda column=column, side=side: checked_text(fields(column), path=path, line=line, side=side))
        for column, side in sides
    ]
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if label is not None:
        text = problems.attempt(lambda: checked_text(label, path=path, line=line, side="label"))
        label = None if text is None else problems.attempt(lambda: known_label(text, valid, path=path, line=line))
        if label is None:
            return None, False
    if any(text is None for text in texts):
        return None, False
    given = None if id_column is None else fields(id_column)
    key = f"{line:06d}" if given is None or not str(given).strip() else str(given).strip()
    return TextRow(key, tuple(text for text in texts if text is not None), label, line), False
