"""Effects of units in closed form: selectivity, sizes of curves, planted units that matter and that do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microtome.recipes.audit.effects import (
    RESAMPLES,
    UnitEffect,
    cumulative_curves,
    cut_sizes,
    effect_of,
    effects_of_each,
    like_mass,
    losses_of,
    resampled,
    selectivity,
)

TRUTH = np.repeat(np.arange(4), 5)


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((2.0, 0.0, 0.0, 0.0), 1.0),
        ((1.0, 1.0, 1.0, 1.0), 0.0),
        ((3.0, 1.0, 1.0, 1.0), 0.5),
        ((0.0, 6.0, 3.0, 3.0), 0.5),
        ((0.0, 0.0, 0.0, 0.0), 0.0),
    ],
)
def test_selectivity_in_closed_form(means: tuple[float, ...], expected: float) -> None:
    values = np.array(means)[TRUTH][:, None] * np.array([[1.0, 1e-6, 1e6]])
    found, best = selectivity(values, TRUTH)
    assert found == pytest.approx([expected] * 3), "the unit's scale does not matter"
    assert (best == int(np.argmax(means))).all()


def test_selectivity_names_the_class_and_not_its_place() -> None:
    """Where some classes have no item."""
    values = np.array([[0.0], [0.0], [5.0], [5.0]])
    assert selectivity(values, np.array([2, 2, 7, 7]))[1].tolist() == [7]


def test_losses_in_closed_form() -> None:
    logits = np.array([[0.0, 0.0], [1000.0, 0.0], [1000.0, 0.0], [0.0, math.log(3)]])
    assert losses_of(logits, np.array([0, 0, 1, 1])) == pytest.approx([math.log(2), 0.0, 1000.0, math.log(4 / 3)])
    assert losses_of(np.zeros((1, 10)), np.array([4])) == pytest.approx([math.log(10)])


def test_an_effect_that_is_the_same_for_each_item_has_no_width() -> None:
    before, after = np.zeros((20, 4)), np.zeros((20, 4))
    before[np.arange(20), TRUTH] = math.log(3)
    found = effect_of(before, after, TRUTH, drawn=resampled(20, 0))
    expected = math.log(4) - math.log(2)
    assert (found.loss, found.low, found.high) == pytest.approx((expected,) * 3)
    # All zeros: the first class is answered, so that one keeps its right answers and the others lose theirs.
    assert found.by_class.tolist() == [0.0, -1.0, -1.0, -1.0]
    assert found.accuracy == -0.75


def test_no_change_has_no_effect() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 4))
    found = effect_of(logits, logits.copy(), TRUTH, drawn=resampled(20, 0))
    assert (found.loss, found.low, found.high, found.accuracy) == (0.0, 0.0, 0.0, 0.0)
    assert not found.by_class.any()


def test_items_are_drawn_alike_by_the_seed() -> None:
    assert resampled(20, 1).shape == (RESAMPLES, 20)
    assert np.array_equal(resampled(20, 1), resampled(20, 1))
    assert not np.array_equal(resampled(20, 1), resampled(20, 2))
    counts = 7 * resampled(7, 3)
    assert np.allclose(counts, np.rint(counts))
    assert np.allclose(counts.sum(axis=1), 7)
    assert (counts.max(axis=0) > 1).all()


@pytest.mark.parametrize(
    ("units", "expected"),
    [(1, [0, 1]), (2, [0, 1, 2]), (5, [0, 1, 2, 4, 5]), (8, [0, 1, 2, 4, 8]), (9, [0, 1, 2, 4, 8, 9])],
)
def test_sizes_double_and_end_with_all(units: int, expected: list[int]) -> None:
    assert cut_sizes(units) == expected


def planted(items: int = 60, units: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """What units add [item unit klass]: unit 3 is the classifier, unit 5 works against it, the others do nothing."""
    truth = np.arange(items) % 4
    adds = np.zeros((items, units, 4))
    adds[np.arange(items), 3, truth] = 4.0
    adds[np.arange(items), 5, (truth + 1) % 4] = 1.0
    return adds, truth


def test_the_unit_that_decides_is_found_and_the_one_in_the_way_too() -> None:
    adds, truth = planted()
    before = adds.sum(axis=1)
    found = effects_of_each(lambda how: ((u, before - adds[:, u]) for u in range(8)), before, truth, seed=0, how="zero")
    assert max(found, key=lambda unit: found[unit].loss) == 3
    assert min(found, key=lambda unit: found[unit].loss) == 5
    assert found[3].accuracy == -1.0
    assert found[5].loss < 0
    assert all(found[unit].loss == 0.0 for unit in (0, 1, 2, 4, 6, 7))
    beside = like_mass(found, np.array([1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0]))
    assert beside[3] == 0.0, "units of its mass do nothing"


def test_curves_fall_at_once_with_the_best_first_and_at_the_end_with_the_best_last() -> None:
    adds, truth = planted()
    before = adds.sum(axis=1)
    counted = np.arange(60) < 30
    first = effects_of_each(lambda how: ((u, before - adds[:, u]) for u in range(8)), before, truth, seed=0, how="mean")
    points = cumulative_curves(lambda units: before - adds[:, list(units)].sum(axis=1), first, truth, counted, seed=0)
    found = {(point.order, point.cut): point for point in points}
    assert len(found) == len(points) == 15
    accuracy = {order: [found[order, size].accuracy for size in (0, 1, 2, 4, 8)] for order in ("best", "worst")}
    chance = float((truth[counted] == 0).mean())
    assert accuracy["worst"] == [1.0, 1.0, 1.0, 1.0, chance]
    assert accuracy["best"][:3] == [1.0, 0.0, 0.0], "what is left is the unit that works against it"
    assert accuracy["best"][4] == chance
    for order in ("best", "worst", "random"):
        assert found[order, 0].accuracy == 1.0
        assert found[order, 8].accuracy == chance
        assert found[order, 8].loss == pytest.approx(math.log(4))
        assert found[order, 8].share == 1.0
    assert 0.0 < found["random", 4].accuracy < 1.0


def test_the_control_of_a_unit_is_of_its_neighbours_in_mass() -> None:
    """Six loud units that matter and six silent ones that do not."""
    mass = np.array([10.0 + n for n in range(6)] + [0.1 * n for n in range(6)])
    effects = {n: UnitEffect(1.0 if n < 6 else 0.0, *[0.0] * 5, np.zeros(1)) for n in range(12)}
    found = like_mass(effects, mass)
    assert [found[n] for n in range(12)] == [1.0] * 6 + [0.0] * 6
