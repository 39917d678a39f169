"""Is a change more than the control's? Before and after of the same items, with intervals and a test.

    change = mean(after - before),   difference = mean((after - before) - (control - before)) = mean(after - control)

Intervals are percentiles of a bootstrap over items (95 %). p is two-sided: how often random signs of the items' own
differences give a mean as large, all 2^n signs where there are at most 2^12, else (1 + as large) / (1 + drawn).
Shares of items have Wilson intervals (`proportions`), and differ by McNemar's exact test.

Source: Efron 1979 (bootstrap); Fisher 1935, The Design of Experiments, section 21 (signs); McNemar 1947.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

RESAMPLES = 2000
SIGNS = 10_000
EXACT = 12
"""With at most so many items every sign is tried."""


@dataclass(frozen=True)
class Mean:
    """A mean over items and its 95 % interval; NaN throughout without an item."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedChange:
    """What an edit does beside what its control does, to the same items.

    Attributes
    ----------
    items:
        How many.
    before, after:
        Means before and after the edit.
    change, control:
        Mean change by the edit, and by the control.
    difference:
        Mean of the one minus the other.
    p:
        Of the difference; NaN without an item.
    """

    items: int
    before: float
    after: float
    change: Mean
    control: Mean
    difference: Mean
    p: float


def paired_change(
    before: Float[np.ndarray, "item"],
    after: Float[np.ndarray, "item"],
    control: Float[np.ndarray, "item"],
    *,
    seed: int,
) -> PairedChange:
    """Compare an edit with its control on the same items.

    Parameters
    ----------
    before, after, control:
        One number an item: unedited, edited, edited by the control.
    seed:
        Decides resamples and signs.
    """
    generator = np.random.default_rng([seed, 11])
    columns = [after - before, control - before, after - control]
    change, beside, difference = (_mean(column, generator) for column in columns)
    nothing = float("nan")
    return PairedChange(
        len(before), float(before.mean()) if len(before) else nothing, float(after.mean()) if len(after) else nothing,
        change, beside, difference, sign_flip_p(columns[2], generator),
    )  # fmt: skip


def mean_of(values: Float[np.ndarray, "item"], *, seed: int) -> Mean:
    """A mean over items with its interval; `seed` decides resamples."""
    return _mean(values, np.random.default_rng([seed, 13]))


def sign_flip_p(differences: Float[np.ndarray, "item"], generator: np.random.Generator) -> float:
    """Two-sided p of a mean that is 0 where every difference might as well have the other sign; NaN without any."""
    count = len(differences)
    if not count:
        return float("nan")
    observed = abs(differences.sum())
    # A sum of the same numbers in another order differs in its last bits.
    bar = observed - 1e-9 * np.abs(differences).sum()
    if count <= EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return float((np.abs(signs @ differences) >= bar).mean())
    as_large = 0
    for start in range(0, SIGNS, 1000):
        signs = generator.choice(np.array([-1.0, 1.0]), size=(min(1000, SIGNS - start), count))
        as_large += int((np.abs(signs @ differences) >= bar).sum())
    return (1 + as_large) / (1 + SIGNS)


def mcnemar_p(one: Bool[np.ndarray, "item"], other: Bool[np.ndarray, "item"]) -> float:
    """Two-sided exact p that two yes/no answers about the same items have the same rate; 1 where they never differ."""
    more, less = int((one & ~other).sum()), int((other & ~one).sum())
    count, least = more + less, min(more, less)
    tail = sum(math.comb(count, k) for k in range(least + 1)) / 2**count
    return min(1.0, 2 * tail)


def _mean(values: np.ndarray, generator: np.random.Generator) -> Mean:
    if not len(values):
        return Mean(float("nan"), float("nan"), float("nan"))
    drawn = generator.integers(0, len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return Mean(float(values.mean()), float(low), float(high))
