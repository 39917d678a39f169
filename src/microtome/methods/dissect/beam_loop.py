"""The beam, length by length, over the kernels of `beam_kernel`; one compiled call a unit.

The pool holds the formulas that made it into the beam: their steps, their rows and, once expanded, the counts of
`formula & concept` for every concept. A formula is expanded once, at the length after it was admitted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.beam_kernel import (
    FIRST,
    LEAVES,
    NOTS,
    OP,
    PARENT,
    PRINT,
    SECOND,
    SLOT,
    WIDTH,
    A,
    N,
    expand_either,
    expand_one_leaf,
    offer,
    put,
    value,
)
from microtome.methods.dissect.sums_kernel import rows_of, sums_of


@njit(cache=True, nogil=True)
def active_sums(indptr, indices, active_rows, active_counts, single):
    """single[c, 1] = |c & U| for every concept."""
    single[:, 1] = 0
    for i in range(len(active_rows)):
        row = active_rows[i]
        for k in range(indptr[row], indptr[row + 1]):
            single[indices[k], 1] += active_counts[i]


@njit(cache=True, nogil=True)
def _admit(table, pool, slot, candidate):
    """Write a candidate's steps and rows into a slot of the pool."""
    steps, lengths, rows, row_counts, _, parents = pool
    parent, before = candidate[PARENT], 0
    if parent >= 0:
        before = lengths[parent]
        for position in range(before):
            for k in range(3):
                steps[slot, position, k] = steps[parent, position, k]
    steps[slot, before, 0] = candidate[OP]
    steps[slot, before, 1] = candidate[FIRST]
    steps[slot, before, 2] = candidate[SECOND]
    lengths[slot] = before + 1
    parents[slot] = parent
    source = max(parent, 0)
    row_counts[slot] = rows_of(
        table, rows[source], row_counts[source], candidate[OP], candidate[FIRST], candidate[SECOND], rows[slot]
    )


@njit(cache=True, nogil=True)
def _leaves(steps):
    """Leaves of a formula given as steps, -1 past the end."""
    leaves = 0
    for position in range(len(steps)):
        if steps[position, 0] >= 0:
            leaves += 2 if steps[position, 0] > 3 else 1
    return leaves


@njit(cache=True, nogil=True)
def _inject(table, active, pool, used, given, allowed, limits, penalties, scores, listed, count):
    """Offer ready-made formulas (steps [formula, step, 3], -1 past the end) to a list.

    allowed > 0: those of that many leaves alone.
    """
    steps, lengths, rows, row_counts, _, parents = pool
    metric, active_total, total, least, most = limits
    candidate = np.empty(WIDTH, np.int64)
    for g in range(len(given)):
        if allowed > 0 and _leaves(given[g]) != allowed:
            continue
        parent, leaves, nots = -1, 0, 0
        for position in range(given.shape[1]):
            op = given[g, position, 0]
            if op < 0:
                break
            candidate[PARENT], candidate[OP] = parent, op
            candidate[FIRST], candidate[SECOND] = given[g, position, 1], given[g, position, 2]
            leaves += 2 if op > 3 else 1
            nots += (op == 3) + (op == 5) + 2 * (op == 6)
            _admit(table, pool, used, candidate)
            parent = used
            used += 1
        # Its parent was never expanded, so its sums must come from its own rows.
        parents[parent] = -1
        candidate[N], candidate[A], candidate[PRINT], candidate[SLOT] = 0, 0, 0, parent
        candidate[LEAVES], candidate[NOTS] = leaves, nots
        for i in range(row_counts[parent]):
            row = rows[parent, i]
            candidate[N] += table[4][row]
            candidate[A] += active[row]
            candidate[PRINT] += table[5][row]
        if least <= candidate[N] <= most:
            score = penalties[leaves] * value(metric, candidate[N], candidate[A], active_total, total)
            count = offer(scores, listed, count, score, candidate, steps, lengths)
    return count, used


@njit(cache=True, nogil=True)
def _seed(single, limits, penalties, scores, listed, steps, lengths):
    """Offer every concept that is present where the unit fires."""
    metric, active_total, total, least, most = limits
    candidate, count = np.empty(WIDTH, np.int64), np.int64(0)
    candidate[LEAVES], candidate[NOTS], candidate[PARENT], candidate[SLOT] = 1, 0, -1, -1
    candidate[OP], candidate[SECOND] = 0, -1
    for c in range(len(single)):
        if single[c, 1] == 0 or single[c, 0] < least or single[c, 0] > most:
            continue
        candidate[N], candidate[A], candidate[PRINT] = single[c, 0], single[c, 1], single[c, 2]
        candidate[FIRST] = c
        score = penalties[1] * value(metric, single[c, 0], single[c, 1], active_total, total)
        count = offer(scores, listed, count, score, candidate, steps, lengths)
    return count


@njit(cache=True, nogil=True)
def beam_search(
    table, active, single, pool, singles, place_of, scratch, bits, limits, penalties, beam, longest, given, given_at
):
    """Best formula of at most 1, 2, ..., longest leaves.

    table: `TableArrays.kernel_table`. bits: see `expand_one_leaf`. active: the unit's count on every row (dense).
    single[c] = (n, a, fingerprint). pool: steps, lengths, rows, row_counts, sums, parents. limits: metric, A, N,
    least and most elements of a formula. penalties[k] = penalty^(k-1). given: formulas offered at length
    given_at (0: their own).
    Returns candidates [longest, WIDTH] (SLOT = place in the pool, -1 = none) and scores [longest].
    """
    steps, lengths = pool[0], pool[1]
    place_of[:] = -1
    pool[5][-1] = 0
    scores, listed = np.full(beam, -np.inf), np.zeros((beam, WIDTH), np.int64)
    later_scores, later = np.full(beam, -np.inf), np.zeros((beam, WIDTH), np.int64)
    expanded = np.zeros(len(lengths), np.bool_)
    best, best_scores = np.full((longest, WIDTH), -1), np.full(longest, -np.inf)
    # No literals: everything that takes them would be compiled for 0 and for any number.
    used, later_count = np.int64(0), np.int64(0)
    count = _seed(single, limits, penalties, scores, listed, steps, lengths)
    for allowed in range(1, longest + 1):
        if allowed > 1:
            before, before_count = listed.copy(), count
            for i in range(later_count):
                count = offer(scores, listed, count, later_scores[i], later[i], steps, lengths)
            later_count = np.int64(0)
            threshold = best_iou(before, before_count, limits)
            for i in range(before_count):
                slot = before[i, SLOT]
                if expanded[slot]:
                    continue
                expanded[slot] = True
                sums_of(table, active, pool, slot, single, singles, place_of, scratch)
                one = (scores, listed, count)
                count = expand_one_leaf(table, active, pool, slot, before[i], single, limits, penalties, one, bits)
                if before[i, LEAVES] + 2 <= longest:
                    two = (later_scores, later, later_count)
                    later_count = expand_either(
                        table, active, pool, slot, before[i], limits, penalties, two, threshold, scratch
                    )
        if given_at in (0, allowed):
            own = allowed if given_at == 0 else 0
            count, used = _inject(table, active, pool, used, given, own, limits, penalties, scores, listed, count)
        for i in range(count if allowed < longest else min(count, 1)):
            if listed[i, SLOT] < 0:
                _admit(table, pool, used, listed[i])
                listed[i, SLOT] = used
                used += 1
        if count:
            put(listed[0], best[allowed - 1])
            best_scores[allowed - 1] = scores[0]
    return best, best_scores


@njit(cache=True, nogil=True)
def best_iou(listed, count, limits):
    """The highest IoU in a list: the threshold at which partners for f AND (y OR z) are weighed."""
    best = 0.0
    for i in range(count):
        best = max(best, value(0, listed[i, N], listed[i, A], limits[1], limits[2]))
    return best
