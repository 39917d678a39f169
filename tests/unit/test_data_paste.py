"""Cutting a concept out and putting it in: what is protected stays, and what changes is what was asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from microtome.core.errors import OptionError
from microtome.data.paste import Pasted, blended, blurred, fill, mean_filled, paste, recoloured

SIZE = (20, 24)


def noise(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Random RGB pixels."""
    return np.random.default_rng(seed).integers(0, 256, size=(*size, 3), dtype=np.uint8)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """A mask that is True on a rectangle, the last row and column left out."""
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


NOTHING = np.zeros(SIZE, bool)
HOST, DONOR, PROTECTED = noise(0), noise(1), box(8, 8, 12, 24)
SEGMENT = box(5, 4, 15, 16)
WAYS: dict[str, Callable[[], Pasted]] = {
    "hard": lambda: paste(HOST, DONOR, SEGMENT, protected=PROTECTED),
    "soft": lambda: paste(HOST, DONOR, SEGMENT, protected=PROTECTED, soft=3),
    "scaled": lambda: paste(HOST, DONOR, SEGMENT, protected=PROTECTED, scale=1.7, soft=1),
    "shifted": lambda: paste(HOST, DONOR, SEGMENT, protected=PROTECTED, scale=0.8, shift=(-3, 6)),
    "filled": lambda: fill(HOST, DONOR, SEGMENT, region=box(0, 0, 20, 18), protected=PROTECTED),
    "softly filled": lambda: fill(HOST, DONOR, SEGMENT, region=box(0, 0, 20, 18), protected=PROTECTED, soft=4),
}


@pytest.mark.parametrize("way", WAYS)
def test_protected_pixels_and_all_outside_of_the_mark_are_the_hosts(way: str) -> None:
    host, donor = HOST.copy(), DONOR.copy()
    found = WAYS[way]()
    assert found.changed.any(), "something is pasted"
    assert not (found.changed & PROTECTED).any()
    assert np.array_equal(found.pixels[~found.changed], HOST[~found.changed])
    assert not np.array_equal(found.pixels, HOST)
    assert found.pixels.dtype == np.uint8
    assert np.array_equal(HOST, host), "what was given stays as it was"
    assert np.array_equal(DONOR, donor)


def test_protection_is_what_keeps_them() -> None:
    without = paste(HOST, DONOR, SEGMENT, protected=NOTHING)
    assert not np.array_equal(without.pixels[PROTECTED], HOST[PROTECTED])
    assert np.array_equal(without.changed, SEGMENT)


def test_a_hard_edge_takes_the_donors_pixels_as_they_are() -> None:
    found = paste(HOST, DONOR, SEGMENT, protected=PROTECTED)
    assert np.array_equal(found.changed, SEGMENT & ~PROTECTED)
    assert np.array_equal(found.pixels[found.changed], DONOR[found.changed])


@pytest.mark.parametrize("soft", [1, 3])
def test_a_soft_edge_rises_by_one_part_a_pixel(soft: int) -> None:
    """From black to white in a wide band: at depth d from its edge the share is d / (soft + 1)."""
    black, white = np.zeros((*SIZE, 3), np.uint8), np.full((*SIZE, 3), 255, np.uint8)
    band = box(0, 4, 20, 24)
    found = paste(black, white, band, protected=NOTHING, soft=soft)
    depth = np.clip(np.arange(24) - 3, 0, None)
    expected = np.rint(255 * np.clip(depth / (soft + 1), 0, 1)).astype(np.uint8)
    assert np.array_equal(found.pixels, np.broadcast_to(expected[None, :, None], (*SIZE, 3)))
    assert np.array_equal(np.unique(paste(black, white, band, protected=NOTHING).pixels), [0, 255]), "hard: no step"


def test_a_soft_edge_needs_an_edge() -> None:
    """Where everything is pasted there is none, and the frame of the image is none either."""
    whole = np.ones(SIZE, bool)
    assert np.array_equal(blended(HOST, DONOR, whole, soft=4).pixels, DONOR)
    assert np.array_equal(blended(HOST, DONOR, NOTHING, soft=4).pixels, HOST)


@pytest.mark.parametrize("scale", [0.5, 2.0, 1.5])
def test_scale_keeps_the_foot_where_it_is(scale: float) -> None:
    segment = box(8, 8, 16, 16)
    found = paste(HOST, DONOR, segment, protected=NOTHING, scale=scale)
    rows, columns = np.nonzero(found.changed)
    assert rows.max() == pytest.approx(15, abs=1), "it stands on the same ground"
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(12, abs=0.5), "about the same middle"
    assert rows.max() - rows.min() + 1 == pytest.approx(8 * scale, abs=1)
    assert columns.max() - columns.min() + 1 == pytest.approx(8 * scale, abs=1)


def test_scaling_by_two_repeats_each_pixel() -> None:
    """Two columns of the donor become four, in order; the feet's row is centred on the edge of the pixels."""
    segment = box(10, 11, 12, 13)
    found = paste(HOST, DONOR, segment, protected=NOTHING, scale=2.0)
    rows, columns = np.nonzero(found.changed)
    across = slice(columns.min(), columns.max() + 1)
    assert (columns.min(), columns.max()) == (10, 13)
    assert np.array_equal(found.pixels[rows.max(), across], DONOR[11, [11, 11, 12, 12]])


@pytest.mark.parametrize("shift", [(3, -2), (-4, 5), (0, 12), (15, 0)])
def test_a_shift_moves_every_pixel_and_what_leaves_the_image_is_gone(shift: tuple[int, int]) -> None:
    found = paste(HOST, DONOR, SEGMENT, protected=NOTHING, shift=shift)
    expected, mark = HOST.copy(), np.zeros(SIZE, bool)
    for row, column in np.argwhere(SEGMENT):
        down, across = row + shift[0], column + shift[1]
        if 0 <= down < SIZE[0] and 0 <= across < SIZE[1]:
            expected[down, across], mark[down, across] = DONOR[row, column], True
    assert np.array_equal(found.pixels, expected)
    assert np.array_equal(found.changed, mark)


def test_a_segment_that_reaches_the_frame_does_not_smear_over_it() -> None:
    """Places beyond the donor's edge are not the edge's pixels again."""
    segment = box(0, 0, 20, 6)
    found = paste(HOST, DONOR, segment, protected=NOTHING, shift=(0, 10))
    assert np.array_equal(np.flatnonzero(found.changed.any(axis=0)), np.arange(10, 16))


def test_no_segment_changes_nothing() -> None:
    for found in (
        paste(HOST, DONOR, NOTHING, protected=NOTHING, scale=2.0, soft=2),
        fill(HOST, DONOR, NOTHING, region=SEGMENT, protected=NOTHING),
    ):
        assert np.array_equal(found.pixels, HOST)
        assert not found.changed.any()


def test_fill_takes_the_very_pixel_where_the_donor_has_it() -> None:
    found = fill(HOST, DONOR, SEGMENT, region=box(5, 0, 15, 24), protected=NOTHING)
    both = SEGMENT & found.changed
    assert both.sum() == SEGMENT.sum()
    assert np.array_equal(found.pixels[both], DONOR[both])
    assert np.array_equal(found.pixels[5:15, 20], DONOR[5:15, 15]), "beyond it the nearest column"
    assert not np.array_equal(found.pixels[5:15, 20], DONOR[5:15, 20])


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": noise(2, (20, 25))},
        {"donor": noise(2, (24, 20))},
        {"segment": np.zeros((20, 25), bool)},
        {"protected": np.zeros((1, 24), bool)},
    ],
)
def test_sizes_that_differ_are_refused(wrong: dict[str, np.ndarray]) -> None:
    given = {"host": HOST, "donor": DONOR, "segment": SEGMENT, "protected": PROTECTED} | wrong
    # The shape checks of all tests stand in front of the function's own, which is what a user meets.
    bare = inspect.unwrap(paste)
    assert bare(HOST, DONOR, SEGMENT, protected=PROTECTED).changed.any()
    with pytest.raises(OptionError, match="does not fit"):
        bare(given["host"], given["donor"], given["segment"], protected=given["protected"])


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(OptionError, match="scale"):
        paste(HOST, DONOR, SEGMENT, protected=PROTECTED, scale=scale)


def test_another_colour_keeps_light_and_shade() -> None:
    """Each pixel's brightness over the region's mean is a factor on the new colour."""
    grey = np.random.default_rng(4).integers(60, 140, size=SIZE)
    pixels = np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)
    colour = np.array([120.0, 60.0, 30.0])
    found = recoloured(pixels, SEGMENT, colour)
    inside = grey[SEGMENT].astype(float)
    expected = np.rint(inside[:, None] / inside.mean() * colour)
    assert np.array_equal(found.pixels[SEGMENT], expected.astype(np.uint8))
    assert np.abs(found.pixels[SEGMENT].mean(axis=0) - colour).max() < 0.5, "the mean is the colour"
    assert np.corrcoef(found.pixels[SEGMENT].sum(axis=1), inside)[0, 1] > 0.99
    assert np.array_equal(found.pixels[~SEGMENT], pixels[~SEGMENT])
    bright = recoloured(pixels, SEGMENT, np.array([250.0, 250.0, 250.0])).pixels[SEGMENT]
    assert bright.max() == 255, "cut off at white, not wrapped around"
    assert bright.min() > 100
    assert np.array_equal(recoloured(pixels, NOTHING, colour).pixels, pixels)
    assert not recoloured(np.zeros_like(pixels), SEGMENT, colour).pixels.any(), "black has no light to keep"


def test_the_mean_is_that_of_the_ring_and_not_of_what_is_protected() -> None:
    pixels = np.full((*SIZE, 3), 10, np.uint8)
    where = box(8, 8, 12, 16)
    near, barred = box(6, 8, 8, 16), box(12, 8, 14, 16)
    pixels[near], pixels[barred], pixels[where] = (200, 100, 50), (255, 0, 255), (1, 2, 3)
    # Two steps of a cross-shaped growth: above and below rows of 8, and 2 columns to each side with the corners.
    ring = sum(
        (np.roll(np.roll(where, r, 0), c, 1) for r in range(-2, 3) for c in range(abs(r) - 2, 3 - abs(r))), where
    )
    ring = ring.astype(bool) & ~where
    found = mean_filled(pixels, where, protected=barred)
    expected = np.rint(pixels[ring & ~barred].mean(axis=0))
    assert np.array_equal(np.unique(found.pixels[where], axis=0)[0], expected)
    assert len(np.unique(found.pixels[where], axis=0)) == 1
    assert np.array_equal(found.pixels[~where], pixels[~where])
    with_all = mean_filled(pixels, where, protected=NOTHING).pixels[8, 8]
    assert not np.array_equal(with_all, expected), "the protected pixels would have counted"
    assert not np.array_equal(expected, np.rint(pixels[~where].mean(axis=0))), "nor is it the mean of the whole image"


def test_with_no_ring_the_rest_gives_the_mean() -> None:
    where = box(8, 8, 12, 16)
    found = mean_filled(HOST, where, protected=~where)
    assert np.array_equal(found.pixels[9, 9], np.rint(HOST[~where].mean(axis=0)))
    whole = mean_filled(HOST, np.ones(SIZE, bool), protected=NOTHING)
    assert np.array_equal(whole.pixels[0, 0], np.rint(HOST.reshape(-1, 3).mean(axis=0)))
    assert np.array_equal(mean_filled(HOST, NOTHING, protected=NOTHING).pixels, HOST)


def test_a_blur_evens_out_the_region_alone() -> None:
    found = blurred(HOST, SEGMENT, radius=3.0)
    assert np.array_equal(found.pixels[~SEGMENT], HOST[~SEGMENT])
    assert found.pixels[SEGMENT].std() < 0.25 * HOST[SEGMENT].std()
    flat = np.full((*SIZE, 3), 77, np.uint8)
    assert np.array_equal(blurred(flat, SEGMENT, radius=3.0).pixels, flat)
