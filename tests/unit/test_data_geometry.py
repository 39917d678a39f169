"""Image and labels share one geometry."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.errors import OptionError
from microtome.data.base import LabelledImage
from microtome.data.geometry import cell_centres, label_grid, resize_pixels, to_grid


def labelled(planes: np.ndarray, void: np.ndarray | None = None) -> LabelledImage:
    pixels = np.zeros((*planes.shape[1:], 3), dtype=np.uint8)
    return LabelledImage("x", pixels, planes.astype(np.int32), void=void)


@pytest.mark.parametrize(("cells", "length"), [(1, 7), (5, 5), (7, 112), (112, 7), (3, 10), (112, 360)])
def test_cell_centres_are_the_samples_under_the_centres(cells: int, length: int) -> None:
    expected = [int((i + 0.5) / cells * length) for i in range(cells)]
    assert cell_centres(cells, length).tolist() == expected


def test_to_grid_at_its_own_size_changes_nothing() -> None:
    planes = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    void = planes[0] % 2 == 0
    out, dropped = to_grid(labelled(planes, void), grid=(3, 5))
    assert np.array_equal(out, planes)
    assert np.array_equal(dropped, void)


def test_to_grid_without_void_or_planes() -> None:
    out, dropped = to_grid(labelled(np.zeros((0, 4, 4))), grid=(2, 3))
    assert out.shape == (0, 2, 3)
    assert dropped.shape == (2, 3)
    assert not dropped.any()


@pytest.mark.parametrize("grid", [(112, 112), (56, 80), (7, 7), (20, 33)])
@pytest.mark.parametrize("size", [(224, 224), (96, 160)])
def test_a_planted_square_stays_under_its_pixels(grid: tuple[int, int], size: tuple[int, int]) -> None:
    height, width = 123, 217
    top, bottom, left, right = 37, 92, 60, 150
    planes = np.zeros((1, height, width), dtype=np.int32)
    planes[0, top:bottom, left:right] = 1
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[top:bottom, left:right] = 255
    plane = to_grid(LabelledImage("x", pixels, planes), grid=grid)[0][0]
    bright = resize_pixels(pixels, size=size)[..., 0].astype(float) / 255
    for axis in (0, 1):
        cells = np.flatnonzero(plane.any(axis=1 - axis)) / grid[axis]
        # Where the brightness falls to one half, in pixels and parts of them.
        profile = bright.max(axis=1 - axis)
        inside = np.flatnonzero(profile >= 0.5)
        pixel_edges = np.array([inside[0], inside[-1] + 1]) / size[axis]
        label_edges = np.array([cells[0], cells[-1] + 1 / grid[axis]])
        tolerance = 0.5 / grid[axis] + 0.5 / size[axis]
        assert np.abs(label_edges - pixel_edges).max() <= tolerance + 1e-9


def test_a_crop_would_break_the_geometry() -> None:
    """The control: with the model's own crop the square is elsewhere, so labels are never used with it."""
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    pixels[:, :40] = 255
    assert resize_pixels(pixels, size=50)[..., 0].max() == 255
    assert resize_pixels(pixels, size=50, crop="center")[..., 0].max() == 0


def test_center_crop_cuts_the_middle_of_the_scaled_image() -> None:
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    pixels[16:48, 32:64] = 200
    out = resize_pixels(pixels, size=32, crop="center", resize_short=64)
    assert out.shape == (32, 32, 3)
    assert (out == 200).all()


def test_shrinking_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    out = resize_pixels(stripes, size=8).astype(float)
    assert np.abs(out - 127.5).max() < 10


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": (4, 0)},
        {"size": 4, "resize_short": 8},
        {"size": 16, "crop": "center", "resize_short": 8},
    ],
)
def test_impossible_sizes_are_errors(options: dict) -> None:
    with pytest.raises(OptionError):
        resize_pixels(np.zeros((8, 8, 3), dtype=np.uint8), **options)


def test_an_empty_grid_is_an_error() -> None:
    with pytest.raises(OptionError):
        to_grid(labelled(np.zeros((1, 4, 4))), grid=(0, 3))


def test_label_grid_keeps_small_images_and_shrinks_large_ones() -> None:
    assert label_grid(300, 400) == (300, 400)
    assert label_grid(3000, 4000) == (384, 512)
    assert label_grid(1, 5000) == (1, 512)
