"""Exact to two leaves on tables of thousands of concepts, then on by beam: the search for text.

A sentence pair has some forty concepts: triples that share a row are hundreds of millions, and a matrix of all pairs
takes hundreds of megabytes. Bounds leave a few dozen concepts that can be part of the best pair (`pairs_kernel`). Of
three leaves, the beam's best competes with the best pair beside each of the best single terms (`within_kernel`): not
proved best of all, but without the beam's blind spots.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt64

from microtome.core import measures
from microtome.core.explanation import Certificate, Explanation
from microtome.core.formula import length as leaf_count
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.arrays import Buffers
from microtome.methods.dissect.beam import Beam, Found
from microtome.methods.dissect.steps import AND, AND_EITHER, AND_NOT, OR, SEED, Step, formula_of

BESIDE = 2
"""How many of the best single terms are tried as f, of those that cover at most half of the elements: beside a term
that covers nearly all of them the search would be that for pairs once more."""


@dataclass(frozen=True)
class _Unit:
    """A unit laid out for the kernels: active elements, its count on every row, the counts of every term, its bits."""

    active: int
    dense: Int[np.ndarray, "signature"]
    single: Int[np.ndarray, "term 3"]
    bits: UInt64[np.ndarray, "3 word"]


class PairsFinder:
    """The search of one table. Thread-safe.

    Parameters
    ----------
    table:
        The signatures.
    max_length, beam, penalty, metric:
        As in `Exact`.
    """

    def __init__(self, table: SignatureTable, *, max_length: int, beam: int, penalty: float, metric: Metric) -> None:
        self._terms, self._total = table.terms, table.total
        self._longest, self._penalty = max_length, penalty
        self._metric: Metric = metric
        self._short = Beam(table, width=beam, longest=min(3, max_length))
        self._long = Beam(table, width=beam, longest=max_length, penalty=penalty) if max_length > 3 else None
        self._buffers = Buffers()
        self._shared: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        """Best formula of each length: the first two are proved, the others a beam found from there."""
        from microtome.methods.dissect.beam_loop import active_sums
        from microtome.methods.dissect.neighbours_kernel import active_bits, group_sums

        active = int(counts.sum())
        best = self._short(rows, counts)
        if not best:
            return ()
        arrays, get = self._short.arrays, self._buffers.get
        dense, single = get("dense", (arrays.n_rows,)), get("single", (arrays.n_terms, 3))
        bits = get("bits", (3, arrays.group_bits.shape[1]), np.uint64)
        dense[rows] = counts
        single[:, 0] = arrays.single_n
        active_sums(arrays.indptr, arrays.indices, rows, counts, single)
        group_sums(arrays.column_ptr, arrays.column_rows, arrays.n_concepts, dense, single)
        if len(arrays.group_bits):
            active_bits(arrays.starts, rows, counts, bits[0])
        unit = _Unit(active, dense, single, bits)
        certificates: list[Certificate | None] = [self._single_proof(best[0], active)]
        if len(best) > 1:
            best[1], certificate = self._pair(best[1], unit)
            certificates.append(certificate)
        if len(best) > 2:
            best[2] = self._three(max(best[2], best[1], key=lambda found: found.a / (found.n + active - found.a)), unit)
        dense[rows] = 0
        if self._long is not None:
            best += self._long(rows, counts, given=[found.steps for found in best])[3:]
        certificates += [None] * (len(best) - len(certificates))
        return tuple(
            self._explain(length, found, active, certificate)
            for length, (found, certificate) in enumerate(zip(best, certificates, strict=True), start=1)
        )

    def _single_proof(self, found: Found, active: int) -> Certificate:
        """Every single concept was evaluated."""
        own = (found.a, found.n + active - found.a)
        return Certificate(own, 1, len(self._terms), 0, own, own)

    def _pair(self, beam: Found, unit: _Unit) -> tuple[Found, Certificate]:
        from microtome.methods.dissect.pairs_kernel import (
            BOTH,
            EVALUATED,
            FIRST,
            OP,
            SECOND,
            UNION,
            best_pair,
            promising,
        )

        arrays, get, active = self._short.arrays, self._buffers.get, unit.active
        start = (beam.a, beam.n + active - beam.a)
        order = promising(arrays.single_n, np.ascontiguousarray(unit.single[:, 1]), active, *start)
        best = np.array([*start, -1, -1, -1, 0], np.int64)
        best_pair(
            arrays.kernel_table, unit.single, unit.dense, active, order, self._shared_of(order),
            get("scratch", (arrays.n_concepts,)), get("done", (arrays.n_terms,), np.bool_), unit.bits, best,
        )  # fmt: skip
        both, union, evaluated = int(best[BOTH]), int(best[UNION]), int(best[EVALUATED])
        terms = arrays.n_terms
        everything = terms + 2 * terms * (terms - 1)
        proof = Certificate((both, union), 1, evaluated, everything - evaluated, start, (both, union))
        if best[OP] < 0:
            return beam, proof
        steps = _steps(int(best[OP]), int(best[FIRST]), int(best[SECOND]))
        return Found(steps, union - active + both, both, 2, both / union), proof

    def _three(self, start: Found, unit: _Unit) -> Found:
        """The start, or the best of f OR (x AND y), f OR (x AND NOT y), f AND (x OR y) for the best single f."""
        from microtome.methods.dissect.pairs_kernel import BOTH, FIRST, OP, SECOND, UNION
        from microtome.methods.dissect.within_kernel import INSIDE, OUTSIDE, best_within

        arrays, get, active = self._short.arrays, self._buffers.get, unit.active
        best = np.array([start.a, start.n + active - start.a, -1, -1, -1, 0], np.int64)
        steps: tuple[Step, ...] = ()
        ious = unit.single[:, 1] / (unit.single[:, 0] + active - unit.single[:, 1])
        ious[2 * unit.single[:, 0] > self._total] = -1.0
        for term in np.argsort(-ious, kind="stable")[:BESIDE].tolist():
            for mode in (OUTSIDE, INSIDE):
                better = best_within(
                    arrays.kernel_table, unit.dense, active, term, mode, unit.single,
                    get("inside", (arrays.n_rows,), np.bool_), get("counts", (arrays.n_terms, 2)),
                    get("shared", (arrays.n_concepts, 2)), get("done", (arrays.n_terms,), np.bool_), unit.bits, best,
                )  # fmt: skip
                if better:
                    steps = _beside(term, int(best[OP]), int(best[FIRST]), int(best[SECOND]))
        if not steps:
            return start
        both, union = int(best[BOTH]), int(best[UNION])
        return Found(steps, union - active + both, both, 3, both / union)

    def _shared_of(self, order: np.ndarray) -> Int[np.ndarray, "chosen concept"]:
        """Elements of x & y for each chosen x and every y; they depend on the table alone and are kept."""
        from microtome.methods.dissect.pairs_kernel import shared_elements

        arrays = self._short.arrays
        shared = np.empty((len(order), arrays.n_concepts), np.int64)
        for i, x in enumerate(order.tolist()):
            known = self._shared.get(x)
            if known is None:
                column = arrays.column_rows[arrays.column_ptr[x] : arrays.column_ptr[x + 1]]
                shared_elements(arrays.indptr, arrays.indices, arrays.weight, column, shared[i])
                known = shared[i].astype(np.int32 if self._total < 2**31 else np.int64)
                with self._lock:
                    self._shared[x] = known
            shared[i] = known
        return shared

    def _explain(self, length: int, found: Found, active: int, certificate: Certificate | None) -> Explanation:
        formula = formula_of(found.steps, self._terms)
        value = measures.score(self._metric, found.n, found.a, active, self._total)
        score = self._penalty ** (leaf_count(formula) - 1) * value
        return Explanation(length, formula, found.n, found.a, active, self._total, score, certificate)


def _steps(op: int, first: int, second: int) -> tuple[Step, ...]:
    """The formula as the beam writes it; of the two orders of OR and AND the one by name."""
    if op <= AND:
        first, second = sorted((first, second))
    return ((SEED, first, -1), (op, second, -1))


def _beside(term: int, op: int, first: int, second: int) -> tuple[Step, ...]:
    """f AND (x OR y), or (x AND y) OR f, or (x AND NOT y) OR f."""
    if op == OR:
        return ((SEED, term, -1), (AND_EITHER, min(first, second), max(first, second)))
    if op == AND:
        first, second = sorted((first, second))
    return ((SEED, first, -1), (AND if op == AND else AND_NOT, second, -1), (OR, term, -1))
