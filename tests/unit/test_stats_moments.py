"""Mean and standard deviation against exact sums."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from microtome.stats.moments import Moments
from tests.support.shards import KINDS, activations


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_std_equal_exact_sums(kind: str) -> None:
    values = activations(kind, seed=4, images=12)
    moments = Moments(values.shape[1])
    moments.add(0, values[:5])
    moments.add(1, values[5:])
    for unit in range(values.shape[1]):
        flat = [Fraction(float(value)) for value in values[:, unit].ravel()]
        mean = sum(flat) / len(flat)
        variance = sum((value - mean) ** 2 for value in flat) / len(flat)
        assert moments.mean()[unit] == pytest.approx(float(mean), rel=1e-12, abs=1e-15)
        assert moments.std()[unit] == pytest.approx(sqrt(variance), rel=1e-9, abs=1e-7)


def test_sums_are_float64_and_not_float32() -> None:
    values = np.full((4, 1, 100, 100), 0.1, np.float32)
    moments = Moments(1)
    moments.add(0, values)
    assert moments.mean()[0] == pytest.approx(float(np.float32(0.1)), rel=1e-13)


def test_mean_and_std_forget_the_order_of_blocks() -> None:
    generator = np.random.default_rng(0)
    blocks = [(generator.normal(size=(3, 2, 4, 4)) * 10.0**k).astype(np.float32) for k in range(-4, 5)]
    one, other = Moments(2), Moments(2)
    for number in range(9):
        one.add(number, blocks[number])
        other.add(8 - number, blocks[8 - number])
    assert one.mean().tobytes() == other.mean().tobytes()
    assert one.std().tobytes() == other.std().tobytes()


def test_nothing_added_gives_zeros() -> None:
    assert Moments(2).mean().tolist() == [0.0, 0.0]
    assert Moments(2).std().tolist() == [0.0, 0.0]


def test_a_block_counts_once() -> None:
    one, other = Moments(3), Moments(3)
    one.add(7, activations("normal", seed=1))
    other.add(7, activations("normal", seed=2))
    with pytest.raises(ValueError, match="block 7"):
        one.add(7, activations("normal", seed=1))
    with pytest.raises(ValueError, match=r"\[7\]"):
        one.merge(other)
