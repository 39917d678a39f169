"""The loss of Net2Vec's regression term by term, its minima by scikit-learn, its IoU cell by cell; in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from microtome.core.direction import Direction
from microtome.core.site import Site
from microtome.methods.probe.logistic import Samples, fit_l1, fit_l2, largest_l1, loss_and_gradient
from microtome.methods.probe.questions import Segmenting, cell_shares
from tests.reference.upsample import upsampled


def drawn(seed: int, count: int = 60, units: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, soft targets and weights, with a relation between x and target."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, units))
    target = np.clip(np.round(2 / (1 + np.exp(-x[:, 0] - x[:, 1] - generator.normal(size=count)))) / 2, 0.0, 1.0)
    return x, target, generator.integers(1, 4, size=count).astype(float)


def literal(w: list[float], x: np.ndarray, target: np.ndarray, weight: np.ndarray, l2: float) -> tuple[float, list]:
    """Loss and gradient, one sample after the other."""
    there = sum(s * t for s, t in zip(weight, target, strict=True))
    absent = sum(s * (1 - t) for s, t in zip(weight, target, strict=True))
    loss, gradient = 0.0, [0.0] * len(w)
    for row, t, s in zip(x.tolist(), target.tolist(), weight.tolist(), strict=True):
        z = sum(a * b for a, b in zip(row, w, strict=False)) + w[-1]
        said = 1 / (1 + math.exp(-z))
        p, q = s * t / (2 * there), s * (1 - t) / (2 * absent)
        loss += -p * math.log(said) - q * math.log(1 - said)
        for place, value in enumerate([*row, 1.0]):
            gradient[place] += (q * said - p * (1 - said)) * value
    for place, value in enumerate(w[:-1]):
        loss += l2 / 2 * value**2
        gradient[place] += l2 * value
    return loss, gradient


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.03, 1.0]))
def test_loss_and_gradient_are_the_literal_sums(seed: int, l2: float) -> None:
    x, target, weight = drawn(seed)
    w = np.random.default_rng([seed, 1]).normal(size=5)
    loss, gradient = loss_and_gradient(w, Samples.balanced(x, target, weight), l2)
    expected = literal(w.tolist(), x, target, weight, l2)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    assert gradient.tolist() == pytest.approx(expected[1], rel=1e-10, abs=1e-12)


def test_the_loss_stays_finite_far_out() -> None:
    samples = Samples.balanced(np.array([[1.0], [-1.0]]), np.array([0.0, 1.0]), np.ones(2))
    loss, gradient = loss_and_gradient(np.array([5000.0, 0.0]), samples, 0.0)
    assert loss == pytest.approx(5000.0)
    assert gradient.tolist() == pytest.approx([1.0, 0.0])


def by_scikit(samples: Samples, l1_ratio: float, strength: float) -> np.ndarray:
    """The same minimum: each sample once as positive and once as negative, by weight."""
    count = len(samples.x)
    model = LogisticRegression(
        penalty="elasticnet", l1_ratio=l1_ratio, C=1 / strength, solver="saga", tol=1e-9, max_iter=100_000,
        random_state=0,
    )  # fmt: skip
    model.fit(
        np.vstack([samples.x, samples.x]), np.repeat([1, 0], count),
        sample_weight=np.concatenate((samples.positive, samples.negative)),
    )  # fmt: skip
    return np.append(model.coef_[0], model.intercept_)


@pytest.mark.parametrize("strength", [0.3, 0.02])
def test_the_l2_fit_is_scikit_learns(strength: float) -> None:
    samples = Samples.balanced(*drawn(3))
    assert fit_l2(samples, strength, 500) == pytest.approx(by_scikit(samples, 0.0, strength), abs=2e-4)


@pytest.mark.parametrize("share", [0.7, 0.2])
def test_the_l1_fit_is_scikit_learns_with_the_same_units_left_out(share: float) -> None:
    samples = Samples.balanced(*drawn(4))
    largest = largest_l1(samples)
    found, expected = fit_l1(samples, share * largest, 500), by_scikit(samples, 1.0, share * largest)
    assert found == pytest.approx(expected, abs=2e-4)
    assert ((found[:-1] != 0) == (expected[:-1] != 0)).all()
    assert not fit_l1(samples, 1.001 * largest, 500)[:-1].any()
    assert fit_l1(samples, 0.99 * largest, 500)[:-1].any()


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 7), st.booleans())
def test_iou_and_threshold_are_those_of_the_upsampled_map(seed: int, cells: int, grid: int, tied: bool) -> None:
    generator = np.random.default_rng(seed)
    activations = generator.normal(size=(6, 2, cells, 3)).astype(np.float32)
    activations = np.round(activations) if tied else activations
    masks, void = generator.random((2, 6, grid, 8)) < 0.4
    heldout, pairing = np.arange(6) >= 3, np.array([1, 2, 0, 4, 5, 3])
    question = Segmenting.of(activations, masks, void, heldout, 100)
    site = Site("layer", 1, (2, cells, 3), 2)
    maps = question.readings(Direction(site, np.array([1.0, -2.0]), "c"))
    expected_maps = activations[:, 0].astype(float) - 2.0 * activations[:, 1].astype(float)
    np.testing.assert_allclose(maps, expected_maps, rtol=0, atol=1e-12)

    def iou(images: range, threshold: float) -> float:
        both = either = 0
        for image in images:
            values, other = upsampled(maps[image], (grid, 8)), pairing[image]
            for y in range(grid):
                for x in range(8):
                    if not void[other, y, x]:
                        both += values[y, x] > threshold and masks[other, y, x]
                        either += values[y, x] > threshold or masks[other, y, x]
        return both / either if either else 0.0

    score = question.score(maps, pairing)
    assert score.searched == iou(range(3), score.threshold)
    assert score.heldout == iou(range(3, 6), score.threshold)
    assert score.searched >= max(
        iou(range(3), level) for level in np.quantile(maps[:3], [0.1, 0.5, 0.9], method="lower")
    )


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_cell_shares_are_areas(seed: int, grid: int, cells: int) -> None:
    masks, void = np.random.default_rng(seed).random((2, 2, grid, 4)) < 0.5
    target, known = cell_shares(masks, void, (cells, 2))
    # On a grid that both divide, an area is a count.
    fine_mask, fine_void = (np.repeat(np.repeat(one, cells, axis=1), 2, axis=2) for one in (masks, void))
    for row in range(cells):
        for column in range(2):
            part = np.s_[:, row * grid : (row + 1) * grid, column * 4 : (column + 1) * 4]
            open_area = (~fine_void[part]).sum(axis=(1, 2))
            assert (known[:, row, column] == (open_area > 0)).all()
            share = (fine_mask[part] & ~fine_void[part]).sum(axis=(1, 2)) / np.maximum(open_area, 1)
            assert target[:, row, column] == pytest.approx(share, abs=1e-12)
