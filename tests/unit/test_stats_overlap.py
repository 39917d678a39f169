"""Counts of units and signatures, sparse, against a dense array."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.stats.overlap import Overlap


@pytest.mark.parametrize("seed", range(5))
def test_sparse_counts_equal_dense_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    units, signatures = 4, 7
    dense = np.zeros((units, signatures), np.int64)
    overlap = Overlap(units, signatures)
    for _ in range(12):
        unit = int(generator.integers(units - 1))
        rows = generator.choice(signatures, size=int(generator.integers(1, 5)), replace=False)
        counts = generator.integers(1, 9, size=len(rows))
        dense[unit, rows] += counts
        overlap.add(unit, rows, counts)
    activity = overlap.activity()
    assert len(activity) == units
    for unit in range(units):
        rows, counts = activity.unit(unit)
        assert rows.tolist() == np.flatnonzero(dense[unit]).tolist()
        assert counts.tolist() == dense[unit][dense[unit] > 0].tolist()


def test_nothing_added_is_no_activity() -> None:
    activity = Overlap(3, 5).activity()
    assert activity.indptr.tolist() == [0, 0, 0, 0]
    assert len(activity.rows) == len(activity.counts) == 0
