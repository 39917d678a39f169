"""Random tables of signatures, activity on them, and their elements written out one by one."""

from __future__ import annotations

import numpy as np

from microtome.core.concept import Concept
from microtome.core.formula import Formula, evaluate
from microtome.core.signatures import SignatureTable


def table_of(sets: list[tuple[str, ...]], weights: list[int], *, concepts: tuple[str, ...] = ()) -> SignatureTable:
    """A table from concept names; `concepts` adds names that no signature holds."""
    names = sorted({name for row in sets for name in row} | set(concepts))
    place = {name: index for index, name in enumerate(names)}
    rows = [sorted(place[name] for name in row) for row in sets]
    return SignatureTable(
        tuple(Concept(name, "object") for name in names),
        np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
        np.array([index for row in rows for index in row], np.int32),
        np.array(weights, np.int64),
    )


def random_table(seed: int, *, concepts: int = 7, signatures: int = 24, largest: int = 12) -> SignatureTable:
    """Distinct random sets of concepts, the empty one among them: most elements have no concept, as in images."""
    rng = np.random.default_rng(seed)
    names = [f"c{i:02d}" for i in range(concepts)]
    sets = {()}
    while len(sets) < signatures:
        sets.add(tuple(name for name in names if rng.random() < 0.35))
    ordered = sorted(sets)
    weights = rng.integers(1, largest + 1, len(ordered))
    weights[ordered.index(())] = 6 * weights.sum()
    return table_of(ordered, weights.tolist(), concepts=tuple(names))


def random_activity(table: SignatureTable, seed: int, *, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a unit fires on and on how many of their elements, each at least 1 and at most the weight."""
    rng = np.random.default_rng([seed, 1])
    fires = rng.random(table.n_signatures) < share
    fires[-1] = True
    rows = np.flatnonzero(fires)
    return rows.astype(np.int32), rng.integers(1, table.weight[rows] + 1).astype(np.int64)


def dense_counts(
    table: SignatureTable, formula: Formula, rows: np.ndarray, counts: np.ndarray
) -> tuple[int, int, int, int]:
    """(n, a, A, N), counted over all elements one by one."""
    signature_of = np.repeat(np.arange(table.n_signatures), table.weight)
    active = np.zeros(len(signature_of), bool)
    for row, count in zip(rows, counts, strict=True):
        active[np.flatnonzero(signature_of == row)[:count]] = True
    columns = {}
    for index, concept in enumerate(table.concepts):
        has = [index in table.indices[table.indptr[r] : table.indptr[r + 1]] for r in range(table.n_signatures)]
        columns[concept.name] = np.array(has, bool)[signature_of]
    holds = evaluate(formula, columns)
    return int(holds.sum()), int((holds & active).sum()), int(active.sum()), len(active)
