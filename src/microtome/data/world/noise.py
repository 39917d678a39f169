"""Smooth random textures from one small table."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from microtome.data.world.dice import Dice

_SIDE = 64


@lru_cache(maxsize=1)
def _table() -> Float[np.ndarray, "64 64"]:
    dice = Dice(2)
    return np.array([dice.unit() for _ in range(_SIDE * _SIDE)]).reshape(_SIDE, _SIDE)


def smooth_noise(
    x: Float[np.ndarray, " width"], y: Float[np.ndarray, " height"], *, seed: int
) -> Float[np.ndarray, "height width"]:
    """Value noise in [0, 1]: random at integer coordinates, cubic in between, with period 64.

    Parameters
    ----------
    x, y:
        Coordinates of columns and rows, not negative; one unit is one blob.
    seed:
        Shifts the table.
    """
    first_row, row_next, row_weight = _split(y, seed & 63)
    first_col, col_next, col_weight = _split(x, (seed >> 6) & 63)
    table = _table()
    upper, lower = table[first_row], table[row_next]
    rows = upper + (lower - upper) * row_weight[:, None]
    left, right = rows[:, first_col], rows[:, col_next]
    return left + (right - left) * col_weight


def smooth_curve(x: Float[np.ndarray, " width"], *, seed: int) -> Float[np.ndarray, " width"]:
    """The one-dimensional twin of `smooth_noise`."""
    first, after, weight = _split(x, (seed >> 6) & 63)
    row = _table()[seed & 63]
    return row[first] + (row[after] - row[first]) * weight


def _split(value: Float[np.ndarray, " n"], shift: int) -> tuple[np.ndarray, np.ndarray, Float[np.ndarray, " n"]]:
    cell = np.floor(value)
    rest = value - cell
    first = (cell.astype(np.int64) + shift) % _SIDE
    return first, (first + 1) % _SIDE, rest * rest * (3.0 - 2.0 * rest)
