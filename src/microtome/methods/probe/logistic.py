"""Logistic regression on weighted samples with soft targets, L2 and L1, in float64.

    z_i = w . x_i + c
    loss = sum_i  p_i log(1 + e^-z_i) + q_i log(1 + e^z_i)  +  l2/2 |w|^2  +  l1 |w|_1

p_i = s_i t_i / (2 sum s t) and q_i = s_i (1 - t_i) / (2 sum s (1 - t)) for a sample of weight s and target t in [0, 1]:
both classes weigh one half whatever their sizes, and all samples together weigh 1. The bias c is not penalised.

The smooth loss goes to L-BFGS from zero; with L1, w = u - v with u, v >= 0 goes to L-BFGS-B, which leaves the weights
of unused units at exactly 0. Both are deterministic.

Source: Byrd, Lu, Nocedal & Zhu 1995, A limited memory algorithm for bound constrained optimization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError

_SMALLEST = 1e-3
"""The L1 path ends at this share of the penalty under which every weight is 0."""
_GRADIENT = 1e-7
_PROGRESS = 1e-12


@dataclass(frozen=True, eq=False)
class Samples:
    """What a regression learns from.

    Attributes
    ----------
    x:
        float64 [sample, unit], of like scale along every unit.
    positive, negative:
        p and q of the module's loss, [sample].
    """

    x: Float[np.ndarray, "sample unit"]
    positive: Float[np.ndarray, " sample"]
    negative: Float[np.ndarray, " sample"]

    @classmethod
    def balanced(
        cls,
        x: Float[np.ndarray, "sample unit"],
        target: Float[np.ndarray, " sample"],
        weight: Float[np.ndarray, " sample"],
    ) -> Samples:
        """Both classes brought to weight one half.

        Parameters
        ----------
        target:
            Share of the concept in each sample, 0 to 1.
        weight:
            How many samples each one stands for, above 0.

        Raises
        ------
        DataError
            If the concept holds nowhere, or everywhere.
        """
        there, absent = weight * target, weight * (1.0 - target)
        if not there.sum() > 0 or not absent.sum() > 0:
            raise DataError(
                "The concept holds " + ("everywhere" if there.sum() > 0 else "nowhere") + " on the searched half.",
                expected="places with it and places without it",
            )
        return cls(x, there / (2.0 * there.sum()), absent / (2.0 * absent.sum()))

    def of(self, units: Int[np.ndarray, " chosen"]) -> Samples:
        """The same samples, seen by some units only."""
        return Samples(np.ascontiguousarray(self.x[:, units]), self.positive, self.negative)


def loss_and_gradient(
    weights: Float[np.ndarray, " unit_and_bias"], samples: Samples, l2: float
) -> tuple[float, Float[np.ndarray, " unit_and_bias"]]:
    """The smooth loss and its gradient; the last entry of `weights` is the bias."""
    w, bias = weights[:-1], weights[-1]
    z = samples.x @ w + bias
    loss = samples.positive @ np.logaddexp(0.0, -z) + samples.negative @ np.logaddexp(0.0, z) + 0.5 * l2 * (w @ w)
    # The logistic function by tanh: no overflow at either end.
    share = 0.5 * (1.0 + np.tanh(0.5 * z))
    slope = samples.negative * share - samples.positive * (1.0 - share)
    return float(loss), np.append(slope @ samples.x + l2 * w, slope.sum())


def fit_l2(samples: Samples, l2: float, steps: int) -> Float[np.ndarray, " unit_and_bias"]:
    """The weights of least loss under L2; the last entry is the bias.

    Parameters
    ----------
    l2:
        Penalty, at least 0; raising it makes small weights of many units out of large ones of few.
    steps:
        L-BFGS stops after so many iterations, or when the gradient is below 1e-7.
    """
    from scipy.optimize import minimize

    found = minimize(
        loss_and_gradient, np.zeros(samples.x.shape[1] + 1), args=(samples, l2), jac=True, method="L-BFGS-B",
        options={"maxiter": steps, "gtol": _GRADIENT, "ftol": _PROGRESS},
    )  # fmt: skip
    return found.x


def fit_l1(
    samples: Samples, l1: float, steps: int, start: Float[np.ndarray, " unit_and_bias"] | None = None
) -> Float[np.ndarray, " unit_and_bias"]:
    """The weights of least loss under L1; units that are not needed have weight 0 exactly.

    Parameters
    ----------
    l1:
        Penalty, at least 0; raising it leaves fewer units.
    start:
        Weights to begin from, of a neighbouring penalty say.
    """
    from scipy.optimize import minimize

    units = samples.x.shape[1]

    def split(both: np.ndarray) -> tuple[float, np.ndarray]:
        weights = np.append(both[:units] - both[units:-1], both[-1])
        loss, gradient = loss_and_gradient(weights, samples, 0.0)
        by_unit = gradient[:-1]
        return loss + l1 * both[:-1].sum(), np.concatenate((by_unit + l1, l1 - by_unit, gradient[-1:]))

    begin = np.zeros(units + 1) if start is None else start
    both = np.concatenate((np.maximum(begin[:-1], 0.0), np.maximum(-begin[:-1], 0.0), begin[-1:]))
    found = minimize(
        split, both, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * (2 * units) + [(None, None)],
        options={"maxiter": steps, "gtol": _GRADIENT, "ftol": _PROGRESS},
    )  # fmt: skip
    return np.append(found.x[:units] - found.x[units:-1], found.x[-1])


def largest_l1(samples: Samples) -> float:
    """The least L1 penalty under which every weight is 0: the largest |gradient| at w = 0 with the best bias, 0."""
    _, gradient = loss_and_gradient(np.zeros(samples.x.shape[1] + 1), samples, 0.0)
    return float(np.abs(gradient[:-1]).max())


def entry_order(samples: Samples, penalties: int, steps: int) -> Int[np.ndarray, " entered"]:
    """Units in the order in which they get a weight as the L1 penalty falls; of one step the larger weight first.

    Parameters
    ----------
    penalties:
        How many penalties from the largest down to a thousandth of it, in equal ratios; raising it tells units apart
        that enter close together, and costs a fit each.
    """
    largest = largest_l1(samples)
    order: list[int] = []
    weights: np.ndarray | None = None
    for penalty in largest * np.geomspace(1.0, _SMALLEST, penalties + 1)[1:]:
        weights = fit_l1(samples, float(penalty), steps, weights)
        size = np.abs(weights[:-1])
        order += [int(unit) for unit in np.argsort(-size, kind="stable") if size[unit] > 0 and unit not in order]
        if len(order) == samples.x.shape[1]:
            break
    return np.array(order, np.int64)


def path_sizes(most: int) -> Sequence[int]:
    """1, 2, 3 ... 10, then larger by a quarter each, up to `most`: how many units are tried."""
    sizes, size = [], 1
    while size < most:
        sizes.append(size)
        size = max(size + 1, size * 5 // 4) if size >= 10 else size + 1
    return [*sizes, most] if most > 0 else []
