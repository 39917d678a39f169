"""What a method of `dissect` says of a unit: a formula and the integers behind its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from microtome.core import measures
from microtome.core.formula import Formula, leaves
from microtome.core.signatures import SignatureTable
from microtome.core.source import Source


@dataclass(frozen=True)
class Certificate:
    """Why nothing better exists, in integers.

    Attributes
    ----------
    best:
        |F & U| and |F or U| of the best formula: its IoU as a fraction.
    rounds:
        How often the maximum was searched anew at a higher IoU (Dinkelbach rounds).
    evaluated:
        Formulas whose counts were computed.
    bounded:
        Formulas excluded by a bound without computing their counts.
    beam_best:
        |F & U| and |F or U| of the best formula that the beam found.
    own_best:
        The same of the best formula that a beam could write at all (left-deep).
    """

    best: tuple[int, int]
    rounds: int
    evaluated: int
    bounded: int
    beam_best: tuple[int, int]
    own_best: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"{self.best[0]}/{self.best[1]}; rounds {self.rounds}; evaluated {self.evaluated}; "
            f"bounded {self.bounded}; beam {self.beam_best[0]}/{self.beam_best[1]}; "
            f"left-deep {self.own_best[0]}/{self.own_best[1]}"
        )


@dataclass(frozen=True)
class Explanation:
    """The best formula of at most `length` leaves for one unit.

    Attributes
    ----------
    length:
        The number of leaves allowed; the formula may have fewer.
    formula_count, both_count, active_count, total:
        n, a, A and N of `core.measures`. With the metric `auroc` both_count is a sum of doubled ranks.
    score:
        The searched metric times penalty^(leaves - 1).
    certificate:
        Present where the formula is provably best.
    """

    length: int
    formula: Formula
    formula_count: int
    both_count: int
    active_count: int
    total: int
    score: float
    certificate: Certificate | None = None

    @property
    def iou(self) -> float:
        return measures.iou(self.formula_count, self.both_count, self.active_count)

    @property
    def precision(self) -> float:
        return measures.precision(self.formula_count, self.both_count)

    @property
    def recall(self) -> float:
        return measures.recall(self.both_count, self.active_count)

    @property
    def leaves(self) -> int:
        return sum(1 for _ in leaves(self.formula))


@runtime_checkable
class Finder(Protocol):
    """A search made ready for one table: a unit's activity in, the best formula of each length out."""

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        """Best formula for lengths 1, 2, ... in order; empty for a unit that never fires. Thread-safe."""
        ...


@runtime_checkable
class DissectMethod(Protocol):
    """What every method of `methods/dissect` offers: settings as fields, a source, and `prepare`."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> Source: ...

    def prepare(self, table: SignatureTable) -> Finder:
        """Everything that depends on the table alone, once; the finder is then called for each unit."""
        ...


WORTH = 0.02


def chosen_length(explanations: tuple[Explanation, ...]) -> int:
    """Index of the explanation to lead with: the shortest within 2 % of the best score on the searched half.

    A longer formula has to earn its words. Chance takes the same choice, so it costs no validity.
    """
    best = max(explanation.score for explanation in explanations)
    bar = best - WORTH * abs(best)
    return next(i for i, explanation in enumerate(explanations) if explanation.score >= bar)
