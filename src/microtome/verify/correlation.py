"""How two numbers go together over units, with intervals: is a better explained unit a more accurate one?

Pearson's r and Spearman's rho (r of the mid-ranks); percentile intervals of a bootstrap over units; two-sided p of r
from permutations, (1 + as large) / (1 + permutations).

Source: Mu & Andreas 2020, sections 4 and 5 (IoU against accuracy when active); Efron 1979 (bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

RESAMPLES = 2000
LEAST = 3


@dataclass(frozen=True)
class Correlation:
    """A correlation over `units` units; NaN throughout where fewer than three have both numbers, or one is constant."""

    units: int
    pearson: float
    pearson_interval: tuple[float, float]
    spearman: float
    spearman_interval: tuple[float, float]
    p: float


def correlate(one: Float[np.ndarray, "unit"], other: Float[np.ndarray, "unit"], *, seed: int) -> Correlation:
    """Correlate two numbers of each unit; units where either is NaN are left out.

    Parameters
    ----------
    seed:
        Decides resamples and permutations.
    """
    known = ~(np.isnan(one) | np.isnan(other))
    x, y = one[known], other[known]
    nothing = (float("nan"), float("nan"))
    if len(x) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(len(x), float("nan"), nothing, float("nan"), nothing, float("nan"))
    generator = np.random.default_rng([seed, 5])
    pearson = float(_rows(x[None], y[None])[0])
    spearman = float(_rows(_ranks(x[None]), _ranks(y[None]))[0])
    drawn = generator.integers(0, len(x), size=(RESAMPLES, len(x)))
    resampled = _rows(x[drawn], y[drawn])
    ranked = _rows(_ranks(x[drawn]), _ranks(y[drawn]))
    shuffled = generator.permuted(np.broadcast_to(y, (RESAMPLES, len(y))), axis=1)
    # A permutation that gives the same r differs from it in the last bit.
    as_large = int((np.abs(_rows(np.broadcast_to(x, shuffled.shape), shuffled)) >= abs(pearson) - 1e-12).sum())
    return Correlation(
        len(x), pearson, _interval(resampled), spearman, _interval(ranked), (1 + as_large) / (1 + RESAMPLES)
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values, axis=1)


def _rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of each row; NaN where a row is constant."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, (x * y).sum(axis=1) / scale, np.nan)


def _interval(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return float(low), float(high)
