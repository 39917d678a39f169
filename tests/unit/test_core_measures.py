"""The measures against their definitions over elements written out, and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn import metrics

from microtome.core import measures

BITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


def integers(pairs: list[tuple[bool, bool]]) -> tuple[int, int, int, int]:
    """(n, a, A, N) of (formula, unit) pairs."""
    formula, unit = np.array(pairs, bool).T
    return int(formula.sum()), int((formula & unit).sum()), int(unit.sum()), len(pairs)


@given(BITS)
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    formula, unit = np.array(pairs, bool).T
    n, a, active, total = integers(pairs)
    assert measures.iou(n, a, active) == pytest.approx(metrics.jaccard_score(unit, formula, zero_division=0))
    assert measures.precision(n, a) == pytest.approx(metrics.precision_score(unit, formula, zero_division=0))
    assert measures.recall(a, active) == pytest.approx(metrics.recall_score(unit, formula, zero_division=0))
    assert measures.f1(n, a, active) == pytest.approx(metrics.f1_score(unit, formula, zero_division=0))
    constant = n in (0, total) or active in (0, total)
    expected = 0.0 if constant else metrics.matthews_corrcoef(unit, formula)
    assert measures.mcc(n, a, active, total) == pytest.approx(expected)


def test_lift() -> None:
    # 10 of 100 elements active; 5 of the formula's 20: a quarter instead of a tenth.
    assert measures.lift(20, 5, 10, 100) == pytest.approx(2.5)


ACTIVATIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=3, max_size=30).filter(
    lambda pairs: len({held for held, _ in pairs}) == 2
)


def doubled_ranks(holds: np.ndarray, values: np.ndarray) -> int:
    """Sum of twice the mid-rank over the elements of the formula."""
    below = (values[:, None] > values[None]).sum(axis=1)
    ties = (values[:, None] == values[None]).sum(axis=1)
    return int((2 * below + ties + 1)[holds].sum())


@given(ACTIVATIONS)
def test_auroc_is_that_of_scikit_learn_ties_included(pairs: list[tuple[bool, int]]) -> None:
    holds, values = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    area = measures.auroc(int(holds.sum()), doubled_ranks(holds, values), len(pairs))
    assert area == pytest.approx(metrics.roc_auc_score(holds, values))


@given(ACTIVATIONS.filter(lambda pairs: len({value for _, value in pairs}) == len(pairs)))
def test_mann_whitney_p_is_that_of_scipy_without_ties(pairs: list[tuple[bool, int]]) -> None:
    holds, values = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    n, total = int(holds.sum()), len(pairs)
    area = measures.auroc(n, doubled_ranks(holds, values), total)
    expected = mannwhitneyu(
        values[holds], values[~holds], alternative="greater", method="asymptotic", use_continuity=False
    )
    assert measures.mann_whitney_p(area, n, total) == pytest.approx(expected.pvalue)


def test_undefined_is_the_value_of_no_relation() -> None:
    assert measures.iou(0, 0, 0) == 0.0
    assert measures.precision(0, 0) == 0.0
    assert measures.recall(0, 0) == 0.0
    assert measures.f1(0, 0, 0) == 0.0
    assert measures.lift(0, 0, 5, 10) == 0.0
    assert measures.mcc(10, 5, 5, 10) == 0.0
    assert measures.auroc(0, 0, 10) == 0.5
    assert measures.auroc(10, 110, 10) == 0.5
    assert measures.mann_whitney_p(1.0, 0, 10) == 1.0


def test_perfect_and_opposite() -> None:
    assert [measures.score(m, 5, 5, 5, 20) for m in measures.METRICS if m != "auroc"] == [1, 1, 1, 1, 1, 4]
    assert measures.mcc(10, 0, 10, 20) == pytest.approx(-1.0)


def test_counts_beyond_32_bits() -> None:
    n, a, active, total = 10**12, 9 * 10**11, 10**12, 10**14
    assert measures.mcc(n, a, active, total) == pytest.approx(0.898989898)
    assert math.isclose(measures.lift(n, a, active, total), 90.0)


@given(BITS, st.sampled_from(measures.METRICS))
def test_score_dispatches_by_name(pairs: list[tuple[bool, bool]], metric: measures.Metric) -> None:
    n, a, active, total = integers(pairs)
    direct = {
        "iou": measures.iou(n, a, active),
        "precision": measures.precision(n, a),
        "recall": measures.recall(a, active),
        "f1": measures.f1(n, a, active),
        "mcc": measures.mcc(n, a, active, total),
        "lift": measures.lift(n, a, active, total),
        "auroc": measures.auroc(n, a, total),
    }
    assert measures.score(metric, n, a, active, total) == direct[metric]
