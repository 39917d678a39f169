"""What follows from a unit, and what edits of texts show about it: class weights and proof by editing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.core.concept_words import plain
from microtome.report import words
from microtome.report.parts.common import phrase
from microtome.report.parts.findings import between
from microtome.report.parts.passages import Piece
from microtome.report.parts.rewording import changed
from microtome.report.view import RangeView, Row, RunView, UnitView

EXAMPLES = 4
DOINGS = {"insert": "Putting {term} into the {side}", "remove": "Taking {term} out of the {side}"}
UP, DOWN = frozenset({"true", "on"}), frozenset({"false", "off"})


def class_weights(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """How the last layer weighs the unit for each class; on the first of the unit's ranges alone."""
    rows = [row for row in unit.class_weights if row["weight"] is not None]
    if not rows or ranged is not unit.ranges[0]:
        return None
    whole = max(abs(row["weight"]) for row in rows) or 1.0
    order = {name: place for place, name in enumerate(view.manifest["model"].get("classes") or ())}
    rows.sort(key=lambda row: order.get(row["label"], len(order)))
    if len(rows) > 12:
        rows = sorted(rows, key=lambda row: -abs(row["weight"]))[:12]
    highest, lowest = max(rows, key=lambda row: row["weight"]), min(rows, key=lambda row: row["weight"])
    said = []
    if highest["weight"] > 0:
        said.append(f"speaks most for {highest['label']}")
    if lowest["weight"] < 0:
        said.append(f"{'most against' if said else 'speaks most against'} {lowest['label']}")
    sentence = f"When it fires, the unit {' and '.join(said)}." if said else "The unit speaks for no class."
    listed = [{"row": row, "part": 50 * abs(row["weight"]) / whole} for row in rows]
    return {"rows": listed, "sentence": sentence, "some": len(rows) < len(unit.class_weights)}


def editing(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """What happens to the unit and to the answer when the formula is made true or false by an edit."""
    if not unit.edits or ranged is not unit.ranges[0]:
        return None
    listed = []
    for row in unit.edits:
        pairs = [pair for pair in unit.edit_pairs if pair["edit"] == row["edit"]][:EXAMPLES]
        listed.append(
            {
                "row": row,
                "title": doing(row),
                "sentences": _sentences(view, row),
                "verdict": _verdict(row),
                "formula": phrase(view.marker.segments(None, row["formula"])),
                "pairs": [_example(pair) for pair in pairs],
            }
        )
    return {"edits": listed}


def doing(row: Row) -> str:
    """An edit as the subject of a sentence: `Putting “nobody” into the hypothesis`."""
    term, side = row["term"] or "", row["side"] or "text"
    if row["edit"] in DOINGS and term:
        word = term.split(":")[-1] if plain(term) != term else term
        return DOINGS[row["edit"]].format(term=f"“{word}”", side=side)
    text = row["edit"] or "The edit"
    return text[0].upper() + text[1:]


def _sentences(view: RunView, row: Row) -> list[str]:
    moved = row["change"] or 0.0
    before, after = words.activation(row["unit_before"]), words.activation(row["unit_after"])
    does = f"{'raises' if moved > 0 else 'lowers'} the unit from {before} to {after}"
    does = does if moved else f"leaves the unit at {before}"
    first = f"{doing(row)} {does}, on average over {words.plural(row['pairs'], 'pair')}"
    first += _bracket(row["change_low"], row["change_high"], lead="a change of ")
    if row["control_change"] is not None:
        control = _bracket(row["control_low"], row["control_high"])
        first += f"; a control word changes it by {_signed(row['control_change'])}{control}"
    sentences = [f"{first}."]
    if row["fires_before"] is not None and row["fires_after"] is not None:
        fires = f"{words.share(row['fires_before'])} of them before and on {words.share(row['fires_after'])} after"
        sentences.append(f"The unit fires on {fires}.")
    if row["flipped"] is not None:
        interval = between(row["flipped_low"], row["flipped_high"])
        answer = f"The network’s answer changes in {words.share(row['flipped'])} of the pairs"
        answer += f" ({interval})" if interval else ""
        if row["control_flipped"] is not None:
            answer += f", against {words.share(row['control_flipped'])} with the control word"
            interval = between(row["control_flipped_low"], row["control_flipped_high"])
            answer += f" ({interval})" if interval else ""
        sentences.append(f"{answer}.")
    return sentences


def _bracket(low: float | None, high: float | None, *, lead: str = "") -> str:
    return "" if low is None or high is None else f" ({lead}{_signed(low)} to {_signed(high)}, 95\u00a0% interval)"


def _signed(value: float) -> str:
    """A change of an activation with three significant digits."""
    return f"{value:+.3g}".replace("-", "\u2212")


def _verdict(row: Row) -> str:
    """Whether the edit bears the name out: the change beyond the control's, against what the name says."""
    low, high, turns = row["difference_low"], row["difference_high"], row["turns"] or ""
    if low is None or high is None or turns not in UP | DOWN:
        return ""
    if low <= 0 <= high:
        return "not confirmed: the change cannot be told from that of a control word"
    if (low > 0) == (turns in UP):
        return "confirmed: the unit moves as its name says, beyond what a control word does"
    return "contradicted: the unit moves against what its name says"


def _example(pair: Row) -> Mapping[str, Any]:
    return {
        "pair": pair,
        "other": [Piece(pair["other"])] if pair["other"] else [],
        "flipped": pair["predicted_before"] != pair["predicted_after"],
        **changed(pair["before"] or "", pair["after"] or ""),
    }
