"""Compiled loops over activation blocks [image, unit, h, w] in float32."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sums_of_squares(values):
    """[2, unit]: sum and sum of squares, in float64, in a fixed order."""
    images, units, h, w = values.shape
    out = np.zeros((2, units))
    for image in range(images):
        for unit in range(units):
            first, second = 0.0, 0.0
            for y in range(h):
                for x in range(w):
                    value = np.float64(values[image, unit, y, x])
                    first += value
                    second += value * value
            out[0, unit] += first
            out[1, unit] += second
    return out


@njit(cache=True, nogil=True)
def peaks_of(values):
    """Largest value of each map and its cell (y * w + x; the first of equals). float32, int32 [image, unit]."""
    images, units, h, w = values.shape
    peak, cell = np.empty((images, units), np.float32), np.zeros((images, units), np.int32)
    for image in range(images):
        for unit in range(units):
            best, at = values[image, unit, 0, 0], 0
            for y in range(h):
                for x in range(w):
                    if values[image, unit, y, x] > best:
                        best, at = values[image, unit, y, x], y * w + x
            peak[image, unit], cell[image, unit] = best, at
    return peak, cell


@njit(cache=True, nogil=True)
def add_tail(values, kept, fill, bound, most):
    """Append values above each unit's bound to kept [unit, capacity]; when full keep the `most` largest."""
    images, units, h, w = values.shape
    capacity = kept.shape[1]
    for unit in range(units):
        for image in range(images):
            for y in range(h):
                for x in range(w):
                    value = values[image, unit, y, x]
                    if value > bound[unit]:
                        if fill[unit] == capacity:
                            largest = np.sort(kept[unit])[capacity - most :]
                            kept[unit, :most] = largest
                            fill[unit] = most
                            bound[unit] = largest[0]
                            if value <= bound[unit]:
                                continue
                        kept[unit, fill[unit]] = value
                        fill[unit] += 1


@njit(cache=True, nogil=True)
def add_histogram(values, bits, counts, low_exponent, exponents, steps):
    """Count values into bins of equal ratio; see `stats.histogram`. `bits` is `values` read as int32."""
    images, units, h, w = values.shape
    half = exponents * steps
    for image in range(images):
        for unit in range(units):
            for y in range(h):
                for x in range(w):
                    value = values[image, unit, y, x]
                    if value == 0.0:
                        counts[unit, half] += 1
                        continue
                    magnitude = bits[image, unit, y, x] & 0x7FFFFFFF
                    place = (magnitude >> 19) - low_exponent * steps
                    place = min(max(place, 0), half - 1)
                    if value > 0:
                        counts[unit, half + 1 + place] += 1
                    else:
                        counts[unit, half - 1 - place] += 1
