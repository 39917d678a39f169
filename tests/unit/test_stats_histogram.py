"""Bins of equal ratio, and the ranges that are cut from them."""

from __future__ import annotations

from itertools import pairwise
from math import floor, frexp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.stats.histogram import BINS, HIGH, LOW, STEPS, Histogram, bin_edges
from tests.support.shards import KINDS, activations

HALF = (HIGH - LOW) * STEPS


def literal_bin(value: float) -> int:
    """The bin of a value from its exponent and mantissa, in words of the definition."""
    if value == 0:
        return HALF
    mantissa, exponent = frexp(abs(value))
    place = (exponent - 1 - LOW) * STEPS + floor((2 * mantissa - 1) * STEPS)
    place = min(max(place, 0), HALF - 1)
    return HALF + 1 + place if value > 0 else HALF - 1 - place


def histogram_of(values: np.ndarray) -> Histogram:
    """One unit's histogram of any values."""
    made = Histogram(1)
    made.add(np.asarray(values, np.float32).reshape(1, 1, 1, -1))
    return made


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_counts_equal_the_literal_twin(values: list[float]) -> None:
    expected = np.bincount([literal_bin(value) for value in values], minlength=BINS)
    assert np.array_equal(histogram_of(np.array(values)).counts[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_maps_equal_the_literal_twin(kind: str) -> None:
    values = activations(kind, seed=2, images=7)
    made = Histogram(values.shape[1])
    made.add(values[:3])
    made.add(values[3:])
    for unit in range(values.shape[1]):
        expected = np.bincount([literal_bin(float(v)) for v in values[:, unit].ravel()], minlength=BINS)
        assert np.array_equal(made.counts[unit], expected)


@settings(max_examples=300, deadline=None)
@given(st.floats(2**LOW, 2**HIGH, width=32, exclude_max=True), st.sampled_from((1, -1)))
def test_a_value_lies_between_the_edges_of_its_bin(magnitude: float, sign: int) -> None:
    low, high = bin_edges()
    place = int(np.flatnonzero(histogram_of(np.array([sign * magnitude])).counts[0])[0])
    assert low[place] <= sign * magnitude <= high[place]
    assert magnitude < max(abs(low[place]), abs(high[place])), "the edge of larger magnitude is not in the bin"
    assert high[place] - low[place] <= min(abs(low[place]), abs(high[place])) / 16


def test_edges_ascend_without_gaps_but_at_zero() -> None:
    low, high = bin_edges()
    assert len(low) == len(high) == BINS
    assert (low[:HALF] < high[:HALF]).all()
    assert (low[HALF + 1 :] < high[HALF + 1 :]).all()
    assert low[HALF] == high[HALF] == 0
    assert np.array_equal(low[1:HALF], high[: HALF - 1])
    assert np.array_equal(low[HALF + 2 :], high[HALF + 1 : -1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_drawn_bins_hold_every_value(kind: str) -> None:
    made = histogram_of(activations(kind, seed=3, images=20))
    drawn = made.coarse(0, bins=10)
    assert sum(count for _, _, count in drawn) == made.counts.sum()
    assert all(one[1] == other[0] for one, other in pairwise(drawn))


def test_the_drawn_bins_of_little() -> None:
    assert Histogram(1).coarse(0) == []
    assert histogram_of(np.zeros(3)).coarse(0) == [(0.0, 0.0, 3)]


def parts_of(made: Histogram, edges: np.ndarray) -> np.ndarray:
    """How many positive values fall in each part (edge, next edge]; every bin lies in one part."""
    low, high = bin_edges()
    positive = np.flatnonzero(low > 0)
    place = np.searchsorted(edges, high[positive], side="left")
    return np.bincount(place, weights=made.counts[0, positive], minlength=len(edges) + 1)


@pytest.mark.parametrize("cut", ["quantile_edges", "kmeans_edges"])
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), parts=st.integers(1, 6), distinct=st.integers(1, 40))
def test_every_part_holds_values_and_its_edges_are_those_of_bins(
    cut: str, seed: int, parts: int, distinct: int
) -> None:
    generator = np.random.default_rng(seed)
    values = generator.choice(np.exp(generator.normal(size=distinct)), size=60)
    made = histogram_of(np.concatenate((values, -values, [0, 0])))
    edges = getattr(made, cut)(0, parts)
    assert (np.diff(edges) > 0).all()
    assert np.isin(edges, bin_edges()[1]).all()
    assert len(edges) <= parts - 1
    assert (parts_of(made, edges) > 0).all()
    again = Histogram.load(made.state())
    assert np.array_equal(getattr(again, cut)(0, parts), edges)


@pytest.mark.parametrize("cut", ["quantile_edges", "kmeans_edges"])
def test_a_unit_that_is_never_positive_has_one_range(cut: str) -> None:
    made = histogram_of(np.array([0.0, -1.0, -2.0]))
    assert len(getattr(made, cut)(0, 4)) == 0


def test_quantiles_split_evenly() -> None:
    made = histogram_of(np.random.default_rng(0).uniform(1, 100, size=100_000))
    shares = parts_of(made, made.quantile_edges(0, 4)) / 100_000
    assert np.allclose(shares, 0.25, atol=0.04)


def test_kmeans_finds_clusters_of_unlike_size() -> None:
    generator = np.random.default_rng(1)
    clusters = [generator.normal(centre, 0.05 * centre, size=size) for centre, size in ((1, 500), (5, 300), (20, 200))]
    made = histogram_of(np.concatenate(clusters))
    edges = made.kmeans_edges(0, 3)
    assert parts_of(made, edges).tolist() == [500, 300, 200]
    assert parts_of(made, made.quantile_edges(0, 3)).tolist() != [500, 300, 200]


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_stops_where_no_value_is_nearer_to_another_centre(seed: int) -> None:
    low, high = bin_edges()
    made = histogram_of(np.random.default_rng(seed).gamma(1.5, size=500))
    edges = made.kmeans_edges(0, 4)
    filled = np.flatnonzero((made.counts[0] > 0) & (low > 0))
    middle, weight = (low + high)[filled] / 2, made.counts[0, filled]
    place = np.searchsorted(edges, middle)
    centres = np.bincount(place, weights=weight * middle) / np.bincount(place, weights=weight)
    assert np.array_equal(np.abs(middle[:, None] - centres).argmin(axis=1), place)


def test_neighbouring_bins_can_be_parted() -> None:
    made = histogram_of(np.array([1.97] * 5 + [2.05] * 5))
    assert parts_of(made, made.kmeans_edges(0, 2)).tolist() == [5, 5]
