"""The one geometry of an image and its labels: whole image, no crop, cell centres.

A grid cell (row r of H) covers the rows r/H to (r+1)/H of the field of view, in the image and in its labels
alike, whatever their resolutions. Labels take the value under the cell's centre; pixels are averaged by
Pillow's antialiased bilinear filter, which uses the same convention.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8
from PIL import Image

from microtome.core.errors import OptionError
from microtome.data.base import LabelledImage

LABEL_SIDE = 512
"""Longest side of the label grid of an image that nobody annotated: colours and predictions need no more."""


def label_grid(height: int, width: int, *, side: int = LABEL_SIDE) -> tuple[int, int]:
    """(rows, columns) of a label grid over an image: its own size, shrunk so that no side exceeds `side`."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def cell_centres(cells: int, length: int) -> Int[np.ndarray, "cells"]:
    """Which of `length` samples lies under the centre of each cell: floor((i + 1/2) length / cells)."""
    return ((2 * np.arange(cells) + 1) * length) // (2 * cells)


def to_grid(
    image: LabelledImage, *, grid: tuple[int, int]
) -> tuple[Int[np.ndarray, "plane row column"], Bool[np.ndarray, "row column"]]:
    """Label planes and void of an image on a grid over the whole image, nearest neighbour by cell centre.

    Parameters
    ----------
    image:
        The image, with labels of any resolution.
    grid:
        (rows, columns), each at least 1. The cost of everything later grows with their product.

    Returns
    -------
    planes:
        int32 [plane, row, column].
    void:
        bool [row, column]; all False where the image has no void.

    Raises
    ------
    OptionError
        If the grid has no cell.
    """
    rows, columns = grid
    if rows < 1 or columns < 1:
        raise OptionError(f"A label grid of {rows} x {columns} cells is empty.", expected="at least 1 x 1")
    _, height, width = image.planes.shape
    under_rows, under_columns = cell_centres(rows, height), cell_centres(columns, width)
    planes = image.planes[:, under_rows[:, None], under_columns[None, :]].astype(np.int32, copy=False)
    if image.void is None:
        return planes, np.zeros(grid, dtype=bool)
    return planes, image.void[under_rows[:, None], under_columns[None, :]]


def resize_pixels(
    pixels: UInt8[np.ndarray, "height width 3"],
    *,
    size: int | tuple[int, int],
    crop: Literal["none", "center"] = "none",
    resize_short: int | None = None,
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Pixels at a model's input size, by Pillow's antialiased bilinear filter.

    Parameters
    ----------
    pixels:
        RGB, uint8.
    size:
        (rows, columns) of the result; one number for a square.
    crop:
        `none`: the whole image is squeezed into `size`, as the labels are by `to_grid`. `center`: the short
        side is scaled to `resize_short` and the middle cut out; only for measuring accuracy, since labels are
        not cut.
    resize_short:
        Short side in pixels before the cut, at least as large as `size`. Default: just large enough. Raising
        it cuts away more of the border.

    Raises
    ------
    OptionError
        On a size below 1, an unknown crop, or a `resize_short` that `size` does not fit into.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    if rows < 1 or columns < 1:
        raise OptionError(f"An input of {rows} x {columns} pixels is empty.", expected="at least 1 x 1")
    if crop not in ("none", "center"):
        raise OptionError(f"The crop '{crop}' is unknown.", expected="'none' or 'center'")
    picture = Image.fromarray(pixels)
    if crop == "none":
        if resize_short is not None:
            raise OptionError("`resize_short` means nothing without a crop.", next_step="set crop='center'")
        return np.array(picture.resize((columns, rows), Image.Resampling.BILINEAR))
    height, width = pixels.shape[:2]
    scale = max(rows / height, columns / width) if resize_short is None else resize_short / min(height, width)
    scaled = (round(height * scale), round(width * scale))
    if scaled[0] < rows or scaled[1] < columns:
        raise OptionError(
            f"A crop of {rows} x {columns} does not fit into the image scaled to {scaled[0]} x {scaled[1]}.",
            expected="resize_short at least as large as size",
        )
    top, left = round((scaled[0] - rows) / 2), round((scaled[1] - columns) / 2)
    whole = picture.resize((scaled[1], scaled[0]), Image.Resampling.BILINEAR)
    return np.array(whole.crop((left, top, left + columns, top + rows)))
