"""Flips: verdicts at their boundaries, a null that is seldom called, an effect that is nearly always found."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.verify.fdr import q_values
from microtome.verify.flips import BAR, LEAST, VERDICTS, FlipTest, Rate, flip_test, rate_of, verdict_of
from microtome.verify.paired import Mean
from microtome.verify.proportions import wilson

FDR = 0.05


def said(mean: float, low: float, high: float, *, cases: int = 40, q: float = 0.001) -> str:
    """The verdict on a test whose numbers are given."""
    rate = Rate(cases // 2, cases, 0.0, 1.0)
    test = FlipTest(rate, Mean(0.0, 0.0, 0.0), Mean(mean, low, high), q)
    return verdict_of(test, q, fdr=FDR)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.4, 0.2, 0.6), "proved"),
        ((BAR, 0.05, 0.3), "proved"),
        ((BAR - 1e-6, 0.05, 0.3), "not proved"),
        ((0.2, 0.0, 0.4), "not proved"),
        ((0.2, 1e-6, 0.4), "proved"),
        ((0.0, -0.05, BAR - 1e-6), "refuted"),
        ((0.0, -0.05, BAR), "not proved"),
        ((0.05, 0.02, 0.08), "refuted"),
        ((-0.4, -0.6, -0.2), "refuted"),
        ((0.05, -0.1, 0.2), "not proved"),
        ((float("nan"),) * 3, "not proved"),
    ],
)
def test_the_verdict_at_the_bar_and_beside_it(given: tuple[float, float, float], expected: str) -> None:
    assert said(*given) == expected
    assert expected in VERDICTS


@pytest.mark.parametrize(("q", "expected"), [(FDR, "proved"), (FDR + 1e-9, "not proved"), (float("nan"), "not proved")])
def test_q_decides_up_to_the_false_discovery_rate(q: float, expected: str) -> None:
    assert said(0.4, 0.2, 0.6, q=q) == expected
    assert said(0.0, -0.05, 0.05, q=q) == "refuted", "a difference that is too small needs no q"


def test_few_cases_say_nothing_either_way() -> None:
    assert [said(0.4, 0.2, 0.6, cases=n) for n in (LEAST - 1, LEAST)] == ["not proved", "proved"]
    assert [said(0.0, 0.0, 0.0, cases=n) for n in (LEAST - 1, LEAST)] == ["not proved", "refuted"]


@pytest.mark.parametrize(("hits", "cases"), [(0, 7), (7, 7), (3, 10), (1, 2)])
def test_rates_have_wilsons_interval(hits: int, cases: int) -> None:
    found = rate_of(np.arange(cases) < hits)
    assert (found.hits, found.cases, found.rate) == (hits, cases, hits / cases)
    assert (found.low, found.high) == wilson(hits, cases)
    assert found.low <= found.rate <= found.high


def test_no_case_has_no_rate() -> None:
    found = rate_of(np.zeros(0, bool))
    assert np.isnan(found.rate)
    assert (found.low, found.high) == (0.0, 1.0)
    test = flip_test(np.zeros(0, bool), np.zeros((0, 3), bool), seed=0)
    assert np.isnan([test.p, test.difference.mean, test.control.mean]).all()
    assert verdict_of(test, test.p, fdr=FDR) == "not proved"


def test_the_control_is_the_mean_over_its_draws_case_by_case() -> None:
    turned = np.array([True] * 30 + [False] * 10)
    control = np.zeros((40, 4), bool)
    control[:20, 0] = control[:10, 1] = True
    test = flip_test(turned, control, seed=0)
    assert test.turned.rate == 0.75
    assert test.control.mean == pytest.approx((20 + 10) / 160)
    assert test.difference.mean == pytest.approx(0.75 - 30 / 160)
    # The control turns only what the change turns, so differences vary less than those of independent answers.
    assert 0.4 < test.difference.low < test.difference.mean < test.difference.high < 0.75
    assert flip_test(turned, control, seed=0) == test
    assert verdict_of(test, test.p, fdr=FDR) == "proved"


def test_a_control_that_does_the_same_is_taken_off() -> None:
    turned = np.arange(40) < 30
    test = flip_test(turned, np.stack([turned, turned], axis=1), seed=0)
    assert test.turned.rate == 0.75, "it turns most"
    assert (test.difference.mean, test.difference.low, test.difference.high, test.p) == (0.0, 0.0, 0.0, 1.0)
    assert verdict_of(test, test.p, fdr=FDR) == "refuted"
    nothing = np.zeros((40, 2), bool)
    assert verdict_of(flip_test(turned, nothing, seed=0), 0.0, fdr=FDR) == "proved"


def test_a_few_cases_that_never_turn_refute_nothing() -> None:
    """None of 10 leaves up to 28 % open, none of 40 up to 9 %."""
    said = [
        verdict_of(flip_test(np.zeros(n, bool), np.zeros((n, 2), bool), seed=0), 1.0, fdr=FDR) for n in (10, 30, 40)
    ]
    assert said == ["not proved", "not proved", "refuted"]


def test_a_change_that_turns_less_than_its_control_is_no_fault() -> None:
    """The p is two-sided; the verdict is not."""
    test = flip_test(np.zeros(40, bool), np.ones((40, 2), bool), seed=0)
    assert test.p < 0.001
    assert verdict_of(test, test.p, fdr=FDR) == "refuted"


def simulated(count: int, *, rate: float, beside: float, cases: int, seed: int) -> list[FlipTest]:
    """Tests of changes that turn cases with one probability, beside two draws of a control with another."""
    generator = np.random.default_rng(seed)
    return [
        flip_test(generator.random(cases) < rate, generator.random((cases, 2)) < beside, seed=number)
        for number in range(count)
    ]


def test_under_no_effect_hardly_anything_is_proved() -> None:
    tests = simulated(300, rate=0.3, beside=0.3, cases=40, seed=0)
    p = np.array([test.p for test in tests])
    assert (p <= 0.05).mean() <= 0.09, "p keeps its level by itself"
    alone = [verdict_of(test, test.p, fdr=FDR) for test in tests]
    assert alone.count("proved") <= 0.04 * 300, "one-sided, with the bar"
    together = [verdict_of(test, q, fdr=FDR) for test, q in zip(tests, q_values(p), strict=True)]
    assert together.count("proved") < 0.02 * 300


def test_an_effect_of_forty_points_is_nearly_always_proved_and_never_refuted() -> None:
    tests = simulated(100, rate=0.6, beside=0.2, cases=40, seed=1)
    nulls = simulated(50, rate=0.2, beside=0.2, cases=40, seed=2)
    q = q_values(np.array([test.p for test in tests + nulls]))
    found = [verdict_of(test, own, fdr=FDR) for test, own in zip(tests + nulls, q, strict=True)]
    assert found[:100].count("proved") >= 95
    assert found[:100].count("refuted") == 0
    assert found[100:].count("proved") <= 3
