"""A formula's score on the held-out half: the same rows of the table, other weights."""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Bool, Int

from microtome.core import measures
from microtome.core.formula import Formula, Term, evaluate, leaves
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable


class HeldOut:
    """Scores formulas on held-out elements. Thread-safe.

    Parameters
    ----------
    table:
        Signatures of both halves together (its own weights are not used).
    weight:
        int64 [signature]: held-out elements of each.
    """

    def __init__(self, table: SignatureTable, weight: Int[np.ndarray, "signature"]) -> None:
        self._table, self._weight = table, weight
        self.total = int(weight.sum())
        self._columns: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def holds(self, formula: Formula) -> Bool[np.ndarray, "signature"]:
        """Where the formula is true, from columns that are built once a concept."""
        return evaluate(formula, {term.column: self._column(term) for term in leaves(formula)})

    def _column(self, term: Term) -> np.ndarray:
        column = self._columns.get(term.column)
        if column is None:
            column = self._table.column(term)
            with self._lock:
                self._columns[term.column] = column
        return column

    def counts(
        self, formula: Formula, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]
    ) -> tuple[int, int, int]:
        """(n, a, A) of `core.measures` on the held-out elements for a unit's held-out activity."""
        holds = self.holds(formula)
        return int(self._weight @ holds), int(counts @ holds[rows]), int(counts.sum())

    def score(
        self, metric: Metric, formula: Formula, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]
    ) -> float:
        """The metric of the formula on the held-out elements."""
        n, a, active = self.counts(formula, rows, counts)
        return measures.score(metric, n, a, active, self.total)
