"""Network dissection: the single concept that best matches a unit, and the best of each category.

IoU(U, C) = |U and C| / |U or C|
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from microtome.core import measures
from microtome.core.explanation import Explanation, Finder
from microtome.core.formula import Leaf
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable
from microtome.core.source import Source


@dataclass(frozen=True)
class NetDissect:
    """Settings of network dissection.

    Attributes
    ----------
    metric:
        What is maximised; see `core.measures`.
    """

    metric: Metric = "iou"

    name = "netdissect"
    source = Source(
        "Bau, Zhou, Khosla, Oliva & Torralba 2017, Network Dissection",
        "section 2.2, equation 1",
        "a unit has a name when it beats chance on held-out images, not when its IoU passes 0.04",
    )

    def prepare(self, table: SignatureTable) -> Finder:
        """Nothing but the concepts' own counts is needed."""
        return _SingleFinder(self, table)


class _SingleFinder:
    def __init__(self, settings: NetDissect, table: SignatureTable) -> None:
        self._metric: Metric = settings.metric
        self._table = table

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        table, active = self._table, int(counts.sum())
        both = concept_overlaps(table, rows, counts)
        if active == 0 or not both.any():
            return ()
        n = table.concept_counts
        least, most = (share * table.total for share in measures.FORMULA_SHARES[self._metric])
        scores = [
            measures.score(self._metric, int(n[c]), int(both[c]), active, table.total)
            if both[c] and least <= n[c] <= most
            else -np.inf
            for c in range(len(n))
        ]
        best = int(np.argmax(scores))
        if scores[best] == -np.inf:
            return ()
        formula = Leaf(table.concepts[best].name)
        return (Explanation(1, formula, int(n[best]), int(both[best]), active, table.total, scores[best]),)


def concept_overlaps(
    table: SignatureTable, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]
) -> Int[np.ndarray, "concept"]:
    """|C and U| for every concept, int64."""
    sizes = np.diff(table.indptr)[rows]
    starts = np.repeat(table.indptr[rows], sizes)
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out = np.zeros(len(table.concepts), np.int64)
    np.add.at(out, table.indices[starts + within], np.repeat(counts, sizes))
    return out


@dataclass(frozen=True)
class ConceptOverlap:
    """One concept against one unit, in raw counts."""

    concept: int
    concept_count: int
    unit_count: int
    both_count: int

    @property
    def iou(self) -> float:
        return measures.iou(self.concept_count, self.both_count, self.unit_count)


def ranked_overlaps(
    table: SignatureTable, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]
) -> list[ConceptOverlap]:
    """Every concept that overlaps the unit, by falling IoU, then by name."""
    both, n, active = concept_overlaps(table, rows, counts), table.concept_counts, int(counts.sum())
    overlaps = [ConceptOverlap(int(c), int(n[c]), active, int(both[c])) for c in np.flatnonzero(both)]
    return sorted(overlaps, key=lambda overlap: (-overlap.iou, overlap.concept))


def best_per_category(table: SignatureTable, ranked: list[ConceptOverlap]) -> dict[str, ConceptOverlap]:
    """The first overlap of each category; a category without overlap is left out."""
    best: dict[str, ConceptOverlap] = {}
    for overlap in ranked:
        best.setdefault(table.concepts[overlap.concept].category, overlap)
    return best
