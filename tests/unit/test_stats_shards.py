"""Any split into shards, merged in any order, gives the bits of one pass."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.record.summary import Summary
from microtome.stats.histogram import Histogram
from microtome.stats.kernels import peaks_of
from microtome.stats.moments import Moments
from microtome.stats.overlap import Overlap
from microtome.stats.tail import Tail
from microtome.stats.top_images import TopImages
from tests.support.shards import KINDS, Kind, activations, in_shards, one_pass, same_bits

UNITS, SIGNATURES = 3, 5


def _feed_overlap(overlap: Overlap, block: int, first: int, values: np.ndarray) -> None:
    for unit in range(values.shape[1]):
        rows, counts = np.unique(np.abs(values[:, unit] * 4).astype(np.int64) % SIGNATURES, return_counts=True)
        overlap.add(unit, rows, counts)


def _feed_summary(summary: Summary, block: int, first: int, values: np.ndarray) -> None:
    peaks, cells = peaks_of(values)
    searched = (np.arange(first, first + len(values)) % 3) > 0
    summary.add(block, first, values, searched=searched, peaks=peaks, cells=cells)


STATISTICS = {
    "moments": Kind(lambda: Moments(UNITS), lambda s, block, first, values: s.add(block, values)),
    "histogram": Kind(lambda: Histogram(UNITS), lambda s, block, first, values: s.add(values)),
    "tail": Kind(lambda: Tail(UNITS, 4), lambda s, block, first, values: s.add(values)),
    "long tail": Kind(lambda: Tail(UNITS, 1000), lambda s, block, first, values: s.add(values)),
    "top images": Kind(lambda: TopImages(UNITS, 4), lambda s, block, first, values: s.add(first, *peaks_of(values))),
    "many top images": Kind(
        lambda: TopImages(UNITS, 40), lambda s, block, first, values: s.add(first, *peaks_of(values))
    ),
    "overlap": Kind(lambda: Overlap(UNITS, SIGNATURES), _feed_overlap),
    "summary": Kind(lambda: Summary(units=UNITS, tail=7, top_k=3), _feed_summary),
}


@pytest.mark.parametrize("name", STATISTICS)
@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=7),
    dice=st.randoms(use_true_random=False),
)
def test_shards_in_any_order_give_the_bits_of_one_pass(
    name: str, kind: str, seed: int, sizes: list[int], dice: random.Random
) -> None:
    values = activations(kind, seed=seed, images=sum(sizes), units=UNITS)
    blocks = np.split(values, np.cumsum(sizes)[:-1])
    expected = one_pass(STATISTICS[name], blocks).state()
    assert same_bits(in_shards(STATISTICS[name], blocks, dice).state(), expected)


@pytest.mark.parametrize("name", STATISTICS)
def test_the_state_tells_other_data_apart(name: str) -> None:
    kind = STATISTICS[name]
    one = one_pass(kind, [activations("normal", seed=1, units=UNITS)])
    other = one_pass(kind, [activations("normal", seed=2, units=UNITS)])
    assert not same_bits(one.state(), other.state())


@pytest.mark.parametrize("name", STATISTICS)
def test_an_empty_shard_changes_nothing(name: str) -> None:
    kind = STATISTICS[name]
    full = one_pass(kind, [activations("ties", seed=3, units=UNITS)])
    before = {key: array.copy() for key, array in full.state().items()}
    full.merge(kind.make())
    assert same_bits(full.state(), before)
    empty = kind.make()
    empty.merge(type(full).load(before))
    assert same_bits(empty.state(), before)
