"""The provably best formula of two leaves on a table of many concepts, without a matrix of pairs.

With the best IoU so far p/q and W = (q + p) a - p n (a: active, n: all elements; A: the unit's total), IoU > p/q means
W > p A, and W <= q a. So

    x AND y, x AND NOT y    need q a_x > p A
    x OR y                  needs W_x + q a_y > p A and W_y + q a_x > p A

Only the few terms that pass are paired: the counts `x & y` for all concepts y come from one walk over the active rows
of x; those of `x & group` are bounded by the group's members and counted where the bound leaves a chance. p/q rises as
better formulas are met; what a bound left out at a lower p/q stays out at a higher one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.neighbours_kernel import bound_counts, count_shared, row_bits

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
def best_pair(table, single, active, active_total, order, shared, scratch, done, bits, best):
    """Pair every term of `order` with all others and keep what beats `best`.

    table: `TableArrays.kernel_table`. single[term] = (n, a, _). shared[i, y]: elements of order[i] & y, y a concept.
    done: bool [term], false throughout. bits: the unit's, and room for those of x and of both.
    """
    indptr, indices, column_ptr, column_rows = table[0], table[1], table[2], table[3]
    for i in range(len(order)):
        x = order[i]
        if 2 * best[UNION] * single[x, 1] <= best[BOTH] * active_total:
            break
        scratch[:] = 0
        for j in range(column_ptr[x], column_ptr[x + 1]):
            row = column_rows[j]
            count = active[row]
            if count > 0:
                for k in range(indptr[row], indptr[row + 1]):
                    scratch[indices[k]] += count
        done[x] = True
        for y in range(len(scratch)):
            if y != x:
                _pair(single, active_total, x, y, shared[i, y], scratch[y], done[y], best)
        _with_groups(table, single, active_total, x, shared[i], scratch, done, bits, best)
    for x in order:
        done[x] = False


@njit(cache=True, nogil=True)
def _pair(single, active_total, x, y, both_n, both_a, done, best):
    """x AND NOT y; and x OR y, x AND y unless y was paired with x before."""
    n, a, p, q = single[x, 0], single[x, 1], best[BOTH], best[UNION]
    if 0 < both_n < n and q * (a - both_a) > p * active_total:
        _improve(best, active_total, n - both_n, a - both_a, 3, x, y)
    if done:
        return
    if both_n > 0 and q * both_a > p * active_total:
        _improve(best, active_total, both_n, both_a, 2, x, y)
    new_n, new_a = n + single[y, 0] - both_n, a + single[y, 1] - both_a
    if single[y, 1] > 0 and (q + p) * new_a > p * (new_n + active_total):
        _improve(best, active_total, new_n, new_a, 1, x, y)


@njit(cache=True, nogil=True)
def _with_groups(table, single, active_total, x, shared, both, done, bits, best):
    """The pairs of x with every NEIGHBOURS term."""
    column_ptr, column_rows, group_ptr, members = table[2], table[3], table[6], table[7]
    plain, lit = len(both), False
    n, a = single[x, 0], single[x, 1]
    bounds, found = np.empty(5, np.int64), np.empty(3, np.int64)
    for group in range(len(group_ptr) - 1):
        y = plain + group
        if y == x:
            continue
        if _out_of_reach(n, a, single[y, 0], single[y, 1], active_total, best):
            continue
        start, stop = group_ptr[group], group_ptr[group + 1]
        bound_counts(shared, both, members, start, stop, n, a, single[y, 0], single[y, 1], bounds)
        found[:] = 0
        if bounds[4] == 1:
            for k in range(start, stop):
                found[0] += shared[members[k]]
                found[1] += both[members[k]]
        elif bounds[4] > 1:
            if _hopeless(bounds, n, a, single[y, 0], single[y, 1], active_total, best):
                continue
            if not lit:
                row_bits(table[8], column_rows[column_ptr[x] : column_ptr[x + 1]], bits[0], bits[1], bits[2])
                lit = True
            count_shared(table[9][group], bits[1], bits[2], found)
        _pair(single, active_total, x, y, found[0], found[1], done[y], best)


@njit(cache=True, nogil=True)
def _out_of_reach(n, a, group_n, group_a, active_total, best):
    """Whether x and a group cannot beat the best IoU, from their own counts alone."""
    p, q = best[BOTH], best[UNION]
    bar = p * active_total
    if q * min(a, group_a) > bar:
        return False
    worth, other = (q + p) * a - p * n, (q + p) * group_a - p * group_n
    if worth + q * group_a > bar and other + q * a > bar:
        return False
    return q * a <= bar + p * max(0, (n - a) - (group_n - group_a))


@njit(cache=True, nogil=True)
def _hopeless(bounds, n, a, group_n, group_a, active_total, best):
    """Whether the bounds on `x & group` leave no pair of the two above the best IoU."""
    p, q = best[BOTH], best[UNION]
    most, least_i = a + group_a - bounds[0], (n - a) + (group_n - group_a) - bounds[3]
    if q * most > p * (active_total + least_i):
        return False
    if q * bounds[1] > p * (active_total + bounds[2]):
        return False
    return q * (a - bounds[0]) <= p * (active_total + (n - a) - bounds[3])
