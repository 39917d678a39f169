"""Correlations against scipy; their intervals and p against what they promise. Wilson's interval likewise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest, kstest, pearsonr, spearmanr

from microtome.verify import correlation
from microtome.verify.correlation import correlate
from microtome.verify.proportions import wilson


def two(seed: int, *, units: int, r: float) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers of `units` units with correlation r."""
    x, noise = np.random.default_rng([seed, 21]).standard_normal((2, units))
    return x, r * x + math.sqrt(1 - r * r) * noise


@pytest.mark.parametrize("seed", range(5))
def test_both_correlations_are_scipys(seed: int) -> None:
    x, y = two(seed, units=40, r=0.4)
    # Ties, and one unit that lacks a number on either side.
    x, y = np.round(x, 1), np.round(y, 1)
    holed, other = np.append(x, [np.nan, 1.0]), np.append(y, [1.0, np.nan])
    found = correlate(holed, other, seed=seed)
    assert found.units == 40
    assert found.pearson == pytest.approx(pearsonr(x, y)[0], abs=1e-12)
    assert found.spearman == pytest.approx(spearmanr(x, y)[0], abs=1e-12)
    assert found.pearson_interval[0] < found.pearson < found.pearson_interval[1]
    assert found.spearman_interval[0] < found.spearman < found.spearman_interval[1]
    assert found.p == pytest.approx(pearsonr(x, y)[1], abs=0.03)
    assert found == correlate(holed, other, seed=seed)


def test_direction_and_perfect_order() -> None:
    x = np.linspace(0, 3, 25)
    up, down = correlate(x, np.exp(x), seed=0), correlate(x, -x, seed=0)
    assert up.spearman == pytest.approx(1)
    assert up.pearson < 0.99
    assert down.pearson == pytest.approx(-1)
    assert down.p == 1 / (1 + correlation.RESAMPLES)


@pytest.mark.parametrize(
    ("x", "y"),
    [([1.0, 2.0], [2.0, 1.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, np.nan], [1.0, 2.0, 3.0]), ([], [])],
)
def test_nothing_is_claimed_of_too_little(x: list[float], y: list[float]) -> None:
    found = correlate(np.array(x), np.array(y), seed=0)
    numbers = [found.pearson, *found.pearson_interval, found.spearman, *found.spearman_interval, found.p]
    assert all(math.isnan(number) for number in numbers)


def test_few_units_where_resamples_are_often_constant() -> None:
    """Of three units a ninth of the resamples is constant: these have no r, and the others give the interval."""
    found = correlate(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]), seed=1)
    assert found.units == 3
    assert all(math.isfinite(number) for number in (*found.pearson_interval, *found.spearman_interval))
    assert found.p > 0.3


@pytest.mark.parametrize("r", [0.0, 0.5])
def test_intervals_cover_what_was_planted(r: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "RESAMPLES", 400)
    runs = 300
    found = [correlate(*two(seed, units=80, r=r), seed=seed) for seed in range(runs)]
    covered = [one.pearson_interval[0] <= r <= one.pearson_interval[1] for one in found]
    # 6 / pi * asin(r / 2): Spearman's rho of a bivariate normal.
    rho = 6 / math.pi * math.asin(r / 2)
    ranked = [one.spearman_interval[0] <= rho <= one.spearman_interval[1] for one in found]
    for share in (np.mean(covered), np.mean(ranked)):
        assert 0.90 <= share <= 0.985
    assert np.mean([one.pearson_interval[0] > 0 for one in found]) == pytest.approx(0.025 if r == 0 else 1, abs=0.03)


def test_p_is_uniform_on_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "RESAMPLES", 400)
    p = [correlate(*two(seed, units=30, r=0.0), seed=seed).p for seed in range(300)]
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) <= 0.09


def test_wilson_is_scipys() -> None:
    for hits, count in ((0, 5), (3, 7), (50, 200), (9, 9), (1, 100_000)):
        expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
        assert wilson(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_covers_about_95_in_a_hundred() -> None:
    """Exact coverage, summed over all outcomes of the binomial."""
    covers = []
    for count in (20, 60, 200):
        for share in np.linspace(0.05, 0.95, 19):
            inside = [low <= share <= high for low, high in (wilson(k, count) for k in range(count + 1))]
            covers.append(float(binom.pmf(np.arange(count + 1), count, share)[inside].sum()))
    assert np.mean(covers) == pytest.approx(0.95, abs=0.01)
    assert min(covers) > 0.88
