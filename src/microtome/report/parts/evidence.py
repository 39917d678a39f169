"""What each concept adds, what other methods say, and whether a better name can exist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from microtome.report.parts.common import chosen, formula_of, scale_of
from microtome.report.view import RangeView, RunView, UnitView


def steps(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The best formula of each length of the chosen method, with what it gains over the length before."""
    best = chosen(ranged)
    method = best["method"] if best else view.manifest["settings"].get("method")
    rows = sorted((r for r in ranged.explanations if r["method"] == method), key=lambda r: r["length"])
    if not rows:
        return None
    listed, before, before_heldout = [], 0.0, 0.0
    for row in rows:
        iou, heldout = row["iou"], row["iou_heldout"]
        listed.append(
            {
                "row": row,
                "formula": formula_of(view, row),
                "gain": None if iou is None else iou - before,
                "gain_heldout": None if heldout is None else heldout - before_heldout,
                "chosen": bool(row["chosen"]),
            }
        )
        before, before_heldout = iou or before, heldout or before_heldout
    scale = scale_of([score for row in rows for score in (row["iou"], row["iou_heldout"])])
    metric = view.manifest["settings"].get("metric") or "iou"
    return {"steps": listed, "scale": scale, "method": method, "metric": None if metric == "iou" else metric}


def other_methods(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The best formula of every method other than the one the page leads with."""
    best = chosen(ranged)
    others: dict[str, Any] = {}
    for row in ranged.explanations:
        if best is not None and row["method"] != best["method"]:
            held = others.get(row["method"])
            if held is None or (row["score"] or 0.0) > (held["score"] or 0.0):
                others[row["method"]] = row
    if not others:
        return None
    return {"rows": [{"row": row, "formula": formula_of(view, row)} for _, row in sorted(others.items())]}


def certificate(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The proof that no formula does better, for each length that has one."""
    rows = sorted((r for r in ranged.explanations if r["certificate"]), key=lambda r: (r["method"], r["length"]))
    if not ranged.explanations:
        return None
    proved = [{"length": row["length"], "method": row["method"], **_read(row["certificate"])} for row in rows]
    best = chosen(ranged)
    return {"proved": proved, "chosen_proved": bool(best and best["certificate"]), "best": best}


def _read(text: str) -> dict[str, Any]:
    """A certificate is a sentence, or a JSON object of integers: then each field is listed."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError:
        return {"sentence": text, "fields": {}}
    if not isinstance(fields, dict):
        return {"sentence": text, "fields": {}}
    return {"sentence": str(fields.pop("sentence", "")), "fields": fields}
