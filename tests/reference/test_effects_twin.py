"""Effects of units against loops over items, in Python's floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microtome.recipes.audit.effects import (
    CurvePoint,
    UnitEffect,
    cumulative_curves,
    effect_of,
    effects_of_each,
    group_effects,
    like_mass,
    losses_of,
    resampled,
    selectivity,
)


def tables(seed: int, items: int = 30, classes: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits before and after, and classes; the last class has no item."""
    generator = np.random.default_rng(seed)
    before = 3 * generator.normal(size=(items, classes))
    return before, before + generator.normal(size=(items, classes)), generator.integers(0, classes - 1, items)


def literal_loss(logits: list[float], label: int) -> float:
    """Cross-entropy of one item."""
    return -math.log(math.exp(logits[label]) / sum(math.exp(each) for each in logits))


def literal_mean(rows: list[int], before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> float:
    """Mean growth of the loss over some items."""
    grown = [literal_loss(after[n].tolist(), truth[n]) - literal_loss(before[n].tolist(), truth[n]) for n in rows]
    return sum(grown) / len(grown)


def literal_right(n: int, logits: np.ndarray, truth: np.ndarray) -> int:
    return int(max(range(logits.shape[1]), key=lambda k: logits[n, k]) == truth[n])


def items_of(shares: np.ndarray) -> list[int]:
    """The items of a resample, each as often as it was drawn."""
    return [n for n, share in enumerate(shares.tolist()) for _ in range(round(30 * share))]


@pytest.mark.parametrize("seed", range(3))
def test_an_effect_equals_a_loop(seed: int) -> None:
    before, after, truth = tables(seed)
    drawn = resampled(30, seed)
    found = effect_of(before, after, truth, drawn=drawn)
    assert losses_of(before, truth) == pytest.approx(
        [literal_loss(before[n].tolist(), truth[n]) for n in range(30)], rel=1e-12
    )
    assert found.loss == pytest.approx(literal_mean(list(range(30)), before, after, truth), rel=1e-10)
    means = sorted(literal_mean(items_of(shares), before, after, truth) for shares in drawn)
    for quantile, value in ((0.025, found.low), (0.975, found.high)):
        place = quantile * (len(means) - 1)
        lower = means[math.floor(place)]
        assert value == pytest.approx(lower + (place % 1) * (means[math.floor(place) + 1] - lower), rel=1e-10)
    right = [literal_right(n, after, truth) - literal_right(n, before, truth) for n in range(30)]
    assert found.accuracy == pytest.approx(sum(right) / 30)
    changes = sorted(sum(right[n] for n in items_of(shares)) / 30 for shares in drawn)
    for quantile, value in ((0.025, found.accuracy_low), (0.975, found.accuracy_high)):
        place = quantile * (len(changes) - 1)
        lower = changes[math.floor(place)]
        assert value == pytest.approx(lower + (place % 1) * (changes[math.floor(place) + 1] - lower), abs=1e-12)
    for label in range(3):
        own = [change for change, k in zip(right, truth, strict=True) if k == label]
        assert found.by_class[label] == pytest.approx(sum(own) / len(own))
    assert np.isnan(found.by_class[3])
    assert found.low < found.loss < found.high


def test_each_unit_gets_its_own_effect_and_every_interval_the_same_items() -> None:
    before, after, truth = tables(7)
    steps = {4: after, 2: before, 9: 2 * before}
    found = effects_of_each(lambda how: iter(steps.items()), before, truth, seed=5, how="mean")
    drawn = resampled(30, 5)
    for unit, logits in steps.items():
        expected = effect_of(before, logits, truth, drawn=drawn)
        assert (found[unit].loss, found[unit].low, found[unit].high) == (expected.loss, expected.low, expected.high)
    assert (found[2].loss, found[2].low, found[2].high, found[2].accuracy) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_control_is_the_mean_of_the_five_nearest_in_mass(seed: int) -> None:
    generator = np.random.default_rng(seed)
    units, mass = [3, 5, 0, 11, 7, 2, 8, 9], generator.random(12)
    effects = {unit: UnitEffect(float(generator.normal()), *[0.0] * 5, np.zeros(2)) for unit in units}
    found = like_mass(effects, mass)
    for unit in units:
        near = sorted((abs(mass[other] - mass[unit]), other) for other in units if other != unit)[:5]
        assert found[unit] == pytest.approx(sum(effects[other].loss for _, other in near) / 5)
    assert like_mass({4: effects[3]}, mass)[4] != like_mass({4: effects[3]}, mass)[4], "alone it has no control: NaN"


@pytest.mark.parametrize("seed", range(3))
def test_selectivity_equals_a_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values, truth = generator.random((25, 6)), generator.choice([1, 4, 5], 25)
    found, best = selectivity(values, truth)
    for unit in range(6):
        means = {
            label: sum(v for v, k in zip(values[:, unit].tolist(), truth, strict=True) if k == label)
            / sum(k == label for k in truth.tolist())
            for label in (1, 4, 5)
        }
        top = max(means, key=means.__getitem__)
        rest = sum(mean for label, mean in means.items() if label != top) / 2
        assert best[unit] == top
        assert found[unit] == pytest.approx((means[top] - rest) / (means[top] + rest))


def additive(seed: int, items: int = 40, units: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """What each unit adds to the logits [item unit klass], and classes."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 3, items)
    adds = 0.5 * generator.normal(size=(items, units, 3))
    adds[np.arange(items)[:, None], np.arange(3)[None], truth[:, None]] += np.array([3.0, 1.5, 0.7])
    return adds, truth


def test_curves_cut_a_growing_prefix_of_an_order_and_count_on_the_other_half() -> None:
    adds, truth = additive(1)
    counted = np.arange(40) % 2 == 0
    rest = np.flatnonzero(~counted)
    asked: list[tuple[int, ...]] = []

    def together(units: tuple[int, ...]) -> np.ndarray:
        asked.append(units)
        return adds[:, [u for u in range(6) if u not in units]].sum(axis=1)

    before = adds.sum(axis=1)
    first = effects_of_each(
        lambda how: ((unit, (before - adds[:, unit])[rest]) for unit in range(6)), before[rest], truth[rest],
        seed=0, how="mean",
    )  # fmt: skip
    points = {(point.order, point.cut): point for point in cumulative_curves(together, first, truth, counted, seed=0)}
    by_loss = sorted(range(6), key=lambda unit: -first[unit].loss)
    for order, ranked in (("best", by_loss), ("worst", by_loss[::-1])):
        for size in (0, 1, 2, 4, 6):
            logits = adds[:, [u for u in range(6) if u not in ranked[:size]]].sum(axis=1)
            rows = np.flatnonzero(counted).tolist()
            point = points[order, size]
            assert point.accuracy == pytest.approx(sum(literal_right(n, logits, truth) for n in rows) / 20)
            losses = [literal_loss(logits[n].tolist(), truth[n]) for n in rows]
            assert point.loss == pytest.approx(sum(losses) / 20, rel=1e-9)
            assert point.share == size / 6
            assert point.low <= point.accuracy <= point.high
    assert set(points) == {(order, size) for order in ("best", "worst", "random") for size in (0, 1, 2, 4, 6)}
    assert points["best", 2].accuracy < points["worst", 2].accuracy - 0.2, "the order matters"
    assert points["best", 2].loss > points["random", 2].loss > points["worst", 2].loss
    ends(points)


def ends(points: dict[tuple[str, int], CurvePoint]) -> None:
    """With none and with all cut, the order does not matter."""
    for size in (0, 6):
        drawn = [points[order, size] for order in ("best", "worst", "random")]
        assert len({point.accuracy for point in drawn}) == 1
        assert np.ptp([point.loss for point in drawn]) < 1e-12
    assert points["best", 0].accuracy > 0.9
    assert points["best", 6].loss == pytest.approx(math.log(3))


def test_groups_and_their_controls_are_each_cut_together() -> None:
    adds, truth = additive(2)
    before = adds.sum(axis=1)

    def together(units: tuple[int, ...]) -> np.ndarray:
        return before - adds[:, list(units)].sum(axis=1)

    found = group_effects(together, before, truth, {"a": [0, 1], "b": [4, 5]}, {"a": [(4, 5), (3, 4)]}, seed=3)
    assert [row[:3] for row in found] == [
        ("a", "own", (0, 1)), ("a", "random", (4, 5)), ("a", "random", (3, 4)), ("b", "own", (4, 5)),
    ]  # fmt: skip
    for _, _, units, effect in found:
        assert effect.loss == pytest.approx(literal_mean(list(range(40)), before, together(units), truth), rel=1e-9)
    assert found[0][3].loss > 0.5 > found[1][3].loss
