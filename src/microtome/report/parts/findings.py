"""What a run found beyond its units: artefacts of the data, fit against accuracy, adversarial pairs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.parts.common import concept_of, phrase
from microtome.report.parts.passages import Piece
from microtome.report.parts.rewording import changed
from microtome.report.view import Row, RunView

ENOUGH = 30
"""A share of fewer elements says little."""
FIRST, MOST = 8, 40
EXAMPLES = 3


def artefacts(view: RunView) -> Mapping[str, Any] | None:
    """The concepts that give a label away, strongest first: each with the label it tells most about."""
    strongest: dict[str, Row] = {}
    for row in view.artefacts:
        if None in (row["share"], row["base"], row["low"], row["high"]) or row["elements"] < ENOUGH:
            continue
        held = strongest.get(row["concept"])
        if held is None or _strength(row) > _strength(held):
            strongest[row["concept"]] = row
    beyond = [row for row in strongest.values() if not row["low"] <= row["base"] <= row["high"]]
    rows = sorted(beyond, key=lambda row: (-_strength(row), row["concept"]))
    if not rows:
        return None
    named = _named_units(view)
    listed = [
        {"row": row, "concept": concept_of(view, row["concept"]), "units": named[row["concept"]]} for row in rows[:MOST]
    ]
    return {
        "rows": listed[:FIRST],
        "more": listed[FIRST:],
        "left": max(len(rows) - MOST, 0),
        "first": _artefact_sentence(view, rows[0]),
        "enough": ENOUGH,
    }


def _strength(row: Row) -> float:
    return abs(row["share"] - row["base"])


def _named_units(view: RunView) -> Counter[str]:
    """How many units have a concept in their name."""
    tally: Counter[str] = Counter()
    for unit in view.units:
        tally.update({leaf for r in unit.ranges if r.named for leaf in view.marker.leaves(r.row["formula"] or "")})
    return tally


def _artefact_sentence(view: RunView, row: Row) -> str:
    nouns = view.nouns
    name = phrase(concept_of(view, row["concept"]))
    sentence = (
        f"Of the {words.count(row['elements'])} {nouns.elements} with {name}, {words.share(row['share'])} are "
        f"labelled {row['label']} ({between(row['low'], row['high'])}), against {words.share(row['base'])} of all "
        f"{nouns.elements}"
    )
    if row["answered"] is None:
        return f"{sentence}."
    return f"{sentence}; the network answers {row['label']} for {words.share(row['answered'])} of them."


def between(low: float | None, high: float | None) -> str:
    """A 95 % interval of shares in words; empty where there is none."""
    return "" if low is None or high is None else f"95\u00a0% interval {words.share(low)} to {words.share(high)}"


def correlations(view: RunView) -> Mapping[str, Any] | None:
    """Whether units whose names fit better are right more often, at each length of formula."""
    rows = sorted((row for row in view.correlations if row["pearson"] is not None), key=lambda row: row["length"])
    return {"rows": rows, "sentence": _correlation_sentence(rows[-1])} if rows else None


def _correlation_sentence(row: Row) -> str:
    of = f"With names of {words.plural(row['length'], 'concept')} ({words.plural(row['units'], 'unit')})"
    low, high = row["pearson_low"], row["pearson_high"]
    number = f"correlation {words.signed(row['pearson'])}"
    if low is None or high is None:
        return f"{of} the {number} comes without an interval, so nothing can be concluded from it."
    number += f", 95\u00a0% interval {words.signed(low)} to {words.signed(high)}"
    if low > 0 or high < 0:
        way = "more" if low > 0 else "less"
        return f"{of} the better a name fits, the {way} often the network is right when the unit fires ({number})."
    return f"{of} how well a name fits its unit tells nothing sure about how often the network is right ({number})."


def adversarial(view: RunView) -> Mapping[str, Any] | None:
    """Edits with a known true label that fool the network, the most successful rule first, with examples."""
    if not view.adversarial:
        return None
    pairs: dict[str, list[Row]] = defaultdict(list)
    for pair in view.adversarial_pairs:
        pairs[pair["rule"]].append(pair)
    rows = sorted(view.adversarial, key=lambda row: (-(row["rate"] or 0.0), row["rule"]))
    return {
        "rows": rows,
        "first": _rule_sentence(rows[0]),
        "examples": [
            {"rule": row["rule"], "pairs": [_example(pair) for pair in pairs[row["rule"]][:EXAMPLES]]}
            for row in rows
            if pairs[row["rule"]]
        ],
    }


def _rule_sentence(row: Row) -> str:
    sentence = (
        f"“{row['rule']}” makes the network answer wrongly on {words.share(row['rate'])} of "
        f"{words.plural(row['pairs'], 'pair')} ({between(row['low'], row['high'])})"
    )
    others = []
    if row["before"] is not None:
        others.append(f"{words.share(row['before'])} before the edit")
    if row["control"] is not None:
        others.append(f"{words.share(row['control'])} with a control edit")
    return f"{sentence}; against {' and '.join(others)}." if others else f"{sentence}."


def _example(pair: Row) -> Mapping[str, Any]:
    sides: list[dict[str, Any]] = []
    for name in ("premise", "hypothesis"):
        before, after = pair[name] or "", pair[f"{name}_after"] or pair[name] or ""
        if before == after:
            sides.append({"name": name, "before": [], "after": [Piece(before)]})
        else:
            sides.append({"name": name, **changed(before, after)})
    return {"pair": pair, "sides": sides}
