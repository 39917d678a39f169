"""Pasting against literal twins: the nearest pixel by trying all, edges and scaled segments pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microtome.data.paste import fill, paste

SIZE = (13, 17)


def picture(seed: int) -> np.ndarray:
    """Random RGB pixels."""
    return np.random.default_rng(seed).integers(0, 256, size=(*SIZE, 3), dtype=np.uint8)


def blob(seed: int, share: float) -> np.ndarray:
    """A random mask."""
    return np.random.default_rng(seed).random(SIZE) < share


def nearest_of(segment: np.ndarray, row: int, column: int) -> list[tuple[int, int]]:
    """All pixels of the segment that are nearest to a place."""
    away = {(r, c): (r - row) ** 2 + (c - column) ** 2 for r, c in np.argwhere(segment).tolist()}
    return [place for place, far in away.items() if far == min(away.values())]


@pytest.mark.parametrize("seed", range(4))
def test_fill_paints_each_pixel_with_a_nearest_one_of_the_segment(seed: int) -> None:
    host, donor = picture(seed), picture(seed + 50)
    segment, region, protected = blob(seed, 0.05), blob(seed + 9, 0.7), blob(seed + 19, 0.2)
    segment[seed, 3] = True
    found = fill(host, donor, segment, region=region, protected=protected)
    assert np.array_equal(found.changed, region & ~protected)
    far = 0
    for row, column in np.argwhere(found.changed).tolist():
        places = nearest_of(segment, row, column)
        assert any(np.array_equal(found.pixels[row, column], donor[place]) for place in places)
        far += (row, column) not in places
    assert far > 50, "most pixels had to be looked for"


def mixed(host: int, over: int, share: float) -> int:
    """One channel of one pixel, half to even as NumPy rounds."""
    return round((1 - share) * host + share * over)


@pytest.mark.parametrize("soft", [1, 2, 5])
def test_the_soft_edge_is_the_distance_to_the_nearest_pixel_outside(soft: int) -> None:
    host, donor, segment = picture(1), picture(2), np.zeros(SIZE, bool)
    segment[2:11, 3:14] = True
    protected = blob(3, 0.03)
    found = paste(host, donor, segment, protected=protected, soft=soft)
    where = segment & ~protected
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            if not where[row, column]:
                expected = host[row, column].tolist()
            else:
                far = min(math.hypot(r - row, c - column) for r, c in np.argwhere(~where).tolist())
                share = min(far / (soft + 1), 1.0)
                expected = [
                    mixed(int(h), int(d), share) for h, d in zip(host[row, column], donor[row, column], strict=True)
                ]
            assert found.pixels[row, column].tolist() == expected, (row, column)


@pytest.mark.parametrize(("scale", "shift"), [(0.6, (0, 0)), (1.9, (-2, 3)), (3.0, (4, -5)), (1.0, (2, 2))])
def test_a_scaled_segment_is_read_backwards_pixel_by_pixel(scale: float, shift: tuple[int, int]) -> None:
    host, donor, segment = picture(5), picture(6), np.zeros(SIZE, bool)
    segment[4:10, 6:11] = blob(7, 0.8)[4:10, 6:11]
    rows, columns = np.nonzero(segment)
    foot_row, foot_column = rows.max() + 0.5, (columns.min() + columns.max() + 1) / 2
    expected, mark = host.copy(), np.zeros(SIZE, bool)
    for row in range(SIZE[0]):
        for column in range(SIZE[1]):
            down = math.floor((row + 0.5 - shift[0] - foot_row) / scale + foot_row)
            across = math.floor((column + 0.5 - shift[1] - foot_column) / scale + foot_column)
            if 0 <= down < SIZE[0] and 0 <= across < SIZE[1] and segment[down, across]:
                expected[row, column], mark[row, column] = donor[down, across], True
    found = paste(host, donor, segment, protected=np.zeros(SIZE, bool), scale=scale, shift=shift)
    assert np.array_equal(found.pixels, expected)
    assert np.array_equal(found.changed, mark)
    assert mark.any()
