"""The best pair beside a term f: f OR (x AND y), f OR (x AND NOT y), f AND (x OR y), for concepts x and all terms y.

A beam builds formulas one concept at a time and so misses these where neither x AND y nor f AND x is good by itself.
With counts n, a taken outside f (OR) or inside f (AND), and a_0, i_0 the active and other elements that the formula has
already (those of f, or none), IoU > p/q means

    q a - p (n - a) > p (A + i_0) - q a_0

so the bounds of `pairs_kernel` hold with another bar: q min(a_x, a_y) for AND, q a_x for AND NOT, and
W_x + q a_y, W_y + q a_x for OR, W = (q + p) a - p n.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.neighbours_kernel import count_shared, row_bits, set_bits
from microtome.methods.dissect.pairs_kernel import BOTH, FIRST, OP, SECOND, UNION

OUTSIDE, INSIDE = 0, 1


@njit(cache=True, nogil=True)
def term_rows(table, term):
    """Rows of a term."""
    return table[3][table[2][term] : table[2][term + 1]]


@njit(cache=True, nogil=True)
def counts_within(table, active, term, mode, single, inside, bits, out):
    """out[term, :2] = n and a of every term inside or outside of `term`; inside[row] = whether a row counts.

    bits: the unit's, and two more that hold the rows that count and the active ones of them.
    """
    indptr, indices, weight, starts = table[0], table[1], table[4], table[8]
    rows, plain = term_rows(table, term), len(table[2]) - len(table[6])
    out[:] = 0
    inside[:] = mode == OUTSIDE
    for i in range(len(rows)):
        row = rows[i]
        inside[row] = mode == INSIDE
        for k in range(indptr[row], indptr[row + 1]):
            out[indices[k], 0] += weight[row]
            out[indices[k], 1] += active[row]
    if len(table[6]) > 1:
        row_bits(starts, rows, bits[0], bits[1], bits[2])
        for group in range(len(table[6]) - 1):
            count_shared(table[9][group], bits[1], bits[2], out[plain + group])
    if mode == OUTSIDE:
        for c in range(len(out)):
            out[c, 0] = single[c, 0] - out[c, 0]
            out[c, 1] = single[c, 1] - out[c, 1]


@njit(cache=True, nogil=True)
def _order(counts, mode, p, q, bar):
    """Terms that some pair above the bar could have, by falling a."""
    chosen, keys, found = np.empty(len(counts), np.int64), np.empty(len(counts), np.int64), 0
    most, worthiest = np.int64(0), np.int64(-(2**62))
    for x in range(len(counts)):
        most = max(most, counts[x, 1])
        worthiest = max(worthiest, (q + p) * counts[x, 1] - p * counts[x, 0])
    for x in range(len(counts)):
        n, a = counts[x, 0], counts[x, 1]
        worth = (q + p) * a - p * n
        if a == 0 or (mode == OUTSIDE and q * a <= bar):
            continue
        if mode == INSIDE and (worth + q * most <= bar or worthiest + q * a <= bar):
            continue
        chosen[found], keys[found] = x, -a
        found += 1
    return chosen[:found][np.argsort(keys[:found], kind="mergesort")]


@njit(cache=True, nogil=True)
def _offer(best, active_total, a0, i0, n, a, op, x, y):
    union = active_total + i0 + n - a
    if (a0 + a) * best[UNION] > best[BOTH] * union:
        best[BOTH], best[UNION], best[OP], best[FIRST], best[SECOND] = a0 + a, union, op, x, y
        return True
    return False


@njit(cache=True, nogil=True)
def best_within(table, active, active_total, term, mode, single, inside, counts, shared, done, bits, best):
    """Search all pairs beside `term` and keep what beats `best`; returns whether something did.

    OP of the winner: 1 f AND (x OR y), 2 f OR (x AND y), 3 f OR (x AND NOT y). counts: int64 [term, 2], shared: int64
    [concept, 2], inside: bool [row], done: bool [term, false], all scratch.
    """
    counts_within(table, active, term, mode, single, inside, bits, counts)
    a0 = single[term, 1] if mode == OUTSIDE else 0
    i0 = single[term, 0] - single[term, 1] if mode == OUTSIDE else 0
    within = single[term, 0] if mode == INSIDE else table[8][-1] - single[term, 0]
    p, q = best[BOTH], best[UNION]
    order, better = _order(counts, mode, p, q, p * (active_total + i0) - q * a0), False
    partners = order if mode == INSIDE else np.arange(len(counts))
    for x in order:
        if mode == OUTSIDE and best[UNION] * counts[x, 1] <= best[BOTH] * (active_total + i0) - best[UNION] * a0:
            break
        if x >= len(shared):
            continue
        done[x] = True
        if x != term:
            better |= _with_all(
                table, active, active_total, a0, i0, x, mode, within, inside, partners, counts, shared, done, bits, best
            )
    for x in order:
        done[x] = False
    return better


@njit(cache=True, nogil=True)
def _share(table, active, x, inside, counts, within, shared):
    """shared[y] = n and a of `x & y` over the rows that count, from those without x where these are fewer."""
    indptr, indices, weight = table[0], table[1], table[4]
    rows, at, most = term_rows(table, x), 0, 2 * counts[x, 0] > within
    shared[:] = 0
    if not most:
        for i in range(len(rows)):
            row = rows[i]
            if inside[row]:
                for k in range(indptr[row], indptr[row + 1]):
                    shared[indices[k], 0] += weight[row]
                    shared[indices[k], 1] += active[row]
        return
    for row in range(len(weight)):
        if at < len(rows) and rows[at] == row:
            at += 1
        elif inside[row]:
            for k in range(indptr[row], indptr[row + 1]):
                shared[indices[k], 0] += weight[row]
                shared[indices[k], 1] += active[row]
    for y in range(len(shared)):
        shared[y, 0] = counts[y, 0] - shared[y, 0]
        shared[y, 1] = counts[y, 1] - shared[y, 1]


@njit(cache=True, nogil=True)
def _with_all(table, active, active_total, a0, i0, x, mode, within, inside, partners, counts, shared, done, bits, best):
    """Pair x with every term."""
    starts, group_bits = table[8], table[9]
    _share(table, active, x, inside, counts, within, shared)
    if len(group_bits):
        bits[1][:] = 0
        rows = term_rows(table, x)
        for i in range(len(rows)):
            if inside[rows[i]]:
                set_bits(bits[1], starts[rows[i]], starts[rows[i] + 1])
        for word in range(len(bits[1])):
            bits[2][word] = bits[1][word] & bits[0][word]
    both, better = np.zeros(2, np.int64), False
    n, a = counts[x, 0], counts[x, 1]
    for y in partners:
        if y == x or (done[y] and mode == INSIDE):
            continue
        p, q = best[BOTH], best[UNION]
        bar = p * (active_total + i0) - q * a0
        other_n, other_a = counts[y, 0], counts[y, 1]
        if mode == OUTSIDE:
            possible = q * a > bar + p * max(0, (n - a) - (other_n - other_a)) or q * min(a, other_a) > bar
        else:
            worth, other = (q + p) * a - p * n, (q + p) * other_a - p * other_n
            possible = worth + q * other_a > bar and other + q * a > bar
        if not possible:
            continue
        if y < len(shared):
            both[0], both[1] = shared[y, 0], shared[y, 1]
        else:
            count_shared(group_bits[y - len(shared)], bits[1], bits[2], both)
        if mode == INSIDE:
            new_n, new_a = n + other_n - both[0], a + other_a - both[1]
            better |= _offer(best, active_total, a0, i0, new_n, new_a, 1, x, y)
            continue
        if both[0] > 0 and not done[y]:
            better |= _offer(best, active_total, a0, i0, both[0], both[1], 2, x, y)
        if 0 < both[0] < n:
            better |= _offer(best, active_total, a0, i0, n - both[0], a - both[1], 3, x, y)
    return better
