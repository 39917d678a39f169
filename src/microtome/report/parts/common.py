"""What several parts share: concepts with their mark, pictures with their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from microtome.core.concept_words import plain
from microtome.report import words
from microtome.report.view import RangeView, Row, RunView, UnitView

SPRITE_COLUMNS = 12


def formula_of(view: RunView, row: Row) -> words.Segments:
    """The formula of any table's row in words, cut into plain text and concepts."""
    return view.marker.segments(row["words"], row["formula"])


def concept_of(view: RunView, name: str) -> words.Segments:
    """One concept as a phrase, marked where it is predicted."""
    return ((plain(name) if view.nouns.text else name, "predicted" if view.marker.is_predicted(name) else "concept"),)


def phrase(segments: words.Segments) -> str:
    """The phrase as plain text, for alternative texts and titles; predicted concepts say so."""
    return "".join(f"{text} (predicted)" if kind == "predicted" else text for text, kind in segments)


def categories_of(view: RunView, text: str | None) -> list[dict[str, Any]]:
    """The categories of a formula (joined by +), each with whether it is predicted."""
    names = [name for name in dict.fromkeys((text or "").split("+")) if name]
    return [{"name": view.category(name), "predicted": name in view.marker.predicted_categories} for name in names]


def chosen(ranged: RangeView) -> Row | None:
    """The explanation that the unit's page leads with, or None where there is none."""
    return next((row for row in ranged.explanations if row["chosen"]), None)


def scale_of(values: Sequence[words.Number | None]) -> float:
    """A common full width for bars of scores: a little above the largest, and never zero."""
    return max([value for value in values if value is not None] + [0.01]) * 1.05


def holds(view: RunView, ranged: RangeView, row: Row) -> bool | None:
    """Whether the name holds of a top exemplar as a whole; None where that is not known, or is to be seen in it.

    Where whole items are counted nothing in them is outlined, so the caption has to say it.
    """
    fires = row["kind"] == "top" and (ranged.row["low"] is None or row["value"] > ranged.row["low"])
    return row["iou"] > 0 if view.nouns.whole and ranged.named and fires and row["iou"] is not None else None


def picture(view: RunView, unit: UnitView, ranged: RangeView, row: Row) -> Mapping[str, Any]:
    """One exemplar as the picture macro wants it: where its tile lies, its text, its alternative text."""
    place, column = divmod(int(row["tile"]), SPRITE_COLUMNS)
    kinds = {"top": "Top image", "decile": "Example", "miss": "Miss", "false alarm": "False alarm"}
    about = phrase(formula_of(view, ranged.row)) if ranged.named else "not named"
    value = words.activation(row["value"])
    which = f"{kinds[row['kind']]} {row['rank'] + 1}"
    return {
        "sprite": "../../" + quote(row["sprite"]),
        "row": place,
        "column": column,
        "key": row["image"],
        "value": value,
        "iou": row["iou"],
        "split": row["split"],
        "holds": holds(view, ranged, row),
        "label": row["label"],
        "predicted": row["predicted"],
        "right": row["right"],
        "alt": f"{which} of unit {unit.unit} ({about}): {row['image']}, activation {value}",
    }


def pictures(view: RunView, unit: UnitView, ranged: RangeView, kind: str) -> list[Mapping[str, Any]]:
    """All pictures of one kind."""
    return [picture(view, unit, ranged, row) for row in ranged.pictures(kind)]
