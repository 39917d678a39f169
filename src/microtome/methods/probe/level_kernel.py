"""How many positions of an upsampled map, and of its mask, lie between levels. Bilinear as in `record.upsample`."""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.record.upsample import spans


@njit(cache=True, nogil=True)
def levels_below(value, levels, first, last):
    """How many levels lie below `value` (value > level), known to be first .. last."""
    while first < last:
        middle = (first + last) // 2
        if levels[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True, nogil=True)
def level_counts(maps, images, pairing, masks, void, levels, y_low, y_part, x_low, x_part):
    """int64 [2, level + 1]: positions, and positions of the mask, above the first k levels and not above the next.

    maps: [image, h, w], of which `images` are read, image i against mask pairing[i]. masks, void: bool [image, H, W];
    void positions are left out. levels: ascending, float64.
    """
    counts = np.zeros((2, len(levels) + 1), np.int64)
    h, w = maps.shape[1], maps.shape[2]
    y_starts, x_starts = spans(y_low, h), spans(x_low, w)
    for image in images:
        other = pairing[image]
        for i in range(max(h - 1, 1)):
            i1 = min(i + 1, h - 1)
            for j in range(max(w - 1, 1)):
                j1 = min(j + 1, w - 1)
                v00, v01 = np.float64(maps[image, i, j]), np.float64(maps[image, i, j1])
                v10, v11 = np.float64(maps[image, i1, j]), np.float64(maps[image, i1, j1])
                first = levels_below(min(min(v00, v01), min(v10, v11)), levels, 0, len(levels))
                last = levels_below(max(max(v00, v01), max(v10, v11)), levels, first, len(levels))
                # Rounding may carry a value past its corners by a bit: one level to spare on each side.
                low, high = max(first - 1, 0), min(last + 1, len(levels))
                for y in range(y_starts[i], y_starts[i + 1]):
                    fy = y_part[y]
                    for x in range(x_starts[j], x_starts[j + 1]):
                        if void[other, y, x]:
                            continue
                        fx = x_part[x]
                        value = (1.0 - fy) * ((1.0 - fx) * v00 + fx * v01) + fy * ((1.0 - fx) * v10 + fx * v11)
                        level = levels_below(value, levels, low, high)
                        counts[0, level] += 1
                        if masks[other, y, x]:
                            counts[1, level] += 1
    return counts
