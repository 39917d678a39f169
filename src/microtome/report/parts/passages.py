"""Texts that a unit fires on: what the formula names is marked, activations are shown as a background."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microtome.report import words
from microtome.report.parts.common import holds
from microtome.report.view import RangeView, Row, RunView, UnitView

LEVELS = 5
FAINT = 0.1
"""Activations up to this share of the strongest are not shaded: nearly all tokens have some."""
BEFORE, AFTER = 48, 24
"""Tokens shown before and after the one that an exemplar is about."""

_SPACE = re.compile(r"([\n\r\t]+)")
_SIGNS = {"\n": "↵", "\r": "␍", "\t": "⇥"}


@dataclass(frozen=True)
class Piece:
    """A stretch of a text that is shown in one way.

    Attributes
    ----------
    text:
        As written.
    marked:
        Whether the formula names it.
    active:
        Whether the unit is over its threshold on it.
    level:
        How strong the activation is, 0 (none) to 5 (as strong as the unit gets).
    title:
        The activation in digits; empty where there is none to tell.
    """

    text: str
    marked: bool = False
    active: bool = False
    level: int = 0
    title: str = ""

    @property
    def bare(self) -> bool:
        """Whether it is shown as plain text."""
        return not (self.marked or self.active or self.level)

    @property
    def style(self) -> str:
        """Classes of the style sheet."""
        names = (f"heat-{self.level}" if self.level else "", "is-active" if self.active else "")
        return " ".join(name for name in names if name)

    @property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """The text, and among it signs (True) for what could not be seen: line ends, tabs, a space alone."""
        if not self.text.strip(" ") and not self.bare:
            return (("␣" * len(self.text) or "∅", True),)
        parts: list[tuple[str, bool]] = []
        for stretch in _SPACE.split(self.text):
            if _SPACE.fullmatch(stretch):
                parts.append(("".join(_SIGNS[sign] for sign in stretch), True))
                parts.append((stretch.replace("\r", ""), False))
            elif stretch:
                parts.append((stretch, False))
        return tuple(parts)


def passages(view: RunView, unit: UnitView, ranged: RangeView, kind: str) -> list[Mapping[str, Any]]:
    """The exemplars of one kind as the passage macro wants them, in order of rank."""
    texts = _texts(ranged, kind)
    rows = sorted((row for row in ranged.exemplars if row["kind"] == kind), key=lambda row: row["rank"])
    return [_passage(view, unit, ranged, row, texts[row["rank"]]) for row in rows if row["rank"] in texts]


def excerpt(unit: UnitView, ranged: RangeView, *, most: int = 90) -> list[tuple[str, list[Piece]]]:
    """The unit's top exemplar, cut around what matters in it, for its card: sides and their pieces; may be empty.

    Parameters
    ----------
    most:
        About so many characters of each side are kept.
    """
    texts = _texts(ranged, "top")
    if not texts:
        return []
    return [(side["side"], _cut(_pieces(side, _top(unit)), most)) for side in texts[min(texts)]]


def _texts(ranged: RangeView, kind: str) -> dict[int, list[Row]]:
    """Sides of the passages of one kind, by rank, as the table has them in order."""
    texts: dict[int, list[Row]] = {}
    for row in ranged.passages:
        if row["kind"] == kind:
            texts.setdefault(row["rank"], []).append(row)
    return texts


def _top(unit: UnitView) -> float:
    """The strongest activation of the unit: all its passages share one scale."""
    return max((ranged.row["max"] or 0.0 for ranged in unit.ranges), default=0.0)


def _passage(view: RunView, unit: UnitView, ranged: RangeView, row: Row, sides: Sequence[Row]) -> Mapping[str, Any]:
    shown, seen = [], []
    for side in sides:
        pieces, left, right = _around(_pieces(side, _top(unit)), row["col"] if view.nouns.tokens else None)
        seen += pieces
        shown.append({"name": side["side"], "pieces": _joined(pieces), "left": left, "right": right})
    return {
        "key": row["image"],
        "value": words.activation(row["value"]),
        "at": _peak(row, sides) if view.nouns.tokens else "",
        "split": row["split"],
        "holds": holds(view, ranged, row),
        "label": row["label"],
        "predicted": row["predicted"],
        "right": row["right"],
        "sides": shown,
        "told": _told(seen),
    }


def _pieces(side: Row, top: float) -> list[Piece]:
    texts = side["pieces"]
    marked, active = _padded(side["marked"], len(texts)), _padded(side["active"], len(texts))
    values = list(side["values"] or ()) or [None] * len(texts)
    pieces = []
    for text, mark, fires, value in zip(texts, marked, active, values, strict=False):
        number = value if value is not None and math.isfinite(value) else None
        title = "" if number is None else f"activation {words.activation(number)}"
        pieces.append(Piece(text, bool(mark), bool(fires), _level(number, top), title))
    return pieces


def _padded(flags: Sequence[bool] | None, many: int) -> list[bool]:
    flags = list(flags or ())
    return flags + [False] * (many - len(flags))


def _level(value: float | None, top: float) -> int:
    """0 where the unit is silent or nearly so, else 1 to 5."""
    if value is None or top <= 0 or value <= FAINT * top:
        return 0
    return min(LEVELS, max(1, math.ceil(LEVELS * value / top)))


def _around(pieces: list[Piece], place: int | None) -> tuple[list[Piece], int, int]:
    """The pieces about one place, and how many were left off before and after."""
    if place is None:
        return pieces, 0, 0
    start, stop = max(0, place - BEFORE), min(len(pieces), place + AFTER + 1)
    return pieces[start:stop], start, len(pieces) - stop


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbours that are plain text become one piece, so that pages stay small."""
    joined: list[Piece] = []
    for piece in pieces:
        if piece.bare and joined and joined[-1].bare:
            joined[-1] = Piece(joined[-1].text + piece.text)
        else:
            joined.append(Piece(piece.text) if piece.bare else piece)
    return joined


def _cut(pieces: list[Piece], most: int) -> list[Piece]:
    """A stretch of about `most` characters around the strongest piece, else the first that is marked."""
    if not pieces:
        return []
    scores = [(piece.level, piece.active, piece.marked) for piece in pieces]
    centre = scores.index(max(scores)) if any(any(score) for score in scores) else 0
    start = stop = centre
    length = len(pieces[centre].text)
    while length < most and (start > 0 or stop < len(pieces) - 1):
        # Two thirds of the room go to what comes before.
        before = start > 0 and (stop == len(pieces) - 1 or (centre - start) <= 2 * (stop - centre))
        start, stop = (start - 1, stop) if before else (start, stop + 1)
        length += len(pieces[start if before else stop].text)
    kept = pieces[start : stop + 1]
    cut = [Piece("… ")] * (start > 0) + kept + [Piece(" …")] * (stop < len(pieces) - 1)
    return _joined(cut)


def _peak(row: Row, sides: Sequence[Row]) -> str:
    """The token that the exemplar is about."""
    texts = list(sides[0]["pieces"]) if sides else []
    return texts[row["col"]].strip() if row["col"] is not None and row["col"] < len(texts) else ""


def _told(pieces: Sequence[Piece]) -> str:
    """What colours and frames show, as a sentence for those who hear the page."""
    marked = [piece.text.strip() for piece in pieces if piece.marked and piece.text.strip()]
    active = [f"{piece.text.strip()} ({piece.title})" for piece in pieces if piece.active and piece.text.strip()]
    said = [f"Named by the formula: {', '.join(dict.fromkeys(marked))}."] if marked else []
    return " ".join([*said, f"The unit fires on: {', '.join(active)}."] if active else said)
