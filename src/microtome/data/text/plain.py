"""Plain text: one text a paragraph, or one a line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from microtome.data.problems import Collector
from microtome.data.text.rows import ONE_SIDE, TextRow, TextRows, checked_text, file_lines, finished


def is_plain(path: Path, first: str) -> bool:
    """Whether a file is plain text, by its suffix."""
    return path.suffix.lower() in {".txt", ".md"}


def read_plain(path: Path, *, by: Literal["paragraph", "line"] = "paragraph") -> TextRows:
    """Texts of a file without labels.

    Parameters
    ----------
    path:
        The file.
    by:
        A text is a paragraph (blank lines between; line ends stay in it) or a line (blank ones left out).

    Raises
    ------
    DataError
        With all problems of the file, each with its line: no UTF-8, a line of over 20,000 characters.
    """
    problems = Collector()
    blocks: list[tuple[int, list[str]]] = []
    fresh = True
    for line, text in file_lines(path, problems):
        if not text.strip():
            fresh = True
            continue
        problems.attempt(lambda line=line, text=text: checked_text(text, path=path, line=line, side="line"))
        if fresh or by == "line":
            blocks.append((line, []))
        blocks[-1][1].append(text.rstrip())
        fresh = False
    rows = [TextRow(f"{line:06d}", ("\n".join(texts),), None, line) for line, texts in blocks]
    return finished(rows, path=path, reader="plain", sides=ONE_SIDE, valid=(), problems=problems)
