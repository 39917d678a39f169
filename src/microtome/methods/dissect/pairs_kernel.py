"""The provably best formula of two leaves on a table of many concepts, without a matrix of pairs.

With the best IoU so far p/q and W = (q + p) a - p n (a: active, n: all elements; A: the unit's total), IoU > p/q means
W > p A, and W <= q a. So

    x AND y, x AND NOT y    need q a_x > p A
    x OR y                  needs W_x + q a_y > p A and W_y + q a_x > p A

Only the few concepts that pass are paired: the counts `x & y` for all y come from one walk over the active rows of x.
p/q rises as better formulas are met; what a bound left out at a lower p/q stays out at a higher one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# best: |f & U|, |f or U|, operation (1 or, 2 and, 3 and not; -1 = the start), x, y, formulas evaluated.
BOTH, UNION, OP, FIRST, SECOND, EVALUATED = range(6)


@njit(cache=True, nogil=True)
def promising(single_n, single_a, active_total, both, union):
    """Concepts, by falling a, of which some pair could have an IoU above both / union."""
    p, q = both, union
    chosen, keys, count = np.empty(len(single_n), np.int64), np.empty(len(single_n), np.int64), 0
    for x in range(len(single_n)):
        if single_a[x] == 0 or 2 * q * single_a[x] <= p * active_total:
            continue
        wanted = q * single_a[x] > p * active_total
        worth = (q + p) * single_a[x] - p * single_n[x]
        y = 0
        while not wanted and y < len(single_n):
            if y != x and single_a[y] <= single_a[x] and worth + q * single_a[y] > p * active_total:
                wanted = (q + p) * single_a[y] - p * single_n[y] + q * single_a[x] > p * active_total
            y += 1
        if wanted:
            chosen[count], keys[count] = x, -single_a[x]
            count += 1
    return chosen[:count][np.argsort(keys[:count], kind="mergesort")]


@njit(cache=True, nogil=True)
def shared_elements(indptr, indices, weight, rows, out):
    """out[y] = elements of the rows that hold y."""
    out[:] = 0
    for i in range(len(rows)):
        row = rows[i]
        for k in range(indptr[row], indptr[row + 1]):
            out[indices[k]] += weight[row]


@njit(cache=True, nogil=True)
def _improve(best, active_total, n, a, op, x, y):
    best[EVALUATED] += 1
    union = n + active_total - a
    if a * best[UNION] > best[BOTH] * union:
        best[BOTH], best[UNION], best[OP], best[FIRST], best[SECOND] = a, union, op, x, y


@njit(cache=True, nogil=True)
def best_pair(table, single_n, single_a, active, active_total, order, shared, scratch, done, best):
    """Pair every concept of `order` with all others and keep what beats `best`.

    table: indptr, indices, column_ptr, column_rows. shared[i, y]: elements of order[i] & y. done: bool [concept], false
    throughout.
    """
    indptr, indices, column_ptr, column_rows = table
    for i in range(len(order)):
        x = order[i]
        if 2 * best[UNION] * single_a[x] <= best[BOTH] * active_total:
            break
        scratch[:] = 0
        for j in range(column_ptr[x], column_ptr[x + 1]):
            row = column_rows[j]
            count = active[row]
            if count > 0:
                for k in range(indptr[row], indptr[row + 1]):
                    scratch[indices[k]] += count
        done[x] = True
        _with_all(single_n, single_a, active_total, x, shared[i], scratch, done, best)
    for x in order:
        done[x] = False


@njit(cache=True, nogil=True)
def _with_all(single_n, single_a, active_total, x, shared, both, done, best):
    """x AND NOT y for all y; x OR y and x AND y for those that were not paired with x before."""
    n, a = single_n[x], single_a[x]
    for y in range(len(single_n)):
        if y == x:
            continue
        p, q = best[BOTH], best[UNION]
        if 0 < shared[y] < n and q * (a - both[y]) > p * active_total:
            _improve(best, active_total, n - shared[y], a - both[y], 3, x, y)
        if done[y]:
            continue
        if shared[y] > 0 and q * both[y] > p * active_total:
            _improve(best, active_total, shared[y], both[y], 2, x, y)
        if single_a[y] > 0 and (q + p) * (a + single_a[y] - both[y]) > p * (n + single_n[y] - shared[y] + active_total):
            _improve(best, active_total, n + single_n[y] - shared[y], a + single_a[y] - both[y], 1, x, y)
