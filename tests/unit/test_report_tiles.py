"""Tiles: the mask is bright, the rest dim, and both outlines can be told apart, at any resolution of the masks."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.errors import OptionError
from microtome.report.tiles import FORMULA_COLOUR, UNIT_COLOUR, draw_tile, sprite

GREY = np.full((60, 90, 3), 180, dtype=np.uint8)


def half(rows: int, columns: int) -> np.ndarray:
    """A mask that is true in the left half."""
    return np.broadcast_to(np.arange(columns) < columns // 2, (rows, columns)).copy()


def has(tile: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (tile == np.array(colour, dtype=np.uint8)).all(axis=2)


def test_without_masks_the_image_is_only_resized():
    tile = draw_tile(GREY)
    assert tile.shape == (112, 112, 3)
    assert (tile == 180).all()


@pytest.mark.parametrize("shape", [(60, 90), (7, 8), (224, 224), (112, 113)])
def test_outside_of_the_units_mask_is_dimmed_whatever_the_masks_resolution(shape: tuple[int, int]):
    tile = draw_tile(GREY, half(*shape))
    assert (tile[20:90, 10:40] == 180).all()
    assert (tile[20:90, 75:] < 120).all()


@pytest.mark.parametrize(("size", "line"), [(112, 2), (56, 1)])
def test_the_units_outline_is_a_closed_line_of_the_stated_width(size: int, line: int):
    mask = np.zeros((size, size), dtype=bool)
    mask[10:40, 12:44] = True
    drawn = has(draw_tile(GREY, mask, size=size), UNIT_COLOUR)
    inner = np.zeros_like(mask)
    inner[10 + line : 40 - line, 12 + line : 44 - line] = True
    assert (drawn == (mask & ~inner)).all()


def test_the_formulas_outline_is_dashed_in_every_direction():
    size = 112
    rows, columns = np.indices((size, size))
    for edge in (columns < 56, rows < 56, rows + columns < 112, rows < columns):
        drawn = has(draw_tile(GREY, None, edge, size=size), FORMULA_COLOUR)
        # Away from the frame, the line has both dashes and gaps.
        rim = edge & ~(np.roll(edge, 2, 0) & np.roll(edge, -2, 0) & np.roll(edge, 2, 1) & np.roll(edge, -2, 1))
        part = drawn[8:-8, 8:-8][rim[8:-8, 8:-8]].mean()
        assert 0.25 < part < 0.75


def test_both_outlines_show_and_the_formula_dims_nothing():
    tile = draw_tile(GREY, half(10, 10), half(12, 12)[::-1].T)
    assert has(tile, UNIT_COLOUR).any()
    assert has(tile, FORMULA_COLOUR).any()
    alone = draw_tile(GREY, None, half(12, 12))
    assert (alone[40:70, 90:] == 180)[:, :-3].all()


def test_a_mask_of_one_pixel_does_not_vanish():
    mask = np.zeros((448, 448), dtype=bool)
    mask[200, 300] = True
    assert has(draw_tile(GREY, mask, size=56), UNIT_COLOUR).sum() >= 1


def test_where_the_unit_never_fires_the_picture_stays_bright_and_has_no_line():
    tile = draw_tile(GREY, np.zeros((5, 5), dtype=bool))
    assert not has(tile, UNIT_COLOUR).any()
    assert (tile == 180).all()


def test_a_sheet_holds_tile_i_at_row_and_column_of_i():
    tiles = [np.full((4, 4, 3), 10 * k, dtype=np.uint8) for k in range(1, 6)]
    sheet = sprite(tiles, columns=3)
    assert sheet.shape == (8, 12, 3)
    for k in range(5):
        row, column = divmod(k, 3)
        assert (sheet[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] == 10 * (k + 1)).all()
    assert (sheet[4:, 8:] == 0).all()


def test_a_sheet_is_full_width_even_with_one_tile():
    assert sprite([np.zeros((4, 4, 3), dtype=np.uint8)], columns=12).shape == (4, 48, 3)


def test_what_cannot_be_drawn_is_an_error():
    with pytest.raises(OptionError, match="size"):
        draw_tile(GREY, size=2)
    with pytest.raises(OptionError, match="no pixels"):
        draw_tile(np.zeros((0, 4, 3), dtype=np.uint8))
    with pytest.raises(OptionError, match="laid out"):
        sprite([], columns=4)
