"""Bilinear upsampling (align_corners=False) cell by cell, dense: in float64, and in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def upsampled(one: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A map [h, w] on a grid, float64 [H, W]."""
    out = np.empty(grid)
    for y in range(grid[0]):
        i, i1, fy = _reads(one.shape[0], grid[0], y)
        for x in range(grid[1]):
            j, j1, fx = _reads(one.shape[1], grid[1], x)
            top = (1.0 - fx) * float(one[i, j]) + fx * float(one[i, j1])
            bottom = (1.0 - fx) * float(one[i1, j]) + fx * float(one[i1, j1])
            out[y, x] = (1.0 - fy) * top + fy * bottom
    return out


def _reads(size: int, grid: int, place: int) -> tuple[int, int, float]:
    """Lower and upper map index and the upper one's weight, for one position of one axis."""
    at = min(max((place + 0.5) * (size / grid) - 0.5, 0.0), size - 1.0)
    lower = min(int(at), max(size - 2, 0))
    return lower, min(lower + 1, size - 1), at - lower


def upsampled_exactly(one: np.ndarray, grid: tuple[int, int]) -> list[list[Fraction]]:
    """The same without any rounding."""
    values = [[Fraction(float(value)) for value in row] for row in one]
    rows = [_reads_exactly(one.shape[0], grid[0], y) for y in range(grid[0])]
    columns = [_reads_exactly(one.shape[1], grid[1], x) for x in range(grid[1])]
    return [
        [
            (1 - fy) * ((1 - fx) * values[i][j] + fx * values[i][j1])
            + fy * ((1 - fx) * values[i1][j] + fx * values[i1][j1])
            for j, j1, fx in columns
        ]
        for i, i1, fy in rows
    ]


def _reads_exactly(size: int, grid: int, place: int) -> tuple[int, int, Fraction]:
    at = (Fraction(2 * place + 1, 2) * size) / grid - Fraction(1, 2)
    at = min(max(at, Fraction(0)), Fraction(size - 1))
    lower = int(at)
    return lower, min(lower + 1, size - 1), at - lower


def active_cells(values: np.ndarray, *, low: float, high: float = np.inf) -> list[int]:
    """Positions Y * W + X with low < value <= high of an upsampled map, ascending."""
    height, width = values.shape
    return [y * width + x for y in range(height) for x in range(width) if low < values[y, x] <= high]
