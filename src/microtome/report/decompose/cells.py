"""Tables and pictures as the templates want them: cells with a text and a value to sort by; tiles with their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from microtome.report import words
from microtome.report.decompose.view import Row

SPRITE_COLUMNS = 12
FIRST = 12
"""Rows of a long table that stand open."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text:
        What stands in it.
    value:
        What it is sorted by; None: last.
    num:
        Whether it is a number, so it stands to the right.
    href:
        Where it leads; empty: nowhere.
    bar, notch:
        Share of the full width of a bar, and of a mark for chance on it; None: none.
    quiet:
        Whether it is said in a low voice.
    """

    text: str
    value: Any = None
    num: bool = False
    href: str = ""
    bar: float | None = None
    notch: float | None = None
    quiet: bool = False

    @property
    def sorts(self) -> str:
        """The value as an attribute; empty where there is none."""
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True)
class Sheet:
    """A table that can be sorted, and searched where it is long.

    Attributes
    ----------
    name:
        Its id in the page.
    caption:
        What it shows, for those who cannot see it.
    columns:
        Title of each column, and whether it holds numbers.
    rows:
        Cells; the first of a row names it.
    most:
        Rows that stand open; the rest comes on demand.
    """

    name: str
    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    most: int = FIRST


def number(text: str, value: words.Number | None, *, whole: float | None = None, notch: float | None = None) -> Cell:
    """A cell of a number, with a bar where the full width is known."""
    part = None if value is None or not whole else min(max(value / whole, 0.0), 1.0)
    mark = None if notch is None or not whole else min(max(notch / whole, 0.0), 1.0)
    return Cell(text, value, num=True, bar=part, notch=mark)


def share(value: words.Number | None, *, whole: float | None = None, notch: float | None = None) -> Cell:
    """A cell of a share in percent."""
    return number(words.share(value), value, whole=whole, notch=notch)


def score(value: words.Number | None, *, digits: int = 2) -> Cell:
    """A cell of a score."""
    return number(words.signed(value, digits=digits) if value is not None and value < 0 else
                  words.number(value, digits=digits), value)  # fmt: skip


def figures(*items: tuple[str, str, Any, str]) -> list[dict[str, Any]]:
    """Large numbers below an answer; those that are not known are left out.

    Parameters
    ----------
    items:
        What it is, its word of the glossary (may be empty), the value, and what follows it in small.
    """
    names = ("what", "term", "value", "of")
    return [dict(zip(names, item, strict=True)) for item in items if item[2] not in (None, words.MISSING)]


def tile(row: Row, *, root: str, alt: str, heat_alt: str, caption: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """One picture of a sheet, and beside it where the part looks, or the picture after a change.

    Parameters
    ----------
    row:
        Of a table with `sprite`, `tile` and maybe `heat_tile`, or `tile_after` for a picture after a change.
    root:
        From the page to the run folder.
    alt, heat_alt:
        What the picture and the heatmap show, in words.
    caption:
        (what, text) of the lines below it.
    """
    second = row.get("tile_after") if row.get("heat_tile") is None else row["heat_tile"]
    return {
        "sprite": root + quote(row["sprite"]),
        "place": divmod(int(row["tile"]), SPRITE_COLUMNS),
        "heat": None if second is None else divmod(int(second), SPRITE_COLUMNS),
        "alt": alt,
        "heat_alt": heat_alt,
        "caption": [(what, text) for what, text in caption if text],
    }
