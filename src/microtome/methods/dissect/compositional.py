"""Beam search for logical formulas, as in Compositional Explanations of Neurons, over the table of signatures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from microtome.core.explanation import Explanation, Finder
from microtome.core.measures import FORMULA_SHARES, Metric
from microtome.core.signatures import SignatureTable
from microtome.core.source import Source
from microtome.methods.dissect.beam import Beam
from microtome.methods.dissect.steps import formula_of


@dataclass(frozen=True)
class Compositional:
    """Settings of the beam search.

    Attributes
    ----------
    max_length:
        Leaves of the longest formula, 1 to 10; time grows in proportion.
    beam:
        Formulas kept at each length; more costs time in proportion and finds better formulas.
    metric:
        What is maximised; see `core.measures`.
    penalty:
        Score = penalty^(leaves - 1) * metric, in (0, 1]; below 1 prefers short formulas.
    """

    max_length: int = 3
    beam: int = 10
    metric: Metric = "iou"
    penalty: float = 1.0

    name = "compositional"
    source = Source(
        "Mu & Andreas 2020, Compositional Explanations of Neurons",
        "section 3, equation 3",
        "x AND (y OR z) is a candidate too; formulas of equal truth are merged; concepts that never fire with the "
        "unit stay candidates for AND NOT; exact counts from the table of signatures instead of masks",
    )

    def prepare(self, table: SignatureTable) -> Finder:
        """Lay the table out for the compiled search."""
        return _BeamFinder(self, table)


class _BeamFinder:
    def __init__(self, settings: Compositional, table: SignatureTable) -> None:
        self._terms = table.terms
        self._total = table.total
        self._beam = Beam(
            table,
            width=settings.beam,
            longest=settings.max_length,
            metric=settings.metric,
            penalty=settings.penalty,
            share=FORMULA_SHARES[settings.metric],
        )

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        active = int(counts.sum())
        return tuple(
            Explanation(
                length, formula_of(found.steps, self._terms), found.n, found.a, active, self._total, found.score
            )
            for length, found in enumerate(self._beam(rows, counts), start=1)
        )
