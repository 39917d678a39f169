"""The compact file behind the list of units: a script that holds data alone, since pages opened by double click
may not fetch anything."""

from __future__ import annotations

import json
from typing import Any

from microtome.report.parts.answer import range_in_words
from microtome.report.parts.common import chosen, formula_of
from microtome.report.parts.passages import Piece, excerpt
from microtome.report.view import RangeView, Row, RunView, UnitView
from microtome.report.words import Number

KINDS = {"plain": 0, "concept": 1, "predicted": 2}
THUMBS_A_SHEET = 64
FIELDS = (
    *("unit", "status", "words", "might", "categories", "length", "searched", "heldout", "overlap", "chance", "p", "q"),
    *("precision", "recall", "accuracy", "area", "range", "others", "thumb", "key", "excerpt"),
)
"""What each entry of `units` holds, in this order; static/index.js reads the order from the file. A unit that is not
named has no words, so that no list can call it by a name; `might` holds its runners-up. `excerpt` is of texts: for each
side its name and its stretches [text, 1 = named by the formula + 2 = the unit is over its threshold]."""
MIGHT_BE = 3


def data_script(view: RunView) -> str:
    """JavaScript that sets `window.microtomeUnits`, safe whatever the names of concepts and files are."""
    sheets = {path.name for path in (view.folder / "images" / "thumbs").glob("*.jpg")}
    payload = {
        "fields": FIELDS,
        "layer": view.layer,
        "metric": view.measure.label,
        "digits": view.measure.digits,
        "floor": view.measure.floor,
        "top": view.top_score,
        "predicted": sorted(view.category(name) for name in view.marker.predicted_categories),
        "text": view.nouns.text,
        "units": [_entry(view, unit, sheets) for unit in view.units],
    }
    return f"window.microtomeUnits = {json_for_script(payload)};\n"


def json_for_script(payload: Any) -> str:
    """JSON that can stand in a script, in a file or in a page: nothing in it can end the script or open a tag."""
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _entry(view: RunView, unit: UnitView, sheets: set[str]) -> list[Any]:
    lead = unit.lead
    row, best = lead.row, chosen(lead) or {}
    top = lead.pictures("top")
    might = [] if lead.named else _might_be(lead)
    sources = [row] if lead.named else might
    sheet = f"{unit.unit // THUMBS_A_SHEET:03d}.jpg"
    return [
        unit.unit,
        row["status"],
        _pieces(view, row) if lead.named else [],
        [_pieces(view, other) for other in might],
        _categories(view, sources),
        row["length"],
        _short(row["iou"] if view.measure.key == "iou" else row["score"]),
        _short(row["score_heldout"]),
        _short(row["iou_heldout"]),
        _short(row["chance"]),
        row["p"],
        row["fdr"],
        _short(best.get("precision_heldout")),
        _short(best.get("recall_heldout")),
        _short(row["accuracy_active"]),
        _short(row["area"]),
        range_in_words(lead),
        [_other(view, ranged) for ranged in unit.ranges if ranged is not lead],
        [sheet, unit.unit % THUMBS_A_SHEET] if top and sheet in sheets else None,
        top[0]["image"] if top else None,
        _excerpt(unit, lead) if view.nouns.text else None,
    ]


def _categories(view: RunView, rows: list[Row]) -> list[str]:
    names = (name for row in rows for name in (row["category"] or "").split("+") if name)
    return [view.category(name) for name in dict.fromkeys(names)]


def _seen(piece: Piece) -> str:
    """The text of a piece, with signs for what could not be seen where it matters."""
    return piece.text if piece.bare else "".join(text for text, _ in piece.parts)


def _excerpt(unit: UnitView, lead: RangeView) -> list[Any]:
    sides = excerpt(unit, lead)
    return [
        [
            name if len(sides) > 1 else "",
            # What a formula speaks of that is no name is not to be seen on a card either.
            [[_seen(piece), (piece.marked and lead.named) + 2 * piece.active] for piece in pieces],
        ]
        for name, pieces in sides
    ]


def _might_be(ranged: RangeView) -> list[Row]:
    """The best single concepts of a unit without a name, those that overlap it at all."""
    runners = sorted(ranged.runners_up, key=lambda row: row["rank"])
    return [row for row in runners if row["iou"]][:MIGHT_BE]


def _other(view: RunView, ranged: RangeView) -> list[Any]:
    return [range_in_words(ranged), _pieces(view, ranged.row) if ranged.named else None]


def _pieces(view: RunView, row: Row) -> list[list[Any]]:
    return [[text, KINDS[kind]] for text, kind in formula_of(view, row)]


def _short(value: Number | None) -> float | None:
    return None if value is None else round(value, 5)
