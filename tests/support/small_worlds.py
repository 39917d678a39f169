"""Small random worlds for the searches: dense columns, the table of signatures made of them, a unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microtome.core.concept import Concept
from microtome.core.signatures import SignatureTable


@dataclass(frozen=True)
class SmallWorld:
    """Elements with known concepts, and a unit that fires on some of them."""

    columns: dict[str, np.ndarray]
    table: SignatureTable
    row_of: np.ndarray
    unit: np.ndarray

    @property
    def activity(self) -> tuple[np.ndarray, np.ndarray]:
        """The unit's rows and counts."""
        return activity_of(self.row_of, self.unit)


def table_of(columns: dict[str, np.ndarray]) -> tuple[SignatureTable, np.ndarray]:
    """The table of signatures of dense columns (in name order), and each element's row."""
    names = sorted(columns)
    dense = np.stack([columns[name] for name in names], axis=1)
    rows, inverse, weight = np.unique(dense, axis=0, return_inverse=True, return_counts=True)
    sets = [np.flatnonzero(row) for row in rows]
    indptr = np.concatenate(([0], np.cumsum([len(s) for s in sets]))).astype(np.int64)
    indices = np.concatenate([*sets, np.zeros(0, int)]).astype(np.int32)
    concepts = tuple(Concept(name, "object") for name in names)
    return SignatureTable(concepts, indptr, indices, weight.astype(np.int64)), inverse.reshape(-1)


def activity_of(row_of: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with an active element and how many of them are active."""
    rows, counts = np.unique(row_of[unit], return_counts=True)
    return rows.astype(np.int32), counts.astype(np.int64)


def small_world(seed: int, *, concepts: int = 5, elements: int = 80) -> SmallWorld:
    """Random columns of various density, some of them copies or empty, and a unit that follows some of them."""
    generator = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {}
    for c in range(concepts):
        density = generator.choice([0.0, 0.05, 0.2, 0.5, 0.9], p=[0.05, 0.25, 0.4, 0.2, 0.1])
        columns[f"c{c}"] = generator.random(elements) < density
        if c and generator.random() < 0.1:
            columns[f"c{c}"] = columns[f"c{generator.integers(c)}"].copy()
    base = columns[f"c{generator.integers(concepts)}"] | (
        columns[f"c{generator.integers(concepts)}"] & ~columns[f"c{generator.integers(concepts)}"]
    )
    unit = base ^ (generator.random(elements) < generator.choice([0.02, 0.1, 0.4]))
    table, row_of = table_of(columns)
    return SmallWorld(columns, table, row_of, unit)
