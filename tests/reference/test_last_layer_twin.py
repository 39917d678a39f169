"""The loss of a retrained last layer against a loop, its gradient against differences, its end against the loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microtome.methods.edit.last_layer import LastLayerRetraining, loss_and_gradient


def literal_loss(
    weight: np.ndarray, bias: np.ndarray, features: np.ndarray, labels: np.ndarray, share: np.ndarray,
    start: tuple[np.ndarray, np.ndarray], strength: float,
) -> float:  # fmt: skip
    """The loss, item by item and number by number, in Python's floats."""
    total = 0.0
    for item, label in enumerate(labels.tolist()):
        logits = [
            sum(float(w) * float(x) for w, x in zip(row, features[item], strict=True)) + float(b)
            for row, b in zip(weight, bias, strict=True)
        ]
        total += float(share[item]) * (math.log(sum(math.exp(each) for each in logits)) - logits[label])
    moved = sum(float(d) ** 2 for d in (weight - start[0]).ravel()) + sum(float(d) ** 2 for d in bias - start[1])
    return total + strength * moved


def world(seed: int, *, items: int = 14, features: int = 3, classes: int = 4) -> dict[str, np.ndarray]:
    """Random items, shares, and two layers."""
    generator = np.random.default_rng(seed)
    share = generator.random(items)
    return {
        "features": generator.normal(size=(items, features)), "labels": generator.integers(0, classes, items),
        "share": share / share.sum(), "weight": generator.normal(size=(classes, features)),
        "bias": generator.normal(size=classes), "old_weight": generator.normal(size=(classes, features)),
        "old_bias": generator.normal(size=classes),
    }  # fmt: skip


def point_of(weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A layer as one row of numbers."""
    return np.concatenate([weight.ravel(), bias])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strength", [0.0, 0.7])
def test_loss_and_gradient_equal_a_loop_and_finite_differences(seed: int, strength: float) -> None:
    w = world(seed)
    shape, start = w["weight"].shape, point_of(w["old_weight"], w["old_bias"])

    def literal(point: np.ndarray) -> float:
        split = shape[0] * shape[1]
        return literal_loss(
            point[:split].reshape(shape), point[split:], w["features"], w["labels"], w["share"],
            (w["old_weight"], w["old_bias"]), strength,
        )  # fmt: skip

    point = point_of(w["weight"], w["bias"])
    loss, gradient = loss_and_gradient(point, w["features"], w["labels"], w["share"], start, shape, strength)
    assert loss == pytest.approx(literal(point), rel=1e-12)
    step = 1e-6
    numeric = [
        (literal(point + step * axis) - literal(point - step * axis)) / (2 * step) for axis in np.eye(len(point))
    ]
    assert np.allclose(gradient, numeric, atol=1e-8)
    assert np.abs(gradient).max() > 0.05


def test_logits_that_are_far_apart_overflow_nothing() -> None:
    w = world(0)
    point = point_of(1e4 * w["weight"], w["bias"])
    found = loss_and_gradient(point, w["features"], w["labels"], w["share"], point, w["weight"].shape, 1.0)
    assert math.isfinite(found[0])
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize("strength", [1e-3, 0.1])
def test_the_end_is_the_minimum_of_the_literal_loss(strength: float) -> None:
    """Features are divided by their spread, so the distance to the old layer is counted in those units."""
    w = world(5, items=40)
    features = w["features"] * np.array([1.0, 20.0, 0.1])
    group = np.arange(40) % 7 // 3
    method = LastLayerRetraining(strength, steps=500)
    weight, bias = method.run(features, w["labels"], group, w["old_weight"], w["old_bias"])
    spread = features.std(axis=0)
    share = np.array([1 / (group == g).sum() for g in group]) / len(np.unique(group))

    def literal(weight: np.ndarray, bias: np.ndarray) -> float:
        return literal_loss(
            weight * spread, bias, features / spread, w["labels"], share, (w["old_weight"] * spread, w["old_bias"]),
            strength,
        )  # fmt: skip

    end = literal(weight, bias)
    assert end < literal(w["old_weight"], w["old_bias"]) - 0.1
    generator = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(5):
            off = generator.normal(size=weight.shape) / spread, generator.normal(size=bias.shape)
            assert literal(weight + size * off[0], bias + size * off[1]) > end - 1e-9
    # Without the weights of groups, or with another strength, it is another minimum.
    other = LastLayerRetraining(strength, steps=500).run(
        features, w["labels"], group * 0, w["old_weight"], w["old_bias"]
    )
    assert literal(*other) > end + 1e-4
