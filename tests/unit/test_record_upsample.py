"""Active positions of an upsampled map: torch's, a dense twin's, and exact fractions'."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.record.upsample import active_positions, axis_weights, spans, take_counts, unit_positions
from tests.reference.upsample import active_cells, upsampled, upsampled_exactly

SIZES = [
    ((1, 1), (4, 5)),
    ((1, 6), (3, 20)),
    ((5, 1), (17, 2)),
    ((2, 2), (2, 2)),
    ((7, 7), (112, 112)),
    ((13, 13), (96, 112)),
    ((12, 12), (5, 7)),
    ((9, 14), (14, 9)),
    ((6, 6), (1, 1)),
]


def positions(one: np.ndarray, grid: tuple[int, int], *, low: float, high: float = np.inf) -> list[int]:
    """What the compiled loop gives for one map, ascending."""
    weights = (*axis_weights(one.shape[0], grid[0]), *axis_weights(one.shape[1], grid[1]))
    buffer = np.empty(grid[0] * grid[1], np.int64)
    count = unit_positions(one.astype(np.float32)[None, None], 0, low, high, *weights, 0, buffer, 0)
    assert count >= 0
    return sorted(buffer[:count].tolist())


def random_map(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "grid"), SIZES)
@pytest.mark.parametrize("seed", range(3))
def test_positions_equal_torch_in_float64(shape: tuple[int, int], grid: tuple[int, int], seed: int) -> None:
    one = random_map(shape, seed)
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(one)[None, None].double(), size=grid, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    for low in np.quantile(wide, [0.1, 0.5, 0.9]) + 1e-9:
        expected = np.flatnonzero(wide > low).tolist()
        assert positions(one, grid, low=float(low)) == expected
    assert positions(one, grid, low=-100.0) == list(range(grid[0] * grid[1]))


@pytest.mark.parametrize(("shape", "grid"), SIZES)
@pytest.mark.parametrize("seed", range(2))
def test_positions_equal_the_dense_twin(shape: tuple[int, int], grid: tuple[int, int], seed: int) -> None:
    one = random_map(shape, 10 + seed)
    wide = upsampled(one, grid)
    marks = [-np.inf, *np.quantile(wide, [0.2, 0.6, 0.95]).tolist(), np.inf]
    found = []
    for low, high in pairwise(marks):
        here = positions(one, grid, low=low, high=high)
        assert here == active_cells(wide, low=low, high=high)
        found += here
    assert sorted(found) == list(range(grid[0] * grid[1])), "ranges neither overlap nor leave gaps"


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    times=st.tuples(st.sampled_from((1, 2, 4)), st.sampled_from((1, 2, 4))),
    seed=st.integers(0, 10_000),
    low=st.integers(-2, 2),
    height=st.integers(1, 3),
)
def test_ties_with_the_threshold_equal_exact_fractions(
    shape: tuple[int, int], times: tuple[int, int], seed: int, low: int, height: int
) -> None:
    # Whole numbers on a grid 1, 2 or 4 times as fine: float64 rounds nothing, and many values equal a bound.
    one = np.random.default_rng(seed).integers(-2, 3, size=shape).astype(np.float32)
    grid = (shape[0] * times[0], shape[1] * times[1])
    exact = upsampled_exactly(one, grid)
    for high in (float("inf"), low + height):
        expected = [y * grid[1] + x for y, row in enumerate(exact) for x, v in enumerate(row) if low < v <= high]
        assert positions(one, grid, low=low, high=high) == expected


@pytest.mark.parametrize("high", [np.inf, 5.0])
def test_a_map_that_never_exceeds_the_threshold_gives_nothing(high: float) -> None:
    one = np.full((3, 3), 2.0, np.float32)
    assert positions(one, (10, 10), low=2.0, high=high) == []
    one[1, 1] = np.nextafter(np.float32(2), np.float32(3))
    assert positions(one, (9, 9), low=2.0, high=high) != []


def test_a_full_buffer_is_reported_and_a_larger_one_serves() -> None:
    one = np.ones((1, 1, 2, 2), np.float32)
    weights = (*axis_weights(2, 4), *axis_weights(2, 4))
    assert unit_positions(one, 0, 0.0, np.inf, *weights, 0, np.empty(15, np.int64), 0) < 0
    assert active_positions(one[0, 0], 0.0, np.inf, *weights, 0, np.empty(15, np.int64), 0) == -16
    assert unit_positions(one, 0, 0.0, np.inf, *weights, 0, np.empty(16, np.int64), 0) == 16


def test_positions_count_on_through_images_and_units_stay_apart() -> None:
    block = np.zeros((3, 2, 1, 1), np.float32)
    block[0, 0], block[2, 0], block[1, 1] = 1, 1, 1
    weights = (*axis_weights(1, 2), *axis_weights(1, 3))
    buffer = np.empty(20, np.int64)
    count = unit_positions(block, 0, 0.5, np.inf, *weights, 7, buffer, 0)
    assert sorted(buffer[:count].tolist()) == [*range(42, 48), *range(54, 60)]


@pytest.mark.parametrize(("size", "grid"), [(1, 1), (1, 9), (7, 112), (13, 5), (4, 4)])
def test_spans_cover_every_position_once(size: int, grid: int) -> None:
    lower, part = axis_weights(size, grid)
    assert ((part >= 0) & (part <= 1)).all()
    starts = spans(lower, size)
    assert starts[0] == 0
    assert starts[-1] == grid
    for interval in range(len(starts) - 1):
        assert (lower[starts[interval] : starts[interval + 1]] == interval).all()


def test_take_counts_empties_what_it_reads() -> None:
    dense = np.array([0, 3, 0, 1], np.int64)
    rows, counts = take_counts(dense)
    assert rows.tolist() == [1, 3]
    assert counts.tolist() == [3, 1]
    assert not dense.any()
