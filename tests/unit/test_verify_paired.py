"""Paired changes: intervals that cover, an exact test of signs, McNemar's test in closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from microtome.verify.paired import SIGNS, mcnemar_p, paired_change, sign_flip_p


def test_an_exact_effect_is_told_exactly() -> None:
    before = np.arange(20.0)
    found = paired_change(before, before + 1.0, before, seed=0)
    assert (found.items, found.before, found.after) == (20, 9.5, 10.5)
    assert (found.change.mean, found.change.low, found.change.high) == (1.0, 1.0, 1.0)
    assert (found.control.mean, found.control.low, found.control.high) == (0.0, 0.0, 0.0)
    assert found.difference.mean == 1.0
    assert found.p == 1 / (1 + SIGNS)


def test_the_control_is_taken_off() -> None:
    """An edit that does what its control does shows a change and no difference."""
    generator = np.random.default_rng(0)
    before = generator.normal(size=200)
    after, control = (before + 1.0 + 0.3 * generator.normal(size=200) for _ in range(2))
    found = paired_change(before, after, control, seed=0)
    assert found.change.low > 0.9
    assert found.difference.low < 0.0 < found.difference.high
    assert found.p > 0.05


def test_intervals_cover_the_truth_and_p_keeps_its_level() -> None:
    generator = np.random.default_rng(1)
    covered, called = 0, 0
    for seed in range(120):
        before = generator.normal(size=60)
        found = paired_change(before, before + 0.5 + generator.normal(size=60), before, seed=seed)
        covered += found.change.low <= 0.5 <= found.change.high
        nothing = generator.normal(size=60)
        called += sign_flip_p(nothing, generator) <= 0.05
    assert covered >= 0.88 * 120
    assert called <= 0.11 * 120


def test_few_items_try_every_sign() -> None:
    differences = np.array([0.5, -0.25, 1.0, 2.0])
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((-1, 1), repeat=4)]  # fmt: skip
    expected = sum(one >= abs(differences.sum()) - 1e-12 for one in sums) / 16
    assert sign_flip_p(differences, np.random.default_rng(0)) == expected


def test_no_item_tells_nothing() -> None:
    nothing = np.zeros(0)
    found = paired_change(nothing, nothing, nothing, seed=0)
    assert found.items == 0
    assert np.isnan([found.before, found.change.low, found.difference.mean, found.p]).all()


def test_same_seed_same_interval() -> None:
    before = np.random.default_rng(2).normal(size=30)
    one, two = (paired_change(before, before**2, before, seed=4) for _ in range(2))
    assert one == two
    assert paired_change(before, before**2, before, seed=5) != one


@pytest.mark.parametrize(("more", "less", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (3, 1, 2 * 5 / 16), (4, 4, 1.0)])
def test_mcnemar_counts_the_discordant(more: int, less: int, p: float) -> None:
    one = np.array([True] * more + [False] * less + [True] * 7)
    other = np.array([False] * more + [True] * less + [True] * 7)
    assert mcnemar_p(one, other) == pytest.approx(p)
