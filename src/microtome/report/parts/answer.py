"""The head of a unit's page: its name, or that it has none, and how sure we are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microtome.report import words
from microtome.report.charts import Bar, Mark, histogram
from microtome.report.parts.common import categories_of, chosen, formula_of
from microtome.report.view import RangeView, RunView, UnitView

BINS = 16


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
    }


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
    if row["iou_heldout"] is None:
        return None
    draws = view.chance.of(unit.unit, range=ranged.number, length=row["length"], kind=row["chance_kind"])
    return {
        "row": row,
        "verdict": words.verdict(row),
        "sentences": _sentences(view, ranged),
        "chart": _null_chart(draws, row["iou_heldout"]) if draws.size else None,
        "draws": int(draws.size),
        "explanation": chosen(ranged),
    }


def _sentences(view: RunView, ranged: RangeView) -> list[str]:
    row, level = ranged.row, view.manifest["settings"].get("fdr")
    kinds = {"re-paired": "laid over the wrong images", "shifted": "moved about within each image"}
    where = kinds.get(row["chance_kind"] or "", "put where they do not belong")
    found = words.number(row["iou_heldout"])
    sentences = [f"On images that took no part in the search, the name and the unit overlap with an IoU of {found}."]
    if row["chance"] is not None:
        luck = words.number(row["chance"])
        sentences.append(f"With the unit's activations {where}, the same search reaches {luck}: that much is luck.")
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
    return sentences + _how_much(ranged, elements=elements_word(view))


def elements_word(view: RunView) -> str:
    """What the run counts, in plain words."""
    return "places" if view.manifest["elements"]["kind"] == "pixel" else "images"


def _how_much(ranged: RangeView, *, elements: str) -> list[str]:
    """A name can be beyond doubt and yet cover little: say how much of the unit it covers."""
    best = chosen(ranged)
    if best is None or best["recall_heldout"] is None or best["precision_heldout"] is None:
        return []
    covered, fires = words.share(best["recall_heldout"]), words.share(best["precision_heldout"])
    return [
        f"The name covers {covered} of the {elements} where the unit fires; "
        f"the unit fires at {fires} of the {elements} named."
    ]


def _null_chart(draws: np.ndarray, score: float) -> str:
    top = max(float(draws.max()), 1e-4)
    heights, edges = np.histogram(draws, bins=BINS, range=(0.0, top * 1.05))
    bars = [Bar(float(a), float(b), float(h)) for a, b, h in zip(edges[:-1], edges[1:], heights, strict=True)]
    beaten = float((draws < score).mean())
    return histogram(
        bars,
        marks=[Mark(score, f"this unit: {score:.3f}")],
        x_name="held-out IoU",
        y_name="draws of chance",
        label=f"Histogram of {draws.size} draws of chance, up to {draws.max():.3f}. This unit scores {score:.3f}, "
        f"more than {beaten:.0%} of the draws.",
        height=190,
        style="c-bar c-chance",
    )
