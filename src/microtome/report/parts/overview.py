"""The index page above the list of units: the answer in one paragraph, charts, and what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microtome.report import words
from microtome.report.charts import Bar, histogram, line_chart
from microtome.report.view import RangeView, Row, RunView

BINS = 30
NUMBERS = {1: "one", 2: "two", 3: "three"}
STATUSES = ("not named", "silent", "skipped", "failed")
METHODS = {
    "exact": "the provably best formula of up to {exact}, longer ones by beam search from there",
    "compositional": "a beam search over formulas of concepts",
    "netdissect": "the best single concept",
}


def intro(view: RunView) -> Mapping[str, Any]:
    """One paragraph that says what came out."""
    summary = view.manifest["summary"]
    named = sum(unit.named for unit in view.units)
    without = Counter(unit.lead.row["status"] for unit in view.units if not unit.named)
    rows = [ranged.row for ranged in view.ranges]
    return {
        "layer": view.layer,
        "model": view.manifest["model"]["spec"],
        "data": view.manifest["data"]["name"],
        "units": len(view.units),
        "some": view.manifest["settings"].get("units") is not None,
        "named": named,
        "without": [(status, without[status]) for status in STATUSES if without[status]],
        "distinct": summary.get("distinct_concepts"),
        "mean_score": _mean([row["score_heldout"] for row in rows]),
        "mean_chance": _mean([row["chance"] for row in rows]),
        "accuracy": summary.get("accuracy"),
        "examples": [view.marker.segments(row["words"], row["formula"]) for row in _examples(view)],
        "many_ranges": view.many_ranges,
        "predicted": sorted(view.marker.predicted_categories),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _examples(view: RunView, *, most: int = 3) -> list[Row]:
    """Rows of the clearest names, of different concepts: three units for tractors would say it three times."""
    leads = [unit.lead.row for unit in view.units if unit.named]
    picked: list[Row] = []
    seen: set[str] = set()
    for row in sorted(leads, key=lambda row: -(row["score_heldout"] or 0.0)):
        concepts = set(view.marker.leaves(row["formula"] or ""))
        if len(picked) < most and not concepts & seen:
            picked.append(row)
            seen |= concepts
    return picked


def charts(view: RunView) -> Mapping[str, Any] | None:
    """Score against length, held-out score against chance, and which categories the names are made of."""
    shown = {"length": _by_length(view), "chance": _against_chance(view), "categories": _categories(view)}
    return shown if any(shown.values()) else None


def _by_length(view: RunView) -> str | None:
    ladders = [ladder for ranged in view.ranges if (ladder := _ladder(ranged))]
    longest = max((len(ladder) for ladder in ladders), default=0)
    points = []
    for k in range(longest):
        score = _mean([ladder[min(k, len(ladder) - 1)] for ladder in ladders])
        if score is not None:
            points.append((k + 1, score))
    if len(points) < 2:
        return None
    measure = view.measure
    told = ", ".join(f"{measure.number(score)} at length {length}" for length, score in points)
    return line_chart(
        points,
        x_name="concepts in the formula",
        y_name=f"mean held-out {measure.label}",
        label=f"Mean held-out {measure.label} by formula length: {told}.",
        digits=measure.digits,
    )


def _ladder(ranged: RangeView) -> list[float | None]:
    """Held-out scores of the chosen method by length."""
    method = next((row["method"] for row in ranged.explanations if row["chosen"]), None)
    rows = sorted((row for row in ranged.explanations if row["method"] == method), key=lambda row: row["length"])
    return [row["score_heldout"] for row in rows]


def _against_chance(view: RunView) -> str | None:
    measure = view.measure
    scores = np.array([r.row["score_heldout"] for r in view.ranges if r.row["score_heldout"] is not None])
    if not scores.size:
        return None
    draws = view.chance.score
    everything = np.concatenate([scores, draws])
    low = min(measure.floor, float(everything.min()))
    ends = (low, low + (max(float(everything.max()), low + 1e-4) - low) * 1.02)
    middle = f"Half of the units score above {measure.number(float(np.median(scores)))}"
    if draws.size:
        middle += f"; half of the draws of chance score above {measure.number(float(np.median(draws)))}"
    return histogram(
        _shares(scores, ends),
        outline=_shares(draws, ends) if draws.size else [],
        x_name=f"held-out {measure.label}",
        y_name="% of units, % of draws",
        label=f"Histogram of held-out {measure.label} of units against chance. {middle}.",
    )


def _shares(values: np.ndarray, ends: tuple[float, float]) -> list[Bar]:
    heights, edges = np.histogram(values, bins=BINS, range=ends)
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
        {
            "name": view.category(name),
            "units": n,
            "part": n / most,
            "predicted": name in view.marker.predicted_categories,
        }
        for name, n in sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    ]


def what_was_done(view: RunView) -> Mapping[str, Any]:
    """Model, data, search and chance, as a list of facts; and notes that a reader should know."""
    manifest = view.manifest
    heldout = manifest["heldout"] or {}
    notes = [*manifest.get("notes", []), *manifest["data"].get("notes", []), *heldout.get("notes", [])]
    note = manifest["model"].get("note") or ""
    if note and note not in " ".join(notes):
        notes.insert(0, note)
    return {
        "facts": [(name, text) for name, text in _facts(view) if text],
        "findings": [text for text in (_beam(view), _accuracy(view)) if text],
        "notes": list(dict.fromkeys(notes)),
        "created": manifest.get("created", ""),
    }


def _facts(view: RunView) -> list[tuple[str, str]]:
    manifest = view.manifest
    model, data, heldout = manifest["model"], manifest["data"], manifest["heldout"]
    settings = manifest["settings"]
    searched, held = (words.count(manifest["elements"][half]) for half in ("search", "heldout"))
    item, items = view.nouns.item, view.nouns.items
    tested = f"the other half of the {items}, which took no part in the search"
    if heldout is not None:
        tested = f"{heldout['name']} ({words.plural(heldout['images'], item)})"
    method = settings.get("method", "")
    length, proved = settings.get("max_length", 1), settings.get("exact_length", 3)
    exact = f"{NUMBERS.get(proved, proved)} concept{'' if proved == 1 else 's'}"
    longest = "" if method == "netdissect" else f"; up to {words.plural(length, 'concept')}, by {view.measure.label}"
    units = words.plural(model["units"], "unit")
    units = f"{units} of it" if settings.get("units") is not None else f"all {units}"
    return [
        ("Network", f"{model['spec']}, layer {model['layer']}: {units}"),
        (
            items.capitalize(),
            f"{data['name']}: {words.plural(data['images'], item)}, {words.plural(len(view.concepts), 'concept')}",
        ),
        ("Firing", _firing(view, settings)),
        ("Search", f"{METHODS.get(method, method).format(exact=exact)}{longest}"),
        ("Scored on", tested),
        ("Counted", f"{searched} {view.nouns.elements} searched, {held} held out"),
        ("Chance", _chance(view)),
    ]


def _firing(view: RunView, settings: Mapping[str, Any]) -> str:
    if view.many_ranges:
        return f"{words.plural(int(settings.get('ranges') or 0), 'range')} of its positive activations, each on its own"
    quantile = settings.get("quantile")
    if settings.get("active") == "positive":
        text = "wherever its activation is above 0"
    elif not quantile:
        return ""
    else:
        text = f"above a threshold that {words.share(quantile)} of its activations exceed"
    if settings.get("min_active"):
        text += (
            f"; units that fire on fewer than {words.plural(settings['min_active'], view.nouns.element)} are skipped"
        )
    return f"{text}; AUROC itself needs no threshold" if view.measure.key == "auroc" else text


def _chance(view: RunView) -> str:
    repaired, shifted = view.chance.count("re-paired"), view.chance.count("shifted")
    if not repaired and not shifted:
        return "not measured, so no name is claimed"
    items = view.nouns.items
    text = f"the same search where there is nothing to find: {repaired:,} times with {items} re-paired"
    return f"{text}, {shifted:,} times with activations shifted within {items}" if shifted else text


def _beam(view: RunView) -> str:
    """How often a beam search alone would have been wrong."""
    beam = view.manifest["summary"].get("beam") or {}
    searched = beam.get("searched")
    if not searched:
        return ""
    missed, own = beam["beam_not_optimal_full"], beam["beam_not_optimal_own"]
    of = f"{searched:,} searches"
    if not missed:
        return f"A beam search alone would have found the best formula in all of {of}; the exact search proves it."
    return (
        f"A beam search alone would have missed the best formula in {missed:,} of {of} "
        f"({words.share(missed / searched)}); in {own:,} it missed even the best of those that it can write "
        "(one concept added at a time)."
    )


def _accuracy(view: RunView) -> str:
    accuracy = view.manifest["summary"].get("accuracy")
    if accuracy is None:
        nobody = f"The {view.nouns.items} have no classes that the network answers with"
        return f"{nobody}, so nothing is said about right and wrong."
    return f"The network answers right on {words.share(accuracy)} of these {view.nouns.items}."
