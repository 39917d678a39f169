"""Thresholds are exact order statistics, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.core.errors import OptionError
from microtome.stats.tail import Tail, tail_size
from tests.reference.thresholds import threshold
from tests.support.shards import KINDS, activations


def tail_of(values: np.ndarray, most: int, blocks: int) -> Tail:
    """The tail of values that come in some blocks."""
    made = Tail(values.shape[1], most)
    for part in np.array_split(values, blocks):
        if len(part):
            made.add(part)
    return made


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 10_000),
    images=st.integers(1, 30),
    most=st.integers(1, 250),
    blocks=st.integers(1, 5),
)
def test_the_threshold_is_the_order_statistic(kind: str, seed: int, images: int, most: int, blocks: int) -> None:
    values = activations(kind, seed=seed, images=images)
    found = tail_of(values, most, blocks).thresholds()
    for unit in range(values.shape[1]):
        ordered = np.sort(values[:, unit].ravel())
        assert found[unit] == ordered[max(len(ordered) - most, 0)]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 10_000),
    images=st.integers(1, 20),
    quantile=st.floats(0.001, 0.5),
    blocks=st.integers(1, 4),
)
def test_the_threshold_equals_its_definition(kind: str, seed: int, images: int, quantile: float, blocks: int) -> None:
    values = activations(kind, seed=seed, images=images)
    count = values[:, 0].size
    found = tail_of(values, tail_size(quantile, count), blocks).thresholds()
    for unit in range(values.shape[1]):
        assert found[unit] == threshold(values[:, unit], quantile)


@pytest.mark.parametrize("quantile", [0.005, 0.01, 0.05, 0.25, 0.5])
def test_the_share_above_is_the_quantile_where_values_differ(quantile: float) -> None:
    values = np.random.default_rng(0).permutation(2000).astype(np.float32).reshape(20, 1, 10, 10)
    found = tail_of(values, tail_size(quantile, values.size), 3).thresholds()
    assert (values > found[0]).sum() == quantile * values.size


def test_a_constant_unit_is_never_above_its_threshold() -> None:
    values = np.full((10, 1, 4, 4), 3.0, np.float32)
    assert tail_of(values, tail_size(0.1, values.size), 2).thresholds()[0] == 3.0


def test_fewer_values_than_asked_give_the_smallest() -> None:
    values = np.array([5.0, 2.0, 9.0], np.float32).reshape(3, 1, 1, 1)
    assert tail_of(values, 10, 2).thresholds()[0] == 2.0


def test_without_any_value_nothing_can_be_active() -> None:
    assert Tail(2, 3).thresholds().tolist() == [np.inf, np.inf]


def test_zeros_have_one_sign() -> None:
    values = np.array([-0.0, -1.0, -0.0, 0.0], np.float32).reshape(4, 1, 1, 1)
    for most in (1, 2, 3):
        assert not np.signbit(tail_of(values, most, 1).thresholds()[0])
        assert not np.signbit(tail_of(values[::-1], most, 2).thresholds()[0])


def test_adding_goes_on_after_a_trip_to_disk() -> None:
    values = activations("normal", seed=5, images=40)
    made = Tail.load(tail_of(values[:20], 7, 2).state())
    made.add(values[20:])
    assert np.array_equal(made.thresholds(), tail_of(values, 7, 1).thresholds())


def test_a_tail_that_would_not_fit_in_memory_is_refused() -> None:
    with pytest.raises(OptionError, match="3 GiB") as caught:
        Tail(100_000, 1_000_000)
    assert "--units" in caught.value.next_step
