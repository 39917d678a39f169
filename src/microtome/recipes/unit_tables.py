"""The run's tables, one function each: rows as plain dictionaries under the columns of `store.tables`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from microtome.core import measures
from microtome.core.concept_words import spoken
from microtome.core.formula import Formula, Leaf, leaves, quote, words
from microtome.data.text.base import TextData
from microtome.recipes.search_units import UnitSearch
from microtome.recipes.verdicts import Judged
from microtome.record.recording import Recording

Row = dict[str, Any]


def category_of(recording: Recording, formula: Formula) -> str:
    """Categories of the formula's leaves, in order of appearance, joined by +."""
    table = recording.searched
    names = (table.concepts[table.by_name[leaf.name]].category for leaf in leaves(formula))
    return "+".join(dict.fromkeys(names))


def said(recording: Recording, formula: Formula) -> str:
    """The formula as a phrase; concepts of text in plain words."""
    return spoken(formula) if isinstance(recording.items.sets[0], TextData) else words(formula)


def explanation_rows(search: UnitSearch, judged: list[Judged], *, method: str) -> list[Row]:
    """`explanations`: a row per slot and length."""
    recording, rows = search.recording, []
    total = max(recording.searched.total + search.heldout.total, 1)
    for one in judged:
        result = one.result
        for k, (found, held) in enumerate(zip(result.explanations, result.heldout, strict=True), start=1):
            route = 0 if k - 1 == result.chosen else k
            verdict, q = one.verdicts[route], one.q[route]
            n, a, active = held
            masks = search.metric != "auroc"
            rows.append({
                "unit": recording.units[result.slot.place],
                "site": recording.site.layer,
                "method": method,
                "range": result.slot.range,
                "length": k,
                "formula": str(found.formula),
                "words": said(recording, found.formula),
                "category": category_of(recording, found.formula),
                "iou": found.iou if masks else None,
                "iou_heldout": measures.iou(n, a, active),
                "chance": verdict.chance,
                "p": verdict.p,
                "fdr": q,
                "precision": found.precision if masks else None,
                "recall": found.recall if masks else None,
                "precision_heldout": measures.precision(n, a),
                "recall_heldout": measures.recall(a, active),
                "score": found.score,
                "score_heldout": result.scores[k],
                "mann_whitney_p": None if masks else measures.mann_whitney_p(
                    float(result.scores[k]), n, search.heldout.total
                ),
                "threshold": result.slot.low,
                "area": sum(result.active) / total,
                "named": one.named and route == 0,
                "chosen": route == 0,
                "certificate": str(found.certificate) if found.certificate else None,
            })  # fmt: skip
    return rows


def unit_rows(search: UnitSearch, judged: list[Judged], *, classes: tuple[str, ...], right: np.ndarray) -> list[Row]:
    """`units`: a row per slot. `right` is 1, 0 or -1 (unknown) for each image."""
    recording, rows = search.recording, []
    means, stds = recording.summary.moments.mean(), recording.summary.moments.std()
    total = max(recording.searched.total + search.heldout.total, 1)
    for one in judged:
        result, slot = one.result, one.result.slot
        peaks = recording.peaks[:, slot.place]
        fires = result.fires
        row: Row = {
            "unit": recording.units[slot.place],
            "site": recording.site.layer,
            "range": slot.range,
            "low": slot.low,
            "high": slot.high if np.isfinite(slot.high) else None,
            "area": sum(result.active) / total,
            "active": sum(result.active),
            "mean": means[slot.place],
            "std": stds[slot.place],
            "max": peaks.max() if len(peaks) else None,
            "named": one.named,
            "status": one.status,
            "reason": one.reason or None,
            "fires": int(fires.sum()),
            "fires_labelled": int((right[fires] >= 0).sum()),
            "accuracy_active": _accuracy(right[fires]),
            "accuracy_silent": _accuracy(right[~fires]),
            "top_classes": _top_classes(recording.labels[fires], classes),
        }
        if result.explanations:
            found, verdict = result.explanations[result.chosen], one.verdicts[0]
            row |= {
                "formula": str(found.formula),
                "words": said(recording, found.formula),
                "category": category_of(recording, found.formula),
                "length": found.leaves,
                "iou": found.iou if search.metric != "auroc" else None,
                "iou_heldout": measures.iou(*result.heldout[result.chosen]),
                "score": found.score,
                "score_heldout": result.scores[0],
                "chance": verdict.chance,
                "chance_kind": verdict.kind,
                "p": verdict.p,
                "p_repaired": verdict.p_repaired,
                "p_shifted": verdict.p_shifted,
                "fdr": one.q[0],
            }
        rows.append(row)
    return rows


def _accuracy(right: np.ndarray) -> float | None:
    known = right[right >= 0]
    return float(known.mean()) if len(known) else None


def _top_classes(labels: np.ndarray, classes: tuple[str, ...]) -> str | None:
    counts = Counter(int(label) for label in labels if 0 <= label < len(classes))
    total = sum(counts.values())
    return ", ".join(f"{classes[c]} {n / total:.0%}" for c, n in counts.most_common(3)) or None


def overlap_rows(search: UnitSearch, judged: list[Judged]) -> dict[str, list[Row]]:
    """`overlaps`, `categories` and `runners_up`: single concepts beside the formula."""
    recording, table = search.recording, search.recording.searched
    heldout_counts = heldout_counts_of(search)
    out: dict[str, list[Row]] = {"overlaps": [], "categories": [], "runners_up": []}
    for one in judged:
        result = one.result
        where = {"unit": recording.units[result.slot.place], "range": result.slot.range}
        for rank, overlap in enumerate(result.overlaps, start=1):
            concept = table.concepts[overlap.concept]
            n, a, active = overlap.concept_count, overlap.both_count, overlap.unit_count
            iou_heldout = measures.iou(
                heldout_counts[overlap.concept], result.overlaps_heldout[rank - 1], result.active[1]
            )
            named = {"rank": rank, "category": concept.category, "iou": overlap.iou}
            out["overlaps"].append(where | named | {
                "concept": concept.name, "concept_count": n, "unit_count": active, "both_count": a,
                "precision": measures.precision(n, a), "recall": measures.recall(a, active),
                "lift": measures.lift(n, a, active, table.total),
            })  # fmt: skip
            if rank <= 5:
                out["runners_up"].append(where | named | {
                    "formula": quote(concept.name), "iou_heldout": iou_heldout,
                    "words": said(recording, Leaf(concept.name)),
                })  # fmt: skip
        for overlap, both in result.categories:
            concept = table.concepts[overlap.concept]
            out["categories"].append(where | {
                "category": concept.category, "concept": concept.name, "concept_count": overlap.concept_count,
                "unit_count": overlap.unit_count, "both_count": overlap.both_count, "iou": overlap.iou,
                "iou_heldout": measures.iou(heldout_counts[overlap.concept], both, result.active[1]),
            })  # fmt: skip
    return out


def heldout_counts_of(search: UnitSearch) -> list[int]:
    """Held-out elements of each concept."""
    return search.recording.searched.counts_under(search.recording.heldout_weight).tolist()


def concept_rows(search: UnitSearch, *, predicted: frozenset[str]) -> list[Row]:
    """`concepts`: how often each is there."""
    recording, table = search.recording, search.recording.searched
    searched, heldout = table.concept_counts, heldout_counts_of(search)
    images = np.bincount(recording.concept_cover.indices, minlength=len(searched))
    return [
        {
            "concept": concept.name, "category": concept.category, "predicted": concept.category in predicted,
            "elements_search": searched[c], "elements_heldout": heldout[c], "images": images[c],
            "neighbours": [table.concepts[m].name for m in table.neighbours[c]] if table.neighbours else None,
        }
        for c, concept in enumerate(recording.searched.concepts)
    ]  # fmt: skip


def image_rows(
    recording: Recording, *, classes: tuple[str, ...], answers: tuple[str, ...], right: np.ndarray
) -> list[Row]:
    """`images`: each image's half, class, the model's answer, and whether it was right."""
    return [
        {
            "image": recording.items.key(i),
            "split": "heldout" if recording.items.heldout[i] else "search",
            "label": class_name(classes, int(recording.labels[i])),
            "predicted": class_name(answers, int(recording.answers[i])),
            "right": None if right[i] < 0 else bool(right[i]),
        }
        for i in range(len(recording.items))
    ]


def class_name(names: tuple[str, ...], index: int) -> str | None:
    """The name of a class, None where there is none."""
    return names[index] if 0 <= index < len(names) else None


def histogram_rows(recording: Recording) -> list[Row]:
    """`histogram`: about forty bins a unit."""
    return [
        {"unit": unit, "low": low, "high": high, "count": count}
        for place, unit in enumerate(recording.units)
        for low, high, count in recording.summary.histogram.coarse(place)
    ]


def chance_rows(recording: Recording, judged: list[Judged]) -> list[Row]:
    """`chance`: every null draw of the chosen route."""
    rows = []
    for one in judged:
        slot = one.result.slot
        for kind, draws in (("re-paired", one.result.null.repaired), ("shifted", one.result.null.shifted)):
            rows += [
                {
                    "unit": recording.units[slot.place], "range": slot.range, "kind": kind, "draw": draw,
                    "length": 0, "iou_heldout": scores[0],
                }
                for draw, scores in enumerate(draws)
            ]  # fmt: skip
    return rows
