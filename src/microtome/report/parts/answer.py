"""The head of a unit's page: its name, or that it has none, and how sure we are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microtome.report import words
from microtome.report.chance import KINDS
from microtome.report.charts import Bar, Mark, histogram
from microtome.report.parts.common import categories_of, chosen, formula_of
from microtome.report.view import RangeView, RunView, UnitView

BINS = 24
HALF = 0.5

CHANCE_KINDS = {
    "re-paired": "Re-paired: what the unit did on one {item} is laid over another {item}. A name that still fits owes "
    "it to luck.",
    "shifted": "Shifted: what the unit did is moved about within its own {item}. What the {item} {shows} as a whole "
    "still helps; knowing where does not.",
}


def headline(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any]:
    """The name in words with its score against chance; for a unit without a name, what came nearest."""
    row = ranged.row
    runners = [
        {
            "formula": formula_of(view, other),
            "categories": categories_of(view, other["category"]),
            "iou": other["iou"],
            "iou_heldout": other["iou_heldout"],
        }
        for other in sorted(ranged.runners_up, key=lambda other: other["rank"])
    ]
    return {
        "row": row,
        "formula": formula_of(view, row),
        "categories": categories_of(view, row["category"]),
        "when": range_in_words(ranged),
        "verdict": words.verdict(row),
        "runners_up": runners,
        "scale": view.top_score,
        "fit": fit(view, ranged) if ranged.named else [],
        "near": _near(view, ranged),
    }


def _near(view: RunView, ranged: RangeView) -> list[tuple[str, str]]:
    """What the NEIGHBOURS of a name stand for: the phrase, and its words."""
    titles = view.marker.titles
    return [(text, titles[text]) for text, _ in formula_of(view, ranged.row) if text in titles]


def range_in_words(ranged: RangeView) -> str:
    """Which activations a range holds; empty where the run explains the top range alone."""
    if not ranged.number:
        return ""
    low, high = words.activation(ranged.row["low"]), words.activation(ranged.row["high"])
    if ranged.row["high"] is None:
        return f"activations above {low}"
    return f"activations from {low} to {high}"


def certainty(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """Held-out score against chance: sentences, numbers, and the draws of the null with the score among them."""
    row = ranged.row
    if row["score_heldout"] is None:
        return None
    draws = {kind: view.chance.of(unit.unit, range=ranged.number, kind=kind) for kind in KINDS}
    first = row["chance_kind"] or KINDS[0]
    other = next(kind for kind in KINDS if kind != first)
    return {
        "row": row,
        "verdict": words.verdict(row),
        "sentences": _sentences(view, ranged),
        "chart": _null_chart(view, draws[first], draws[other], row["score_heldout"]) if draws[first].size else None,
        "kinds": [
            {"kind": kind, "draws": int(draws[kind].size), "means": _means(view, kind), "decides": kind == first}
            for kind in (first, other)
            if draws[kind].size
        ],
        "no_shifts": bool(draws["re-paired"].size) and not draws["shifted"].size,
        "explanation": chosen(ranged),
    }


def _means(view: RunView, kind: str) -> str:
    return CHANCE_KINDS[kind].format(item=view.nouns.item, shows="says" if view.nouns.text else "shows")


def _sentences(view: RunView, ranged: RangeView) -> list[str]:
    row, level = ranged.row, view.manifest["settings"].get("fdr")
    item = view.nouns.item
    subject = "the name" if row["named"] else "the best formula, which is no name,"
    kinds = {"re-paired": f"laid over the wrong {view.nouns.items}", "shifted": f"moved about within each {item}"}
    where = kinds.get(row["chance_kind"] or "", "put where they do not belong")
    sentences = [view.measure.sentence(subject, row["score_heldout"], nouns=view.nouns)]
    if row["chance"] is not None:
        luck = view.measure.number(row["chance"])
        sentences.append(
            f"With the unit's activations {where}, the same search still reaches {luck} on average: that much is luck."
        )
    if row["p"] is not None:
        sentences.append(
            f"A score like this comes up by luck {words.odds(row['p'])} (p = {words.probability(row['p'])})."
        )
    q = words.probability(row["fdr"])
    if row["named"] and row["fdr"] is not None and level is not None:
        sentences.append(
            f"Since many units were tried, names are kept only while no more than {words.share(level)} of all names "
            f"are expected to be wrong; this one passes (q = {q})."
        )
    elif row["fdr"] is not None and level is not None:
        sentences.append(
            f"Since many units were tried, that is not enough to call it a name (q = {q}, limit {level:g})."
        )
    best = chosen(ranged)
    if best is not None and best["mann_whitney_p"] is not None:
        sentences.append(
            f"The Mann-Whitney test, which takes no account of the search among many names, gives "
            f"p = {words.probability(best['mann_whitney_p'])} for these {view.nouns.items}; the name rests on q."
        )
    return sentences


def fit(view: RunView, ranged: RangeView) -> list[str]:
    """A name can be beyond doubt and yet cover little: how much it covers, and what is wrong with it."""
    best = chosen(ranged)
    if best is None or best["recall_heldout"] is None or best["precision_heldout"] is None:
        return []
    covered, kept = best["recall_heldout"], best["precision_heldout"]
    nouns = view.nouns
    sentences = [
        f"The name holds {nouns.holds} {words.share(covered)} of the {nouns.elements} where the unit fires; "
        f"the unit fires {nouns.fires} {words.share(kept)} of the {nouns.elements} where the name holds."
    ]
    if covered < HALF and kept < HALF:
        sentences.append("So it is a hint, not the whole story: mostly one is there without the other.")
    elif covered < HALF:
        sentences.append("So it is not the whole story: most of the firing happens elsewhere.")
    elif kept < HALF:
        sentences.append("So the name is wider than the unit, which passes over most of what it says.")
    return sentences


def _null_chart(view: RunView, draws: np.ndarray, others: np.ndarray, score: float) -> str:
    """The draws of the null that sets the bar as bars, those of the other one as an outline, in percent of each."""
    measure = view.measure
    everything = np.concatenate([draws, others])
    low = min(measure.floor, float(everything.min()))
    high = max(float(everything.max()), low + 1e-4)
    ends = (low, high + 0.02 * (high - low))
    beaten = float((draws < score).mean())
    return histogram(
        _percent(draws, ends),
        outline=_percent(others, ends) if others.size else [],
        marks=[Mark(score, f"this unit: {measure.number(score)}")],
        x_name=f"held-out {measure.label}",
        y_name="% of draws",
        label=f"Histogram of {draws.size} draws of chance, up to {measure.number(float(draws.max()))}. This unit "
        f"scores {measure.number(score)}, more than {beaten:.0%} of the draws.",
        height=190,
        style="c-bar c-chance",
    )


def _percent(values: np.ndarray, ends: tuple[float, float]) -> list[Bar]:
    heights, edges = np.histogram(values, bins=BINS, range=ends)
    percent = 100 * heights / values.size
    return [Bar(float(a), float(b), float(h)) for a, b, h in zip(edges[:-1], edges[1:], percent, strict=True)]
