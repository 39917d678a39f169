"""Exact to two leaves on tables of thousands of concepts, then on by beam: the search for text.

A sentence pair has some forty concepts: triples that share a row are hundreds of millions, and a matrix of all pairs
takes hundreds of megabytes. Bounds leave a few dozen concepts that can be part of the best pair (`pairs_kernel`).
"""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Int

from microtome.core import measures
from microtome.core.explanation import Certificate, Explanation
from microtome.core.formula import length as leaf_count
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.arrays import Buffers
from microtome.methods.dissect.beam import Beam, Found
from microtome.methods.dissect.steps import AND, SEED, Step, formula_of


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
        self._short = Beam(table, width=beam, longest=min(2, max_length))
        self._long = Beam(table, width=beam, longest=max_length, penalty=penalty) if max_length > 2 else None
        self._buffers = Buffers()
        self._shared: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __call__(self, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> tuple[Explanation, ...]:
        """Best formula of each length: the first two are proved, the others a beam found from there."""
        active = int(counts.sum())
        short = self._short(rows, counts)
        if not short:
            return ()
        best = [short[0]]
        certificates: list[Certificate | None] = [self._single_proof(short[0], active)]
        if len(short) > 1:
            pair, certificate = self._pair(short[1], rows, counts, active)
            best.append(pair)
            certificates.append(certificate)
        if self._long is not None:
            best += self._long(rows, counts, given=[found.steps for found in best], given_at=2)[2:]
        certificates += [None] * (len(best) - len(certificates))
        return tuple(
            self._explain(length, found, active, certificate)
            for length, (found, certificate) in enumerate(zip(best, certificates, strict=True), start=1)
        )

    def _single_proof(self, found: Found, active: int) -> Certificate:
        """Every single concept was evaluated."""
        own = (found.a, found.n + active - found.a)
        return Certificate(own, 1, len(self._terms), 0, own, own)

    def _pair(self, beam: Found, rows: np.ndarray, counts: np.ndarray, active: int) -> tuple[Found, Certificate]:
        from microtome.methods.dissect.beam_loop import active_sums
        from microtome.methods.dissect.neighbours_kernel import active_bits, group_sums
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

        arrays, get = self._short.arrays, self._buffers.get
        single, dense = get("single", (arrays.n_terms, 3)), get("dense", (arrays.n_rows,))
        dense[rows] = counts
        single[:, 0] = arrays.single_n
        active_sums(arrays.indptr, arrays.indices, rows, counts, single)
        group_sums(arrays.column_ptr, arrays.column_rows, arrays.n_concepts, dense, single)
        bits = get("bits", (3, arrays.group_bits.shape[1]), np.uint64)
        if len(arrays.group_bits):
            active_bits(arrays.starts, rows, counts, bits[0])
        start = (beam.a, beam.n + active - beam.a)
        order = promising(arrays.single_n, np.ascontiguousarray(single[:, 1]), active, *start)
        best = np.array([*start, -1, -1, -1, 0], np.int64)
        best_pair(
            arrays.kernel_table, single, dense, active, order, self._shared_of(order),
            get("scratch", (arrays.n_concepts,)), get("done", (arrays.n_terms,), np.bool_),
            bits, best,
        )  # fmt: skip
        dense[rows] = 0
        both, union, evaluated = int(best[BOTH]), int(best[UNION]), int(best[EVALUATED])
        terms = arrays.n_terms
        everything = terms + 2 * terms * (terms - 1)
        proof = Certificate((both, union), 1, evaluated, everything - evaluated, start, (both, union))
        if best[OP] < 0:
            return beam, proof
        steps = _steps(int(best[OP]), int(best[FIRST]), int(best[SECOND]))
        return Found(steps, union - active + both, both, 2, both / union), proof

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
