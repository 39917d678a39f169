"""The compiled beam behind a Python face: one object a table, safe to call from several threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from microtome.core.measures import METRICS, Metric
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.arrays import Buffers, TableArrays, table_arrays
from microtome.methods.dissect.steps import Step

_NO_FORMULAS = np.zeros((0, 1, 3), np.int64)


@dataclass(frozen=True)
class Found:
    """A formula as steps, with its counts and score."""

    steps: tuple[Step, ...]
    n: int
    a: int
    leaves: int
    score: float


class Beam:
    """Beam search over one table.

    Parameters
    ----------
    table:
        The signatures.
    width:
        Formulas kept at each length; time grows in proportion.
    longest:
        Leaves of the longest formula.
    metric, penalty:
        The score is penalty^(leaves - 1) * metric; a penalty below 1 prefers short formulas.
    share:
        Least and greatest share of the elements that a formula may cover, against trivial optima of one-sided
        metrics. (0, 1) for IoU.
    """

    def __init__(
        self,
        table: SignatureTable,
        *,
        width: int = 10,
        longest: int = 3,
        metric: Metric = "iou",
        penalty: float = 1.0,
        share: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.arrays: TableArrays = table_arrays(table)
        self.width, self.longest, self.metric = width, longest, metric
        self._penalties = np.array([1.0] + [penalty**k for k in range(longest + 2)])
        self._least = max(1, int(np.ceil(share[0] * table.total)))
        self._most = int(np.floor(share[1] * table.total))
        self._buffers = Buffers()

    def __call__(
        self,
        rows: Int[np.ndarray, "active"],
        counts: Int[np.ndarray, "active"],
        *,
        given: list[tuple[Step, ...]] | None = None,
        given_at: int = 0,
    ) -> list[Found]:
        """Best formula of at most 1, 2, ... leaves (fewer entries where none exists).

        `given` are formulas that enter the beam at length `given_at`; 0: each at its own.
        """
        from microtome.methods.dissect.beam_loop import active_sums, beam_search
        from microtome.methods.dissect.neighbours_kernel import active_bits, group_sums

        arrays, get = self.arrays, self._buffers.get
        active_total = int(counts.sum())
        if active_total == 0 or arrays.n_concepts == 0:
            return []
        active = get("active", (arrays.n_rows,))
        active[rows] = counts
        single = get("single", (arrays.n_terms, 3))
        single[:, 0], single[:, 2] = arrays.single_n, arrays.single_prints
        active_sums(arrays.indptr, arrays.indices, rows, counts, single)
        group_sums(arrays.column_ptr, arrays.column_rows, arrays.n_concepts, active, single)
        bits = get("bits", (3, arrays.group_bits.shape[1]), np.uint64)
        if self.metric != "auroc" and len(arrays.group_bits):
            active_bits(arrays.starts, rows, counts, bits[0])
        offered = _as_array(given) if given else _NO_FORMULAS
        pool = self._pool(len(offered) * offered.shape[1])
        limits = (METRICS.index(self.metric), active_total, arrays.total, self._least, self._most)
        best, scores = beam_search(
            arrays.kernel_table, active, single, pool,
            get("singles", (len(pool[1]), arrays.n_concepts, 3)),
            get("place_of", (arrays.n_terms,)), get("scratch", (arrays.n_concepts, 3)),
            bits, limits, self._penalties, self.width, self.longest, offered, given_at,
        )  # fmt: skip
        active[rows] = 0
        steps, lengths = pool[0], pool[1]
        return [
            Found(tuple((int(s[0]), int(s[1]), int(s[2])) for s in steps[slot, : lengths[slot]]), n, a, leaves, score)
            for (n, a, _, leaves, _, _, _, _, _, slot), score in zip(best.tolist(), scores.tolist(), strict=True)
            if slot >= 0
        ]

    def _pool(self, extra: int) -> tuple[np.ndarray, ...]:
        get, arrays = self._buffers.get, self.arrays
        slots = self.width * self.longest + extra + 1
        return (
            get("steps", (slots, self.longest + 1, 3)),
            get("lengths", (slots,)),
            get("rows", (slots, arrays.n_rows), np.int32),
            get("row_counts", (slots,)),
            get("sums", (slots, arrays.n_concepts, 3)),
            get("parents", (slots + 1,)),
        )


def _as_array(formulas: list[tuple[Step, ...]]) -> Int[np.ndarray, "formula step 3"]:
    longest = max(len(steps) for steps in formulas)
    array = np.full((len(formulas), longest, 3), -1, np.int64)
    for i, steps in enumerate(formulas):
        array[i, : len(steps)] = steps
    return array
