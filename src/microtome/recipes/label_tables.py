"""Tables that set units and concepts beside the classes: artefacts of the data, last-layer weights, correlations."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtome.core import measures
from microtome.recipes.search_units import UnitSearch
from microtome.recipes.verdicts import Judged
from microtome.record.recording import Recording
from microtome.verify.correlation import correlate
from microtome.verify.proportions import wilson

Row = dict[str, Any]


def artefact_rows(recording: Recording, *, answers: tuple[str, ...]) -> list[Row]:
    """`artefacts`: how often each class follows where a concept holds, and how often the model answers it there.

    Of items that are one element each. Source: Gururangan et al. 2018 (class-conditional words); Mu & Andreas 2020.

    Parameters
    ----------
    answers:
        Names of the model's outputs.
    """
    cover, names = recording.concept_cover.tocsc(), recording.items.classes
    labels, answered = recording.labels, recording.answers
    known = labels >= 0
    rows: list[Row] = []
    for c, concept in enumerate(recording.searched.concepts):
        items = cover.indices[cover.indptr[c] : cover.indptr[c + 1]]
        labelled, asked = items[known[items]], items[answered[items] >= 0]
        if not len(labelled):
            continue
        for k, name in enumerate(names):
            hits = int((labels[labelled] == k).sum())
            low, high = wilson(hits, len(labelled))
            row: Row = {
                "concept": concept.name, "category": concept.category, "label": name, "elements": len(labelled),
                "share": hits / len(labelled), "low": low, "high": high, "base": float((labels[known] == k).mean()),
            }  # fmt: skip
            if len(asked):
                said = sum(int((answered[asked] == a).sum()) for a, own in enumerate(answers) if _same(own, name))
                low, high = wilson(said, len(asked))
                row |= {"answered": said / len(asked), "answered_low": low, "answered_high": high}
            rows.append(row)
    return rows


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def weight_rows(recording: Recording, weights: np.ndarray | None, classes: tuple[str, ...]) -> list[Row]:
    """`class_weights`: what each unit adds to each class in the last layer, for a layer that it reads directly."""
    if weights is None:
        return []
    return [
        {"unit": unit, "label": name, "weight": float(weights[k, unit])}
        for unit in recording.units
        for k, name in enumerate(classes)
    ]


def correlation_rows(search: UnitSearch, judged: list[Judged], *, right: np.ndarray, seed: int) -> list[Row]:
    """`correlations`: held-out IoU of the best formula of each length against accuracy where the unit fires."""
    scored = [one for one in judged if one.result.explanations]
    accuracy = np.array([_accuracy(right[one.result.fires]) for one in scored])
    if np.isnan(accuracy).all():
        return []
    rows = []
    for k in range(search.routes - 1):
        ious = np.array([measures.iou(*one.result.heldout[min(k, len(one.result.heldout) - 1)]) for one in scored])
        found = correlate(ious, accuracy, seed=seed)
        rows.append({
            "length": k + 1, "units": found.units, "pearson": found.pearson,
            "pearson_low": found.pearson_interval[0], "pearson_high": found.pearson_interval[1],
            "spearman": found.spearman, "spearman_low": found.spearman_interval[0],
            "spearman_high": found.spearman_interval[1], "p": found.p,
        })  # fmt: skip
    return rows


def _accuracy(right: np.ndarray) -> float:
    known = right[right >= 0]
    return float(known.mean()) if len(known) else float("nan")
