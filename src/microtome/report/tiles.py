"""Pictures with masks drawn on them: tiles, and sheets of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from microtome.core.errors import OptionError

UNIT_COLOUR = (255, 221, 51)
"""Yellow, solid: where the unit fires."""
FORMULA_COLOUR = (77, 190, 255)
"""Sky blue, dashed: where the formula holds. Yellow and blue are told apart by every kind of colour vision."""
HALO_COLOUR = (16, 12, 24)
DIMMED = 0.58
SMALLEST = 8


def draw_tile(
    pixels: UInt8[np.ndarray, "height width 3"],
    unit_mask: Bool[np.ndarray, "unit_height unit_width"] | None = None,
    formula_mask: Bool[np.ndarray, "formula_height formula_width"] | None = None,
    *,
    size: int = 112,
) -> UInt8[np.ndarray, "size size 3"]:
    """Draw an image as a square tile; what lies outside of the unit's mask is dimmed and loses colour.

    Parameters
    ----------
    pixels:
        RGB, uint8. An image that is not square is squeezed, as it is on its way into the model.
    unit_mask:
        Where the unit fires, at any resolution, over the same field of view. Outlined in yellow. None = no mask.
        A mask that is false everywhere dims nothing, so that one sees what leaves the unit silent.
    formula_mask:
        Where the formula holds, likewise. Outlined in dashed blue. None = no outline.
    size:
        Width and height of the tile in pixels, at least 8. Below 80 the lines are one pixel wide, else two.

    Returns
    -------
    The tile, uint8 [size, size, 3].

    Raises
    ------
    OptionError
        If `size` is below 8, or an array has no pixels.
    """
    _check(size, pixels, unit_mask, formula_mask)
    if pixels.shape[:2] != (size, size):
        pixels = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS))
    tile = pixels.astype(np.float32)
    line = 1 if size < 80 else 2
    unit = None if unit_mask is None else _resize(unit_mask, size)
    formula = None if formula_mask is None else _resize(formula_mask, size)
    if unit is not None and unit.any():
        _dim(tile, ~unit)
    # The formula comes first, so that the unit's solid line stays whole where the two run together.
    if formula is not None:
        dashes = _dashes(size, step=line)
        _outline(tile, formula, FORMULA_COLOUR, line=line, only=dashes)
    if unit is not None:
        _outline(tile, unit, UNIT_COLOUR, line=line, only=None)
    return np.clip(np.rint(tile), 0, 255).astype(np.uint8)


def sprite(tiles: Sequence[UInt8[np.ndarray, "size size 3"]], *, columns: int) -> UInt8[np.ndarray, "height width 3"]:
    """Lay tiles out in rows on one sheet. The sheet is always `columns` tiles wide; empty places are black.

    Parameters
    ----------
    tiles:
        At least one tile, all of one size; tile i lies in row i // columns, column i % columns.
    columns:
        Tiles in a row, at least 1.

    Raises
    ------
    OptionError
        If there is no tile, tiles differ in size, or `columns` is below 1.
    """
    sizes = sorted({tile.shape for tile in tiles})
    if columns < 1 or len(sizes) != 1:
        raise OptionError(
            f"A sheet of {len(tiles)} tiles of sizes {sizes} in {columns} columns cannot be laid out.",
            expected="at least one tile, all of one size, and at least one column",
        )
    height, width, _ = sizes[0]
    sheet = np.zeros((-(-len(tiles) // columns) * height, columns * width, 3), dtype=np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return sheet


def _check(size: int, *arrays: np.ndarray | None) -> None:
    if size < SMALLEST:
        raise OptionError(f"A tile of {size} pixels cannot be drawn.", expected=f"a size of {SMALLEST} or more")
    for array in arrays:
        if array is not None and 0 in array.shape:
            raise OptionError(f"An image or mask of shape {array.shape} has no pixels.", expected="at least 1 x 1")


def _resize(mask: Bool[np.ndarray, "height width"], size: int) -> Bool[np.ndarray, "size size"]:
    if mask.shape == (size, size):
        return mask
    soft = Image.fromarray(mask.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(soft)
    # A mask thinner than half a pixel of the tile would vanish; its strongest pixels stay.
    return values >= min(0.5, float(values.max())) if mask.any() else np.zeros((size, size), dtype=bool)


def _dim(tile: Float[np.ndarray, "size size 3"], outside: Bool[np.ndarray, "size size"]) -> None:
    """Darken what lies outside and take most of its colour, in place."""
    kept = tile[outside]
    grey = kept.sum(axis=1, keepdims=True) / 3
    tile[outside] = DIMMED * (0.45 * kept + 0.55 * grey)


def _dilate(mask: Bool[np.ndarray, "height width"], by: int) -> Bool[np.ndarray, "height width"]:
    """The mask grown by cells that touch it along an edge."""
    for _ in range(by):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask


def _outline(
    tile: Float[np.ndarray, "size size 3"],
    mask: Bool[np.ndarray, "size size"],
    colour: tuple[int, int, int],
    *,
    line: int,
    only: Bool[np.ndarray, "size size"] | None,
) -> None:
    """Paint the inner rim of a mask, with a dark rim around it, so that it shows on light and on dark. In place."""
    # Outside of the frame counts as outside of the mask, so the line closes along the frame.
    outside = np.ones((mask.shape[0] + 2 * line, mask.shape[1] + 2 * line), dtype=bool)
    outside[line:-line, line:-line] = ~mask
    rim = mask & _dilate(outside, line)[line:-line, line:-line]
    if only is not None:
        rim &= only
    halo = _dilate(rim, 1) & ~rim
    tile[halo] = 0.35 * tile[halo] + 0.65 * np.asarray(HALO_COLOUR, dtype=np.float32)
    tile[rim] = colour


@cache
def _dashes(size: int, *, step: int) -> Bool[np.ndarray, "size size"]:
    """A pattern that cuts a line of any direction into dashes, diagonals included."""
    row, column = np.indices((size, size)) // (2 * step)
    return (column + 2 * row) % 4 < 2
