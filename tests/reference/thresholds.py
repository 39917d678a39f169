"""Thresholds by their definition: the smallest activation that no more than the quantile's share exceed."""

from __future__ import annotations

import numpy as np


def threshold(values: np.ndarray, quantile: float) -> float:
    """The smallest observed T with #(a > T) <= quantile * #(a), trying one value after another, in float64."""
    flat = np.asarray(values, np.float64).ravel()
    for candidate in sorted(set(flat.tolist())):
        if int((flat > candidate).sum()) <= quantile * len(flat):
            return candidate
    raise AssertionError("nothing exceeds the largest value")
