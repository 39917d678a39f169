"""Where an activation map, upsampled to the label grid, lies in (low, high].

Bilinear, `align_corners=False`: grid cell (Y, X) reads the map at y = (Y + 1/2) h / H - 1/2, x likewise, clamped to the
map; value = (1-fy) ((1-fx) v00 + fx v01) + fy ((1-fx) v10 + fx v11) in float64.

Bilinear values lie between their four corners, so only the cells of the map with a corner above `low` (and one not
above `high`) are interpolated at all, and a map whose maximum is <= low never is. Nothing is approximated.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit


def axis_weights(size: int, grid: int) -> tuple[Int[np.ndarray, "grid"], Float[np.ndarray, "grid"]]:
    """Lower map index (int64) and fraction (float64) of each of `grid` positions over `size` map cells."""
    position = np.clip((np.arange(grid) + 0.5) * (size / grid) - 0.5, 0.0, size - 1)
    lower = np.minimum(np.floor(position).astype(np.int64), max(size - 2, 0))
    return lower, position - lower


@njit(cache=True, nogil=True)
def spans(lower, size):
    """First and last+1 grid position of each map interval [i, i+1): starts [size]."""
    cells = max(size - 1, 1)
    starts = np.zeros(cells + 1, np.int64)
    for position in range(len(lower)):
        starts[lower[position] + 1] += 1
    for i in range(cells):
        starts[i + 1] += starts[i]
    return starts


@njit(cache=True, nogil=True)
def active_positions(activation, low, high, y_low, y_part, x_low, x_part, offset, out, count):
    """Append `offset + Y * W + X` for each grid position with low < value <= high.

    activation: float32 [h, w]. out: int64 buffer. Returns the new count, or -1 - count where `out` is full (the
    positions of this map are then not to be used).
    """
    h, w = activation.shape
    width = len(x_low)
    y_starts, x_starts = spans(y_low, h), spans(x_low, w)
    for i in range(max(h - 1, 1)):
        i1 = min(i + 1, h - 1)
        for j in range(max(w - 1, 1)):
            j1 = min(j + 1, w - 1)
            v00, v01 = np.float64(activation[i, j]), np.float64(activation[i, j1])
            v10, v11 = np.float64(activation[i1, j]), np.float64(activation[i1, j1])
            if max(max(v00, v01), max(v10, v11)) <= low or min(min(v00, v01), min(v10, v11)) > high:
                continue
            for y in range(y_starts[i], y_starts[i + 1]):
                fy = y_part[y]
                for x in range(x_starts[j], x_starts[j + 1]):
                    fx = x_part[x]
                    value = (1.0 - fy) * ((1.0 - fx) * v00 + fx * v01) + fy * ((1.0 - fx) * v10 + fx * v11)
                    if low < value <= high:
                        if count >= len(out):
                            return -1 - count
                        out[count] = offset + y * width + x
                        count += 1
    return count


@njit(cache=True, nogil=True)
def unit_positions(activations, unit, low, high, y_low, y_part, x_low, x_part, first_image, out, count):
    """Positions of one unit over a block of images [image, unit, h, w]; see `active_positions`."""
    cells = len(y_low) * len(x_low)
    for image in range(activations.shape[0]):
        one = activations[image, unit]
        largest = one.max()
        if not largest > low:
            continue
        count = active_positions(
            one, low, high, y_low, y_part, x_low, x_part, (first_image + image) * cells, out, count
        )
        if count < 0:
            return count
    return count


@njit(cache=True, nogil=True)
def take_counts(dense):
    """Rows with a count, and the counts; `dense` is zeroed again."""
    n = 0
    for i in range(len(dense)):
        if dense[i] != 0:
            n += 1
    rows, counts = np.empty(n, np.int32), np.empty(n, np.int64)
    n = 0
    for i in range(len(dense)):
        if dense[i] != 0:
            rows[n] = i
            counts[n] = dense[i]
            dense[i] = 0
            n += 1
    return rows, counts
