"""Compiled beam search over the table of signatures.

For a beam formula f all |f & c| and |f & c & U| come from one scatter-add over the rows of f and c; the counts of
f OR c and f AND NOT c follow by inclusion and exclusion, and so do fingerprints (see `arrays`). Candidates with the
same truth are merged as they are offered (higher score, then fewer leaves, then fewer NOTs, then names), so that copies
never fill the beam. A list holds `beam` candidates: arrays of numbers, best first.

Source: Mu & Andreas 2020, Compositional Explanations of Neurons, section 3 (the beam; the shapes f AND (y OR z), the
merging and the table are ours).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.neighbours_kernel import bound_counts, count_shared, row_bits, sum_shared
from microtome.methods.dissect.sums_kernel import scatter

# Columns of a candidate: integers, and beside them one float array with the scores.
N, A, PRINT, LEAVES, NOTS, PARENT, OP, FIRST, SECOND, SLOT = range(10)
WIDTH = 10
AUROC = 6
EITHER_WIDTH = 3  # how many y are tried for f AND (y OR z)


@njit(cache=True, nogil=True, inline="always")
def value(metric, n, a, active, total):
    """`core.measures.score`, compiled: 0 iou, 1 precision, 2 recall, 3 f1, 4 mcc, 5 lift, 6 auroc."""
    if metric == 0:
        return a / (n + active - a)
    if metric == 1:
        return a / n
    if metric == 2:
        return a / active
    if metric == 3:
        return 2 * a / (n + active)
    if metric == 4:
        spread = float(n) * float(active) * float(total - n) * float(total - active)
        if spread <= 0:
            return 0.0
        return (float(a) * total - float(n) * active) / np.sqrt(spread)
    if metric == 5:
        return float(a) * total / (float(n) * active)
    if n >= total:
        return 0.5
    return (a / 2 - n * (n + 1) / 2) / (float(n) * (total - n))


@njit(cache=True, nogil=True)
def _step(candidate, steps, lengths, position):
    """Step `position` of a candidate as (concept, operation, concept); (-1, -1, -1) past its end."""
    slot = candidate[SLOT]
    if slot >= 0:
        if position >= lengths[slot]:
            return -1, -1, -1
        return steps[slot, position, 1], steps[slot, position, 0], steps[slot, position, 2]
    parent = candidate[PARENT]
    before = lengths[parent] if parent >= 0 else 0
    if position < before:
        return steps[parent, position, 1], steps[parent, position, 0], steps[parent, position, 2]
    if position == before:
        return candidate[FIRST], candidate[OP], candidate[SECOND]
    return -1, -1, -1


@njit(cache=True, nogil=True)
def _precedes(one, other, steps, lengths):
    """Whether `one` is preferred at equal score: fewer leaves, fewer NOTs, then concepts in name order."""
    if one[LEAVES] != other[LEAVES]:
        return one[LEAVES] < other[LEAVES]
    if one[NOTS] != other[NOTS]:
        return one[NOTS] < other[NOTS]
    for position in range(one[LEAVES]):
        left = _step(one, steps, lengths, position)
        right = _step(other, steps, lengths, position)
        if left != right:
            return left < right
    return False


@njit(cache=True, nogil=True)
def put(candidate, place):
    """Copy a candidate, as a loop: a slice assignment takes seconds to compile."""
    for k in range(WIDTH):
        place[k] = candidate[k]


@njit(cache=True, nogil=True)
def offer(scores, listed, count, score, candidate, steps, lengths):
    """Insert a candidate in its place unless the list is full of better ones; merge it with its equal in truth.

    Returns the new number of entries.
    """
    width = len(scores)
    if count == width and score < scores[count - 1]:
        return count
    for i in range(count):
        if listed[i, PRINT] == candidate[PRINT] and listed[i, N] == candidate[N] and listed[i, A] == candidate[A]:
            better = score > scores[i] or (score == scores[i] and _precedes(candidate, listed[i], steps, lengths))
            if not better:
                return count
            for j in range(i, count - 1):
                scores[j] = scores[j + 1]
                put(listed[j + 1], listed[j])
            count -= 1
            break
    place = count
    while place > 0 and (
        score > scores[place - 1]
        or (score == scores[place - 1] and _precedes(candidate, listed[place - 1], steps, lengths))
    ):
        place -= 1
    if place == width:
        return count
    count = min(count + 1, width)
    for j in range(count - 1, place, -1):
        scores[j] = scores[j - 1]
        put(listed[j - 1], listed[j])
    scores[place] = score
    put(candidate, listed[place])
    return count


@njit(cache=True, nogil=True)
def _offer_one_leaf(c, shared, own, one, limits, factor, candidate, lists, steps, lengths):
    """Offer f OR c, f AND c, f AND NOT c from the counts of `f & c`; returns the number of entries."""
    metric, active, total, least, most = limits
    scores, listed, count = lists
    n, a, both_n, both_a = own[N], own[A], shared[0], shared[1]
    for op in range(1, 4):
        if op == 1:
            if both_n == one[0] or one[1] == 0:
                continue
            new_n, new_a = n + one[0] - both_n, a + one[1] - both_a
        elif op == 2:
            new_n, new_a = both_n, both_a
        else:
            new_n, new_a = n - both_n, a - both_a
        if new_n < least or new_n > most or (op > 1 and (both_n == 0 or both_n == n)):
            continue
        score = factor * value(metric, new_n, new_a, active, total)
        if count == len(scores) and score < scores[count - 1]:
            continue
        candidate[N], candidate[A], candidate[OP], candidate[FIRST] = new_n, new_a, op, c
        if op == 1:
            candidate[PRINT] = own[PRINT] + one[2] - shared[2]
        else:
            candidate[PRINT] = shared[2] if op == 2 else own[PRINT] - shared[2]
        candidate[NOTS] = own[NOTS] + (op == 3)
        count = offer(scores, listed, count, score, candidate, steps, lengths)
    return count


@njit(cache=True, nogil=True)
def _out_of_reach(own, one, limits, factor, bar):
    """Whether no formula of f and a group can reach `bar`, from their own counts alone."""
    metric, active, total = limits[0], limits[1], limits[2]
    a, i, group_a, group_i = own[A], own[N] - own[A], one[1], one[0] - one[1]
    least_i = max(i, group_i)
    if factor * value(metric, a + group_a + least_i, a + group_a, active, total) >= bar:
        return False
    shared = min(a, group_a)
    if shared > 0 and factor * value(metric, shared, shared, active, total) >= bar:
        return False
    least_i = max(0, i - group_i)
    return a + least_i <= 0 or factor * value(metric, a + least_i, a, active, total) < bar


@njit(cache=True, nogil=True)
def _hopeless(bounds, own, one, limits, factor, bar):
    """Whether no formula of f and a group can reach `bar`, by the bounds on the counts of `f & group`."""
    metric, active, total = limits[0], limits[1], limits[2]
    n, a = own[N], own[A]
    most_a = a + one[1] - bounds[0]
    least_i = (n - a) + (one[0] - one[1]) - bounds[3]
    if factor * value(metric, most_a + least_i, most_a, active, total) >= bar:
        return False
    if bounds[1] > 0 and factor * value(metric, bounds[1] + bounds[2], bounds[1], active, total) >= bar:
        return False
    most_a, least_i = a - bounds[0], (n - a) - bounds[3]
    return most_a + least_i <= 0 or factor * value(metric, most_a + least_i, most_a, active, total) < bar


@njit(cache=True, nogil=True)
def expand_one_leaf(table, active, pool, slot, own, single, limits, penalties, lists, bits):
    """Offer f OR c, f AND c, f AND NOT c for every term c. bits: the unit's, and room for those of f and of both."""
    steps, lengths, sums = pool[0], pool[1], pool[4][slot]
    scores, listed, count = lists
    candidate = np.empty(WIDTH, np.int64)
    candidate[LEAVES], candidate[PARENT], candidate[SECOND], candidate[SLOT] = own[LEAVES] + 1, slot, -1, -1
    factor = penalties[own[LEAVES] + 1]
    for c in range(len(sums)):
        state = (scores, listed, count)
        count = _offer_one_leaf(c, sums[c], own, single[c], limits, factor, candidate, state, steps, lengths)
    if len(table[6]) == 1:
        return count
    row_bits(table[8], pool[2][slot, : pool[3][slot]], bits[0], bits[1], bits[2])
    state = (scores, listed, count)
    return _expand_groups(table, active, sums, own, single, limits, factor, candidate, state, steps, lengths, bits)


@njit(cache=True, nogil=True)
def _expand_groups(table, active, sums, own, single, limits, factor, candidate, lists, steps, lengths, bits):
    """The NEIGHBOURS terms of `expand_one_leaf`; returns the number of entries."""
    group_ptr, members, starts = table[6], table[7], table[8]
    scores, listed, count = lists
    bounds, shared = np.empty(5, np.int64), np.empty(3, np.int64)
    for group in range(len(group_ptr) - 1):
        c = len(sums) + group
        full = count == len(scores) and limits[0] != AUROC
        bar = scores[count - 1] if full else -np.inf
        if full and _out_of_reach(own, single[c], limits, factor, bar):
            continue
        start, stop = group_ptr[group], group_ptr[group + 1]
        bound_counts(sums[:, 0], sums[:, 1], members, start, stop, own[N], own[A], single[c, 0], single[c, 1], bounds)
        shared[:] = 0
        if bounds[4] == 1:
            for k in range(start, stop):
                own_sums = sums[members[k]]
                for place in range(3):
                    shared[place] += own_sums[place]
        elif bounds[4] > 1:
            if full and _hopeless(bounds, own, single[c], limits, factor, bar):
                continue
            count_shared(table[9][group], bits[1], bits[2], shared)
            bounds[0], bounds[1], bounds[2], bounds[3] = (
                shared[1],
                shared[1],
                shared[0] - shared[1],
                shared[0] - shared[1],
            )
            if full and _hopeless(bounds, own, single[c], limits, factor, bar):
                continue
            # Ranks (AUROC) are no elements and have no bits: their sum is taken over the rows, as the fingerprint is.
            shared[1] = sum_shared(table[2], table[3], c, starts, bits[1], active) if limits[0] == AUROC else shared[1]
            shared[2] = sum_shared(table[2], table[3], c, starts, bits[1], table[5])
        state = (scores, listed, count)
        count = _offer_one_leaf(c, shared, own, single[c], limits, factor, candidate, state, steps, lengths)
    return count


@njit(cache=True, nogil=True)
def _best_partners(sums, n, threshold, chosen):
    """The concepts y with the largest (1 + t) a(f & y) - t n(f & y), 0 < n(f & y) < n(f); -1 fills up."""
    best = np.full(len(chosen), -np.inf)
    chosen[:] = -1
    for c in range(len(sums)):
        if sums[c, 1] == 0 or sums[c, 0] == n:
            continue
        worth = (1.0 + threshold) * sums[c, 1] - threshold * sums[c, 0]
        place = len(chosen)
        while place > 0 and worth > best[place - 1]:
            place -= 1
        for j in range(len(chosen) - 1, place, -1):
            best[j] = best[j - 1]
            chosen[j] = chosen[j - 1]
        if place < len(chosen):
            best[place] = worth
            chosen[place] = c


@njit(cache=True, nogil=True)
def expand_either(table, active, pool, slot, own, limits, penalties, lists, threshold, scratch):
    """Offer f AND (y OR z) for the most promising y and every z."""
    steps, lengths, rows, row_counts, sums, _ = pool
    metric, active_total, total, least, most = limits
    scores, listed, count = lists
    n, leaves, nots = own[N], own[LEAVES], own[NOTS]
    mine = sums[slot]
    partners = np.empty(EITHER_WIDTH, np.int64)
    _best_partners(mine, n, threshold, partners)
    candidate = np.empty(WIDTH, np.int64)
    candidate[LEAVES], candidate[PARENT], candidate[OP], candidate[NOTS] = leaves + 2, slot, 4, nots
    candidate[SLOT] = -1
    factor = penalties[leaves + 2]
    for y in partners:
        if y < 0:
            break
        often = 2 * mine[y, 0] > n
        scatter(table, active, rows[slot], row_counts[slot], y, not often, scratch)
        if often:
            for d in range(len(mine)):
                for k in range(3):
                    scratch[d, k] = mine[d, k] - scratch[d, k]
        for z in range(len(mine)):
            if z == y or mine[z, 0] == scratch[z, 0] or mine[z, 1] == 0:
                continue
            new_n = mine[y, 0] + mine[z, 0] - scratch[z, 0]
            if new_n < least or new_n > most:
                continue
            new_a = mine[y, 1] + mine[z, 1] - scratch[z, 1]
            score = factor * value(metric, new_n, new_a, active_total, total)
            if count == len(scores) and score < scores[count - 1]:
                continue
            candidate[N], candidate[A] = new_n, new_a
            candidate[PRINT] = mine[y, 2] + mine[z, 2] - scratch[z, 2]
            candidate[FIRST], candidate[SECOND] = min(y, z), max(y, z)
            count = offer(scores, listed, count, score, candidate, steps, lengths)
    return count
