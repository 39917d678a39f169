"""What a unit detects: the concepts on which it fires more often than elsewhere, alone and two together.

    lift(C) = P(unit active | C) / P(unit active)

from the run's own table of signatures, so nothing is read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import final

import numpy as np
from jaxtyping import Int

from microtome.core.formula import Formula, Leaf, conjoin, leaves, length
from microtome.core.parse import parse
from microtome.core.signatures import SignatureTable
from microtome.recipes.audit.concept_family import conjunctions
from microtome.recipes.audit.nouns import Named
from microtome.recipes.result import Dissection

LIFT = 2.0
"""A concept is detected where the unit fires at least so many times as often as anywhere."""
SHARPER = 1.2
"""Two concepts together are a concept of their own where the unit fires so much more often on both than on either."""
FEWEST = 0.001
"""Share of the elements that a concept of two words covers at least."""
TINGED = 1.3
"""Lift of a word that may only sharpen another."""


@dataclass(frozen=True, eq=False)
class Fires:
    """Where a unit fires: rows of the table and elements on each."""

    rows: Int[np.ndarray, " row"]
    counts: Int[np.ndarray, " row"]


@final
class UnitDetector:
    """See `asked.Detector`.

    Parameters
    ----------
    table:
        Signatures of the run's searched half.
    fires:
        Of the unit.
    stated:
        Formulas that name the unit, of every length.
    beside:
        Concepts that overlap it most.
    """

    def __init__(self, table: SignatureTable, fires: Fires, stated: list[Formula], beside: list[str]) -> None:
        self._table, self._fires, self._stated, self._beside = table, fires, stated, beside

    @cached_property
    def _active(self) -> int:
        return int(self._fires.counts.sum())

    def lift(self, formula: Formula) -> tuple[float, int]:
        """Lift, and how many elements the formula covers."""
        holds = self._table.holds(formula)
        count = int(self._table.weight[holds].sum())
        both = int(self._fires.counts[holds[self._fires.rows]].sum())
        expected = count * self._active / max(self._table.total, 1)
        return (both / expected if expected > 0 else 0.0), count

    def formulas(self, barred: frozenset[str]) -> list[Formula]:
        """The conjunctions of its own formulas, then single concepts and pairs of two categories, by lift."""
        stated = [part for formula in self._stated for part in conjunctions(formula, without=barred)]
        words = [leaf.name for formula in stated for leaf in leaves(formula)]
        names = [name for name in dict.fromkeys([*words, *self._beside]) if name not in barred]
        lifts = {name: self.lift(Leaf(name))[0] for name in names}
        single = [Leaf(name) for name in names if lifts[name] >= LIFT]
        found = {str(formula): (self.lift(formula)[0], formula) for formula in [*stated, *single]}
        for formula, value in self._pairs(names, lifts):
            found.setdefault(str(formula), (value, formula))
        kept = [pair for pair in found.values() if pair[0] >= LIFT]
        return [formula for _, formula in sorted(kept, key=lambda pair: (-pair[0], length(pair[1]), str(pair[1])))]

    def _pairs(self, names: list[str], lifts: dict[str, float]) -> list[tuple[Formula, float]]:
        category = {concept.name: concept.category for concept in self._table.concepts}
        found: list[tuple[Formula, float]] = []
        tinged = [name for name in names if lifts[name] >= TINGED]
        for one, other in combinations(tinged, 2):
            if category[one] == category[other] or max(lifts[one], lifts[other]) < LIFT:
                continue
            both: Formula = conjoin(*(Leaf(name) for name in sorted((one, other))))
            value, count = self.lift(both)
            if count >= FEWEST * self._table.total and value >= SHARPER * max(lifts[one], lifts[other]):
                found.append((both, value))
        return found


def units_of(run: Dissection) -> tuple[dict[int, Named], dict[int, UnitDetector]]:
    """Names and detectors of a run's units; of a unit in ranges the highest range."""
    table, activity = run.signatures("search")
    slots = run.units.to_pylist()
    stated: dict[int, list[Formula]] = {}
    for row in run.explanations.to_pylist():
        if row["formula"]:
            stated.setdefault(row["unit"], []).append(parse(row["formula"]))
    beside: dict[int, list[str]] = {}
    for row in run.table("overlaps").to_pylist():
        beside.setdefault(row["unit"], []).append(row["concept"])
    names: dict[int, Named] = {}
    detectors: dict[int, UnitDetector] = {}
    for slot, row in enumerate(slots):
        unit = int(row["unit"])
        names[unit] = Named(
            unit, f"unit {unit}", row["formula"] or "", row["words"] or "",
            float("nan") if row["score_heldout"] is None else float(row["score_heldout"]), bool(row["named"]),
        )  # fmt: skip
        rows, counts = activity.unit(slot)
        near = [name for name in beside.get(unit, []) if name in table.by_name]
        detectors[unit] = UnitDetector(table, Fires(rows, counts), stated.get(unit, []), near)
    return names, detectors
