"""What a model does with its units: accuracy where they fire, what they add, what is lost without each.

    effect of unit u = mean loss with u ablated - mean loss;   selectivity = (m1 - m2) / (m1 + m2)

m1 is the unit's mean activation on the class that it is highest on, m2 its mean over the other classes. Effects are
paired over items, with a bootstrap interval; beside each stands the mean effect of the units nearest in mass. Curves
cut units in an order measured on one half of the items and count right answers on the other.

Source: Bau et al. 2020 (unit ablation); Zhou, Sun, Bau & Torralba 2018, Revisiting the importance of individual units;
Morcos, Barrett, Rabinowitz & Botvinick 2018, On the importance of single directions (selectivity, cumulative ablation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.verify.proportions import wilson

RESAMPLES = 500
NEAREST = 5
"""Units of like mass whose mean effect stands beside a unit's own."""
RANDOM_ORDERS = 5

Each = Callable[[str], Iterator[tuple[int, Float[np.ndarray, "item klass"]]]]
"""How units are ablated (`mean`, `zero`, `resample`) -> (unit, logits without it), unit after unit."""
Together = Callable[[tuple[int, ...]], Float[np.ndarray, "item klass"]]
"""Units -> logits with all of them set to their mean."""


@dataclass(frozen=True, eq=False)
class UnitEffect:
    """What is lost without one unit, or a set of them.

    Attributes
    ----------
    loss, low, high:
        Change of the mean cross-entropy, and its 95 % interval.
    accuracy, accuracy_low, accuracy_high:
        Change of the share of right answers, and its interval.
    by_class:
        The same for each class; NaN without an item.
    """

    loss: float
    low: float
    high: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    by_class: Float[np.ndarray, " klass"]


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """Right answers after a cut of the first `cut` units of an order."""

    order: str
    cut: int
    share: float
    accuracy: float
    low: float
    high: float
    loss: float


def losses_of(logits: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"]) -> Float[np.ndarray, " item"]:
    """Cross-entropy of each item, in nats."""
    top = logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0] - logits[np.arange(len(truth)), truth]


def effect_of(
    before: Float[np.ndarray, "item klass"], after: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"],
    *, drawn: Float[np.ndarray, "draw item"],
) -> UnitEffect:  # fmt: skip
    """Compare two sets of logits of the same items.

    Parameters
    ----------
    drawn:
        Share of each resample that each item makes up, for the intervals.
    """
    grown = losses_of(after, truth) - losses_of(before, truth)
    right = (after.argmax(axis=1) == truth).astype(float) - (before.argmax(axis=1) == truth)
    (low, high), (less, more) = np.quantile(drawn @ np.stack([grown, right], axis=1), [0.025, 0.975], axis=0).T
    count = np.bincount(truth, minlength=before.shape[1]).astype(float)
    with np.errstate(invalid="ignore"):
        by_class = np.bincount(truth, weights=right, minlength=before.shape[1]) / np.where(count > 0, count, np.nan)
    return UnitEffect(
        float(grown.mean()), float(low), float(high), float(right.mean()), float(less), float(more), by_class
    )


def resampled(items: int, seed: int) -> Float[np.ndarray, "draw item"]:
    """Items drawn with replacement, for every interval alike: of each resample the share that each item makes up."""
    drawn = np.random.default_rng([seed, 67]).integers(0, items, size=(RESAMPLES, items))
    return np.stack([np.bincount(row, minlength=items) for row in drawn]) / items


def effects_of_each(
    each: Each, before: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"], *, seed: int, how: str
) -> dict[int, UnitEffect]:
    """The effect of every unit, one at a time."""
    drawn = resampled(len(truth), seed)
    return {unit: effect_of(before, after, truth, drawn=drawn) for unit, after in each(how)}


def like_mass(effects: Mapping[int, UnitEffect], mass: Float[np.ndarray, " unit"]) -> dict[int, float]:
    """For each unit the mean effect on the loss of the units nearest to it in mass: its control."""
    units = np.array(sorted(effects))
    found: dict[int, float] = {}
    for unit in units.tolist():
        rest = units[units != unit]
        near = rest[np.argsort(np.abs(mass[rest] - mass[unit]), kind="stable")[:NEAREST]]
        found[unit] = float(np.mean([effects[int(n)].loss for n in near])) if len(near) else float("nan")
    return found


def selectivity(
    values: Float[np.ndarray, "item unit"], truth: Int[np.ndarray, " item"]
) -> tuple[Float[np.ndarray, " unit"], Int[np.ndarray, " unit"]]:
    """Class selectivity of each unit's activation, made positive, and the class that it is highest on."""
    classes = np.unique(truth)
    means = np.stack([values[truth == k].mean(axis=0) for k in classes])
    best = means.argmax(axis=0)
    top = means[best, np.arange(means.shape[1])]
    rest = (means.sum(axis=0) - top) / max(len(classes) - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(top + rest > 0, (top - rest) / (top + rest), 0.0)
    return found, classes[best]


def cut_sizes(units: int) -> list[int]:
    """How many units are cut at each point of a curve: 0, 1, 2, 4 ... and all."""
    sizes, size = [0], 1
    while size < units:
        sizes.append(size)
        size *= 2
    return [*sizes, units]


def cumulative_curves(
    together: Together, first: Mapping[int, UnitEffect], truth: Int[np.ndarray, " item"],
    counted: Bool[np.ndarray, " item"], *, seed: int,
) -> list[CurvePoint]:  # fmt: skip
    """Cut units one after another: those that matter most first, least first, at random.

    Parameters
    ----------
    first:
        Effects on the other half of the items: they decide the order.
    counted:
        The half that right answers are counted on.
    """
    units = np.array(sorted(first))
    loss = np.array([first[int(unit)].loss for unit in units])
    orders: list[tuple[str, np.ndarray]] = [
        ("best", units[np.argsort(-loss, kind="stable")]), ("worst", units[np.argsort(loss, kind="stable")]),
    ]  # fmt: skip
    generator = np.random.default_rng([seed, 71])
    orders += [("random", generator.permutation(units)) for _ in range(RANDOM_ORDERS)]
    points: dict[tuple[str, int], list[tuple[np.ndarray, float]]] = {}
    for name, order in orders:
        for size in cut_sizes(len(units)):
            logits = together(tuple(int(n) for n in order[:size]))[counted]
            right = logits.argmax(axis=1) == truth[counted]
            points.setdefault((name, size), []).append((right, float(losses_of(logits, truth[counted]).mean())))
    found = []
    for (name, size), drawn in points.items():
        right = np.concatenate([each for each, _ in drawn])
        share = float(right.mean())
        low, high = wilson(round(share * len(drawn[0][0])), len(drawn[0][0]))
        found.append(CurvePoint(name, size, size / len(units), share, low, high, float(np.mean([v for _, v in drawn]))))
    return found


def group_effects(
    together: Together, before: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"],
    groups: Mapping[str, Sequence[int]], sets: Mapping[str, Sequence[Sequence[int]]], *, seed: int,
) -> list[tuple[str, str, tuple[int, ...], UnitEffect]]:  # fmt: skip
    """The effect of each group of units, and of random groups of the same size and mass."""
    drawn = resampled(len(truth), seed)
    found = []
    for name, units in groups.items():
        chosen = tuple(units)
        found.append((name, "own", chosen, effect_of(before, together(chosen), truth, drawn=drawn)))
        for other in sets.get(name, ()):
            found.append((name, "random", tuple(other), effect_of(before, together(tuple(other)), truth, drawn=drawn)))
    return found
