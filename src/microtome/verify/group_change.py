"""How much better is the worst group after a change? Paired, with the interval of a bootstrap within groups.

    difference = worst group's accuracy after - worst group's accuracy before

The worst group may be another one afterwards. Images are drawn anew within each group, the same for before and after.

Source: Efron 1979 (bootstrap); Sagawa, Koh, Hashimoto & Liang 2020 (worst-group accuracy).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.errors import DataError
from microtome.verify.paired import Mean

RESAMPLES = 2000
_AT_ONCE = 100


@dataclass(frozen=True)
class GroupChange:
    """Differences after - before, with 95 % intervals.

    Attributes
    ----------
    worst:
        Of the worst group's accuracy.
    mean:
        Of the accuracy over all images, groups at the sizes they have.
    """

    worst: Mean
    mean: Mean


def group_shares(
    right: Bool[np.ndarray, "*draw image"], group: Int[np.ndarray, " image"]
) -> Float[np.ndarray, "*draw group"]:
    """Accuracy of every group that occurs, in order of its number."""
    return np.stack([right[..., group == number].mean(axis=-1) for number in np.unique(group)], axis=-1)


def group_change(
    before: Bool[np.ndarray, " image"],
    after: Bool[np.ndarray, " image"],
    group: Int[np.ndarray, " image"],
    *,
    seed: int,
) -> GroupChange:
    """Compare two states of a classifier on the same images.

    Parameters
    ----------
    before, after:
        Whether each image is classified rightly.
    group:
        The group of each image, from 0.
    seed:
        Decides resamples.

    Raises
    ------
    DataError
        Without an image.
    """
    if not len(group):
        raise DataError("There is no image to compare on.", expected="at least one")
    generator = np.random.default_rng([seed, 23])
    numbers = np.unique(group)
    sizes = np.array([(group == number).sum() for number in numbers])
    drawn = np.empty((2, RESAMPLES, len(numbers)))
    for place, number in enumerate(numbers):
        inside = np.stack((before[group == number], after[group == number])).astype(np.float64)
        for first in range(0, RESAMPLES, _AT_ONCE):
            chosen = generator.integers(0, inside.shape[1], size=(_AT_ONCE, inside.shape[1]))
            drawn[:, first : first + _AT_ONCE, place] = inside[:, chosen].mean(axis=2)
    worst = drawn[1].min(axis=1) - drawn[0].min(axis=1)
    mean = (drawn[1] - drawn[0]) @ sizes / sizes.sum()
    exact = np.stack((group_shares(before, group), group_shares(after, group)))
    return GroupChange(
        _interval(float(exact[1].min() - exact[0].min()), worst),
        _interval(float(after.mean() - before.mean()), mean),
    )


def _interval(value: float, draws: Float[np.ndarray, " draw"]) -> Mean:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Mean(value, float(low), float(high))
