"""A last layer trained anew: groups count alike, a misleading feature is unlearnt, a strong hold changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.errors import DataError
from microtome.methods.edit.last_layer import LastLayerRetraining

AGREE, COUNT = 0.95, 1200


def misleading(seed: int, *, agree: float, count: int = COUNT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (a noisy true one, a clear false one, noise), classes, and groups (class and false feature).

    The false feature goes with the class in `agree` of the items.
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    cue = np.where(generator.random(count) < agree, labels, 1 - labels)
    true = (2 * labels - 1) + generator.normal(size=count)
    false = (2 * cue - 1) + 0.1 * generator.normal(size=count)
    features = np.stack([true, false, generator.normal(size=count)], axis=1)
    return features, labels, 2 * labels + cue


def worst(layer: tuple[np.ndarray, np.ndarray]) -> float:
    """Share right of the worst group, on items where the cue tells nothing."""
    features, labels, group = misleading(99, agree=0.5)
    right = (features @ layer[0].T + layer[1]).argmax(axis=1) == labels
    return min(right[group == g].mean() for g in range(4))


@pytest.fixture(scope="module")
def spurious() -> tuple[np.ndarray, np.ndarray]:
    """A last layer trained on misleading items as they come: it leans on the cue."""
    features, labels, _ = misleading(0, agree=AGREE)
    return train(features, labels, np.zeros(len(labels), int), (np.zeros((2, 3)), np.zeros(2)))


def train(
    features: np.ndarray, labels: np.ndarray, group: np.ndarray, old: tuple[np.ndarray, np.ndarray],
    strength: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A layer trained from an old one."""
    return LastLayerRetraining(strength).run(features, labels, group, *old)


def test_equal_groups_undo_a_misleading_feature_and_items_as_they_come_do_not(spurious) -> None:
    features, labels, group = misleading(1, agree=AGREE)
    assert np.bincount(group).min() < 0.1 * np.bincount(group).max(), "some groups are rare"
    balanced = train(features, labels, group, spurious)
    plain = train(features, labels, np.zeros(len(labels), int), spurious)
    assert worst(spurious) < 0.8, "the fault was there"
    assert worst(plain) < worst(spurious) + 0.08
    assert worst(balanced) > worst(spurious) + 0.2

    def leans(layer: tuple[np.ndarray, np.ndarray]) -> float:
        difference = layer[0][1] - layer[0][0]
        return float(abs(difference[1]) / abs(difference[0]))

    assert leans(balanced) < 0.3 * leans(plain)


def test_groups_count_alike_however_many_items_they_have(spurious) -> None:
    """A group repeated ten times over is the same group; held so loosely, only the groups decide."""
    features, labels, group = misleading(2, agree=0.8, count=200)
    rows = np.concatenate([np.arange(200), np.repeat(np.flatnonzero(group == 3), 9)])
    loose = LastLayerRetraining(1e-7, steps=1000)
    one, more = (loose.run(features[r], labels[r], group[r], *spurious) for r in (np.arange(200), rows))
    assert np.allclose(one[0], more[0], atol=0.02)
    assert np.allclose(one[1], more[1], atol=0.02)
    pooled = [loose.run(features[r], labels[r], group[r] * 0, *spurious) for r in (np.arange(200), rows)]
    assert not np.allclose(pooled[0][1], pooled[1][1], atol=0.3), "without groups the repeats move the bias"


def test_names_of_groups_do_not_matter(spurious) -> None:
    features, labels, group = misleading(3, agree=AGREE, count=300)
    one, other = (train(features, labels, g, spurious) for g in (group, 1000 - 7 * group))
    assert np.allclose(one[0], other[0], atol=1e-6)
    assert np.allclose(one[1], other[1], atol=1e-6)


def test_a_strong_hold_changes_nothing_and_a_weaker_one_more(spurious) -> None:
    features, labels, group = misleading(4, agree=AGREE, count=400)
    moved = [
        float(np.abs(train(features, labels, group, spurious, strength)[0] - spurious[0]).max())
        for strength in (1e6, 1.0, 0.1, 1e-3)
    ]
    assert moved[0] < 1e-5
    assert moved == sorted(moved)
    assert moved[-1] > 0.1


def test_a_feature_that_never_varies_and_three_classes() -> None:
    """A constant column divides nothing by zero; rows of the layer without an item only lose."""
    features, labels, group = misleading(5, agree=0.6, count=200)
    features = np.concatenate([features, np.full((200, 1), 3.0), np.zeros((200, 1))], axis=1)
    weight, bias = train(features, labels, group, (np.zeros((3, 5)), np.zeros(3)))
    assert np.isfinite(weight).all()
    logits = features @ weight.T + bias
    assert (logits.argmax(axis=1) == labels).mean() > 0.8
    assert (logits[:, 2] < logits[:, :2].max(axis=1)).all()
    assert not weight[:, 4].any()


def test_what_was_given_stays_as_it_was(spurious) -> None:
    features, labels, group = misleading(6, agree=0.7, count=100)
    given = [each.copy() for each in (features, labels, group, *spurious)]
    train(features, labels, group, spurious)
    assert all(np.array_equal(a, b) for a, b in zip(given, (features, labels, group, *spurious), strict=True))


@pytest.mark.parametrize("labels", [[], [0, 2], [-1, 1]])
def test_items_that_cannot_train_it_are_refused(labels: list[int]) -> None:
    count = len(labels)
    numbers = np.array(labels, np.int64)
    with pytest.raises(DataError, match="cannot train a last layer of 2 classes"):
        train(np.ones((count, 3)), numbers, np.zeros(count, np.int64), (np.zeros((2, 3)), np.zeros(2)))
