"""Exact search: the provably best formula of one, two and three leaves; longer ones go on from there by beam.

Formula space: every and/or tree of up to three leaves, each leaf negatable, that is false where no concept is present
(`shapes`). The certificate states in integers the best IoU, how many formulas were evaluated and how many a bound
excluded, and how far the beam fell short in its own space and in the full one.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from math import comb
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from microtome.core import measures
from microtome.core.errors import OptionError
from microtome.core.explanation import Certificate, Explanation, Finder
from microtome.core.formula import length as leaf_count
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable
from microtome.core.source import Source
from microtome.methods.dissect.arrays import Buffers, with_neighbours
from microtome.methods.dissect.beam import Beam
from microtome.methods.dissect.exact_pairs import PairsFinder
from microtome.methods.dissect.shapes import LEFT_DEEP, shape_steps
from microtome.methods.dissect.steps import Step, formula_of
from microtome.methods.dissect.triples import Triples, add_pairs, build_triples, pair_counts

_HEADROOM = 2**62


class _Best(NamedTuple):
    """The winner of one length: IoU = both / union."""

    steps: tuple[Step, ...]
    both: int
    union: int
    certificate: Certificate | None

    def beats(self, other: _Best) -> bool:
        return self.both * other.union > other.both * self.union


@dataclass(frozen=True)
class Exact:
    """Settings of the exact search.

    Attributes
    ----------
    max_length:
        Leaves of the longest formula. Up to 3 is exact; beyond, a beam starts from the exact formulas.
    beam:
        Width of that beam and of the one that gives the first bound.
    penalty:
        Score = penalty^(leaves - 1) * metric; it decides between lengths, not within one.
    metric:
        `iou`, or `f1`, which rises with the IoU and so has the same best formula.
    exact_length:
        Up to which length the best formula is proved: 3, or 2 on tables with dozens of concepts a row (text), where
        triples are out of reach.
    """

    max_length: int = 3
    beam: int = 10
    penalty: float = 1.0
    metric: Metric = "iou"
    exact_length: Literal[2, 3] = 3

    name = "exact"
    source = Source(
        "Mu & Andreas 2020, Compositional Explanations of Neurons; Dinkelbach 1967, On Nonlinear Fractional "
        "Programming",
        "section 3; theorem 1",
        "exact to three leaves over the table of signatures, with negation on every leaf",
    )

    def prepare(self, table: SignatureTable) -> Finder:
        """Pair and triple counts of the table, once. Raises OptionError where triples would not fit in memory."""
        if self.exact_length == 2:
            return PairsFinder(
                table, max_length=self.max_length, beam=self.beam, penalty=self.penalty, metric=self.metric
            )
        return _ExactFinder(self, table)


class _ExactFinder:
    def __init__(self, settings: Exact, table: SignatureTable) -> None:
        self._terms = table.terms
        # The counts of pairs and triples need NEIGHBOURS as a column of the rows.
        self._table = table = with_neighbours(table)
        self._settings = settings
        self._beam = Beam(table, width=settings.beam, longest=min(3, settings.max_length))
        self._long = None
        if settings.max_length > 3:
            self._long = Beam(table, width=settings.beam, longest=settings.max_length, penalty=settings.penalty)
        self._triples = build_triples(self._beam.arrays) if settings.max_length >= 3 else None
        self._pair_n = pair_counts(self._beam.arrays)
        self._buffers = Buffers()

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        active = int(counts.sum())
        if 2 * active * self._table.total >= _HEADROOM:
            raise OptionError(
                f"{self._table.total:,} elements with {active:,} active are too many for 64-bit certificates.",
                expected="2 * active * elements below 2^62",
                next_step="use --method compositional, a coarser grid or fewer images",
            )
        from_beam = [
            _Best(found.steps, found.a, found.n + active - found.a, None) for found in self._beam(rows, counts)
        ]
        if not from_beam:
            return ()
        pair_a = self._buffers.get("pair_a", self._pair_n.shape)
        pair_a[:] = 0
        arrays = self._beam.arrays
        add_pairs(arrays.indptr, arrays.indices, rows, counts, pair_a)
        best = self._short(pair_a, active, from_beam)
        if self._triples is not None:
            best.append(self._three(self._triples, rows, counts, pair_a, active, from_beam[-1], best[1]))
        best = best[: self._settings.max_length]
        if self._long is not None:
            found = self._long(rows, counts, given=[b.steps for b in best], given_at=3)
            best += [_Best(f.steps, f.a, f.n + active - f.a, None) for f in found[3:]]
        return tuple(self._explain(length, one, active) for length, one in enumerate(best, start=1))

    def _short(self, pair_a: np.ndarray, active: int, from_beam: list[_Best]) -> list[_Best]:
        """Lengths one and two: every formula is evaluated."""
        from microtome.methods.dissect.exact_kernel import best_short

        concepts = len(self._terms)
        sizes = (concepts, concepts + 2 * concepts * (concepts - 1))
        result: list[_Best] = []
        for i, (both, union, shape, a, b) in enumerate(best_short(self._pair_n, pair_a, active).tolist()):
            beam = from_beam[min(i, len(from_beam) - 1)]
            steps = shape_steps(shape, a, b, 0)
            certificate = Certificate((both, union), 1, sizes[i], 0, (beam.both, beam.union), (both, union))
            best = _Best(steps, both, union, certificate)
            # At equal IoU the beam's formula stands: it went through the tie rules (fewer NOTs, then names).
            result.append(best if best.beats(beam) else beam._replace(certificate=certificate))
        return result

    def _three(
        self, triples: Triples, rows: np.ndarray, counts: np.ndarray, pair_a: np.ndarray, active: int,
        beam: _Best, two: _Best,
    ) -> _Best:  # fmt: skip
        from microtome.methods.dissect.triples import add_triples

        triple_a = self._buffers.get("triple_a", triples.n.shape)
        triple_a[:] = 0
        add_triples(triples.row_ptr, triples.row_triples, rows, counts, triple_a)
        start = two if two.beats(beam) else beam
        full = self._maximise(triples, pair_a, triple_a, active, start, range(10))
        both, union, shape, a, b, c, rounds, evaluated = full
        own = full
        if shape not in LEFT_DEEP and shape >= 0:
            own = self._maximise(triples, pair_a, triple_a, active, start, LEFT_DEEP)
        steps = shape_steps(shape, a, b, c) if shape >= 0 else start.steps
        bounded = 32 * comb(len(self._terms), 3) * rounds - evaluated
        return _Best(steps, both, union, Certificate(
            (both, union), rounds, evaluated, bounded, (beam.both, beam.union), (own[0], own[1])
        ))  # fmt: skip

    def _maximise(
        self, triples: Triples, pair_a: np.ndarray, triple_a: np.ndarray, active: int, start: _Best,
        shapes: Container[int],
    ) -> tuple[int, ...]:  # fmt: skip
        from microtome.methods.dissect.exact_loop import best_of_three

        allowed = np.array([shape in shapes for shape in range(10)])
        outcome = best_of_three(
            self._pair_n, pair_a, triples.keys, triples.members, triples.n, triple_a, active,
            start.both, start.union, allowed, self._buffers.get("w", self._pair_n.shape),
        )  # fmt: skip
        return tuple(outcome.tolist())

    def _explain(self, length: int, best: _Best, active: int) -> Explanation:
        formula = formula_of(best.steps, self._terms)
        settings, n, total = self._settings, best.union - active + best.both, self._table.total
        value = measures.score(settings.metric, n, best.both, active, total)
        score = settings.penalty ** (leaf_count(formula) - 1) * value
        return Explanation(length, formula, n, best.both, active, total, score, best.certificate)
