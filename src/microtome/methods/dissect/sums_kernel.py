"""The rows of a formula, and the counts of `formula & concept` for every concept: the inner loops of the beam.

Sums come from the rows of the formula or from those that it leaves out, whichever are fewer; those of f OR c and
f AND NOT c by inclusion and exclusion where that is cheaper still.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.neighbours_kernel import holds_term


@njit(cache=True, nogil=True)
def _add_row(table, active, row, out):
    indptr, indices = table[0], table[1]
    w, a, h = table[4][row], active[row], table[5][row]
    for k in range(indptr[row], indptr[row + 1]):
        d = indices[k]
        out[d, 0] += w
        out[d, 1] += a
        out[d, 2] += h


@njit(cache=True, nogil=True)
def scatter(table, active, rows, count, term, wanted, out):
    """out[d] = (n, a, fingerprint) of `rows & term & d` for all concepts d; of `rows & NOT term & d` if not wanted."""
    column_rows, at, stop = table[3], table[2][term], table[2][term + 1]
    out[:] = 0
    for i in range(count):
        # Of one type everywhere, so that `_add_row` is compiled once.
        row = np.int64(rows[i])
        # Both lists of rows ascend.
        while at < stop and column_rows[at] < row:
            at += 1
        if (at < stop and column_rows[at] == row) == wanted:
            _add_row(table, active, row, out)


@njit(cache=True, nogil=True)
def scatter_rows(table, active, rows, count, single, out):
    """out[d] = (n, a, fingerprint) of `rows & d` for all concepts d, from the rows left out where these are fewer."""
    n_rows, at = len(table[4]), 0
    out[:] = 0
    if 2 * count <= n_rows:
        for i in range(count):
            _add_row(table, active, np.int64(rows[i]), out)
        return
    for row in range(n_rows):
        if at < count and rows[at] == row:
            at += 1
        else:
            _add_row(table, active, row, out)
    for d in range(len(out)):
        for k in range(3):
            out[d, k] = single[d, k] - out[d, k]


@njit(cache=True, nogil=True)
def _keep(op, holds_first, holds_second):
    """Truth of a step's right-hand side on a row where the parent holds."""
    if op == 2:
        return holds_first
    if op == 3:
        return not holds_first
    if op == 4:
        return holds_first or holds_second
    if op == 5:
        return holds_first or not holds_second
    return not (holds_first and holds_second)


@njit(cache=True, nogil=True)
def rows_of(table, parent_rows, parent_count, op, first, second, out):
    """Rows where `parent op first second` holds, ascending, into `out`; returns their number."""
    column_ptr, column_rows = table[2], table[3]
    start, stop = column_ptr[first], column_ptr[first + 1]
    count = 0
    if op == 0:
        for i in range(start, stop):
            out[count] = column_rows[i]
            count += 1
        return count
    if op == 1:
        i, j = 0, start
        while i < parent_count or j < stop:
            if j >= stop or (i < parent_count and parent_rows[i] < column_rows[j]):
                out[count] = parent_rows[i]
                i += 1
            else:
                if i < parent_count and parent_rows[i] == column_rows[j]:
                    i += 1
                out[count] = column_rows[j]
                j += 1
            count += 1
        return count
    for i in range(parent_count):
        row = parent_rows[i]
        holds_second = op > 3 and holds_term(table, row, second)
        if _keep(op, holds_term(table, row, first), holds_second):
            out[count] = row
            count += 1
    return count


@njit(cache=True, nogil=True)
def _subtracted(one, other, out):
    """out = one - other, as a loop: an array expression takes seconds to compile."""
    for d in range(len(out)):
        for k in range(3):
            out[d, k] = one[d, k] - other[d, k]


@njit(cache=True, nogil=True)
def sums_of(table, active, pool, slot, single, singles, place_of, scratch):
    """Fill pool sums[slot, d] = (n, a, fingerprint) of `formula & d`, by inclusion and exclusion where cheaper.

    d: concepts. singles[place_of[c]], c any term, caches the sums of `c & d`; the last entry of `parents` counts the
    places taken.
    """
    column_ptr, column_rows = table[2], table[3]
    steps, lengths, rows, row_counts, sums, parents = pool
    last = lengths[slot] - 1
    op, first, parent = steps[slot, last, 0], steps[slot, last, 1], parents[slot]
    own, column = row_counts[slot], column_ptr[first + 1] - column_ptr[first]
    either_way = min(own, len(table[4]) - own)
    if parent < 0 or (op != 1 and op != 3) or either_way <= min(row_counts[parent], column):
        scatter_rows(table, active, rows[slot], own, single, sums[slot])
        return
    # No literal: it would be compiled for `True` and for any bool.
    scatter(table, active, rows[parent], row_counts[parent], first, parent >= 0, scratch)
    if op == 3:
        _subtracted(sums[parent], scratch, sums[slot])
        return
    if place_of[first] < 0:
        place_of[first] = parents[-1]
        parents[-1] += 1
        held = column_rows[column_ptr[first] : column_ptr[first + 1]]
        scatter_rows(table, active, held, column, single, singles[place_of[first]])
    _subtracted(sums[parent], scratch, sums[slot])
    added, own_sums = singles[place_of[first]], sums[slot]
    for d in range(len(own_sums)):
        for k in range(3):
            own_sums[d, k] += added[d, k]
