"""The index page above the list of units: the answer in one paragraph, charts, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microtome.report import words
from microtome.report.charts import Bar, histogram, line_chart
from microtome.report.view import RunView

BINS = 30
METHODS = {
    "exact": "the provably best formula of up to three concepts, longer ones by beam search from there",
    "compositional": "a beam search over formulas of concepts",
    "netdissect": "the best single concept",
}


def intro(view: RunView) -> Mapping[str, Any]:
    """One paragraph that says what came out."""
    summary = view.manifest["summary"]
    named = sum(unit.named for unit in view.units)
    without = Counter(unit.lead.row["status"] for unit in view.units if not unit.named)
    leads = [unit.lead for unit in view.units if unit.named]
    best = sorted(leads, key=lambda r: -(r.row["iou_heldout"] or 0.0))[:3]
    return {
        "layer": view.layer,
        "model": view.manifest["model"]["spec"],
        "data": view.manifest["data"]["name"],
        "units": len(view.units),
        "named": named,
        "without": [(status, without[status]) for status in ("not named", "silent", "failed") if without[status]],
        "distinct": summary.get("distinct_concepts"),
        "mean_iou": summary.get("mean_iou"),
        "mean_chance": summary.get("mean_chance"),
        "accuracy": summary.get("accuracy"),
        "examples": [view.marker.segments(r.row["words"], r.row["formula"]) for r in best],
        "many_ranges": view.many_ranges,
        "predicted": sorted(view.marker.predicted_categories),
    }


def charts(view: RunView) -> Mapping[str, Any] | None:
    """IoU against length, held-out IoU against chance, and which categories the names are made of."""
    shown = {"length": _by_length(view), "chance": _against_chance(view), "categories": _categories(view)}
    return shown if any(shown.values()) else None


def _by_length(view: RunView) -> str | None:
    points = [
        (int(step["length"]), float(step["iou"]))
        for step in view.manifest["summary"].get("by_length") or []
        if step["iou"] is not None
    ]
    if len(points) < 2:
        return None
    told = ", ".join(f"{iou:.3f} at length {length}" for length, iou in points)
    return line_chart(
        points, x_name="concepts in the formula", y_name="mean IoU", label=f"Mean IoU by formula length: {told}."
    )


def _against_chance(view: RunView) -> str | None:
    scores = [r.row["iou_heldout"] for u in view.units for r in u.ranges if r.row["iou_heldout"] is not None]
    if not scores:
        return None
    draws = view.chance.iou_heldout
    top = max(max(scores), float(draws.max()) if draws.size else 0.0, 1e-4) * 1.02
    bars = _shares(np.asarray(scores), top)
    outline = _shares(draws, top) if draws.size else []
    middle = f"Half of the units score above {np.median(scores):.3f}"
    middle += f"; half of the draws of chance score above {np.median(draws):.3f}." if draws.size else "."
    return histogram(
        bars,
        outline=outline,
        x_name="held-out IoU",
        y_name="% of units, % of draws",
        label=f"Histogram of held-out IoU of units against chance. {middle}",
    )


def _shares(values: np.ndarray, top: float) -> list[Bar]:
    heights, edges = np.histogram(values, bins=BINS, range=(0.0, top))
    percent = 100 * heights / max(values.size, 1)
    return [Bar(float(a), float(b), float(h)) for a, b, h in zip(edges[:-1], edges[1:], percent, strict=True)]


def _categories(view: RunView) -> Sequence[Mapping[str, Any]]:
    """In how many named units a category takes part."""
    tally: Counter[str] = Counter()
    for unit in view.units:
        mine = {name for r in unit.ranges if r.named for name in (r.row["category"] or "").split("+") if name}
        tally.update(mine)
    most = max(tally.values(), default=1)
    return [
        {"name": name, "units": n, "part": n / most, "predicted": name in view.marker.predicted_categories}
        for name, n in sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    ]


def what_was_done(view: RunView) -> Mapping[str, Any]:
    """Model, data, search and chance, as a list of facts; and notes that a reader should know."""
    manifest = view.manifest
    model, data, heldout = manifest["model"], manifest["data"], manifest["heldout"]
    settings, elements = manifest["settings"], manifest["elements"]
    kind = "places" if elements["kind"] == "pixel" else "images"
    tested = "the other half of the images, which took no part in the search"
    if heldout is not None:
        tested = f"{heldout['name']} ({words.plural(heldout['images'], 'image')})"
    quantile = settings.get("quantile")
    method = settings.get("method", "")
    facts = [
        ("Network", f"{model['spec']}, layer {model['layer']}: {words.plural(model['units'], 'unit')}"),
        (
            "Shown",
            f"{data['name']}: {words.plural(data['images'], 'image')}, {words.plural(len(view.concepts), 'concept')}",
        ),
        ("Firing", f"above a threshold that {words.share(quantile)} of its activations exceed" if quantile else ""),
        ("Search", f"{METHODS.get(method, method)}; up to {settings.get('max_length', 1)} concepts"),
        ("Scored on", tested),
        ("Counted", f"{words.count(elements['search'])} {kind} searched, {words.count(elements['heldout'])} held out"),
        ("Chance", f"the same search on {settings.get('permutations', 0)} re-pairings of images"),
    ]
    notes = [*manifest.get("notes", []), *data.get("notes", []), *((heldout or {}).get("notes") or [])]
    return {
        "facts": [(name, text) for name, text in facts if text],
        "notes": list(dict.fromkeys(notes)),
        "created": manifest.get("created", ""),
        "beam": manifest["summary"].get("beam"),
        "model_note": model.get("note") or "",
    }
