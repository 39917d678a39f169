"""Terms replaced by their means, and heads that tell a property: closed forms, shards, and what must not leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.core.errors import DataError
from microtome.methods.decompose.ablation import Deviations, Parts, TermSums
from microtome.methods.decompose.choose_heads import CellSums

LAYERS, HEADS, SPACE, OUT = 3, 2, 4, 5


def blocks(count: int = 24) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        "heads": generator.normal(1.0, 2.0, (count, LAYERS, HEADS, SPACE)).astype(np.float32),
        "mlps": generator.normal(size=(count, LAYERS, OUT)).astype(np.float32),
        "embedding": generator.normal(size=(count, OUT)).astype(np.float32),
    }


def matrices() -> list[np.ndarray]:
    generator = np.random.default_rng(4)
    return [generator.normal(size=(HEADS, OUT, SPACE)) for _ in range(LAYERS)]


def sums_of(arrays: dict[str, np.ndarray], rows: Any = slice(None)) -> TermSums:
    sums = TermSums(LAYERS, HEADS, SPACE, OUT)
    sums.add(*(arrays[name][rows] for name in ("heads", "mlps", "embedding")))
    return sums


def removed(parts: Parts) -> np.ndarray:
    arrays = blocks()
    return Deviations.of(arrays, sums_of(arrays).means(), matrices()).removed(parts)


def test_shards_in_any_order_give_the_same_means() -> None:
    arrays = blocks()
    whole = sums_of(arrays).means()
    first, second = (sums_of(arrays, slice(*span)) for span in ((0, 7), (7, None)))
    merged = TermSums.load(second.state())
    merged.merge(first)
    for name in ("heads", "mlps", "embedding"):
        assert np.array_equal(getattr(merged.means(), name), getattr(whole, name))
        assert np.allclose(getattr(whole, name), arrays[name].astype(float).mean(axis=0), atol=1e-12)


def test_what_is_removed_adds_up_and_is_centred() -> None:
    one, other = removed(Parts(heads=((1, 0),))), removed(Parts(heads=((1, 1),)))
    both = removed(Parts(attention=(1,)))
    assert np.allclose(one + other, both)
    assert np.allclose(both.mean(axis=0), 0.0, atol=1e-12)
    assert np.abs(both).max() > 1.0, "there was something to remove"
    parts = Parts(mlps=(0, 2), attention=(1,), embedding=True)
    apart = removed(Parts(mlps=(0,))) + removed(Parts(mlps=(2,))) + both + removed(Parts(embedding=True))
    assert np.allclose(removed(parts), apart)


def test_a_head_of_a_layer_that_goes_whole_counts_once() -> None:
    assert np.allclose(removed(Parts(attention=(1,), heads=((1, 0),))), removed(Parts(attention=(1,))))
    assert not removed(Parts()).any()


def test_parts_in_words() -> None:
    parts = Parts(mlps=(0, 1, 2, 5), attention=(3,), heads=((4, 1), (5, 0)), embedding=True)
    assert parts.words == "embedding; MLPs 0-2, 5; attention 3; heads 4.1, 5.0"
    assert Parts(mlps=(2,)).words == "MLP 2"


def birds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class and ground that agree 95 times of 100."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 2, count)
    return label, np.where(generator.random(count) < 0.95, label, 1 - label)


def cells(vectors: np.ndarray, label: np.ndarray, value: np.ndarray) -> CellSums:
    sums = CellSums(int(label.max()) + 1, int(value.max()) + 1, *vectors.shape[1:])
    sums.add(vectors, label, value)
    return sums


def test_a_nuisance_that_goes_with_the_class_is_not_credited_with_it() -> None:
    label, ground = birds(4000)
    generator = np.random.default_rng(1)
    noise = generator.normal(scale=0.5, size=(4000, 3, 2))
    vectors = noise.copy()
    vectors[:, 0, 0] += 2.0 * ground - 1.0
    vectors[:, 1, 1] += 2.0 * label - 1.0
    shares = cells(vectors, label, ground).shares()
    # Variance 1 of the planted signal beside 2 * 0.25 of noise.
    assert shares.attribute == pytest.approx([2 / 3, 0.0, 0.0], abs=0.03)
    assert shares.label == pytest.approx([0.0, 2 / 3, 0.0], abs=0.03)
    assert shares.variance == pytest.approx([1.5, 1.5, 0.5], abs=0.1)
    plain = cells(vectors, ground, np.zeros_like(ground)).shares().label
    assert plain[1] > 0.4, "without the class beside it the ground would be credited with the head of the class"


def test_what_tells_nothing_has_no_share_however_small_the_cells() -> None:
    found = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        label = np.repeat([0, 0, 1, 1], [20, 3, 2, 20])
        value = np.repeat([0, 1, 0, 1], [20, 3, 2, 20])
        shares = cells(generator.normal(size=(45, 1, 6)), label, value).shares()
        found.append([shares.label[0], shares.attribute[0], shares.both[0], shares.variance[0] / 6])
    mean = np.mean(found, axis=0)
    assert mean[:3] == pytest.approx([0, 0, 0], abs=0.03)
    assert mean[3] == pytest.approx(1.0, abs=0.05)


def test_cells_in_shards_equal_one_pass_and_unknown_images_are_left_out() -> None:
    label, ground = birds(300)
    vectors = np.random.default_rng(2).normal(size=(300, 2, 3)).astype(np.float32)
    whole = cells(vectors, label, ground)
    first, second = CellSums(2, 2, 2, 3), CellSums(2, 2, 2, 3)
    first.add(vectors[:100], label[:100], ground[:100])
    second.add(vectors[100:], label[100:], ground[100:])
    unknown = np.full(4, -1)
    second.add(vectors[:4] + 100.0, unknown, np.zeros(4, np.int64))
    merged = CellSums.load(second.state())
    merged.merge(first)
    assert np.array_equal(merged.counts, whole.counts)
    assert np.array_equal(merged.means(), whole.means())
    assert np.array_equal(merged.shares().attribute, whole.shares().attribute)


def test_the_balanced_mean_gives_every_cell_the_same_weight() -> None:
    label, ground = birds(500)
    vectors = (10.0 * label + ground)[:, None, None].astype(float)
    assert cells(vectors, label, ground).balanced_mean() == pytest.approx(np.array([[5.5]]))
    assert vectors.mean() != pytest.approx(5.5, abs=0.05)


def test_a_cell_of_one_image_is_an_error() -> None:
    label, ground = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0, 0])
    with pytest.raises(DataError, match="1 of 4 combinations"):
        cells(np.zeros((7, 1, 1)), label, ground).shares()
