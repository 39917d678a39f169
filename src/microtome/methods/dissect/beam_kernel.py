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

# Columns of a candidate: integers, and beside them one float array with the scores.
N, A, PRINT, LEAVES, NOTS, PARENT, OP, FIRST, SECOND, SLOT = range(10)
WIDTH = 10
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
                listed[j] = listed[j + 1]
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
        listed[j] = listed[j - 1]
    scores[place] = score
    listed[place] = candidate
    return count


@njit(cache=True, nogil=True, inline="always")
def has(indptr, indices, row, concept):
    """Whether a row's set holds the concept."""
    found = False
    for k in range(indptr[row], indptr[row + 1]):
        if indices[k] == concept:
            found = True
            break
    return found


@njit(cache=True, nogil=True)
def scatter(indptr, indices, weight, prints, active, rows, count, concept, out):
    """out[d] = (n, a, fingerprint) of `rows & concept & d` for all d; concept -1 = all the rows."""
    out[:] = 0
    for i in range(count):
        row = rows[i]
        if concept >= 0 and not has(indptr, indices, row, concept):
            continue
        w, a, h = weight[row], active[row], prints[row]
        for k in range(indptr[row], indptr[row + 1]):
            d = indices[k]
            out[d, 0] += w
            out[d, 1] += a
            out[d, 2] += h


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
def rows_of(indptr, indices, column_ptr, column_rows, parent_rows, parent_count, op, first, second, out):
    """Rows where `parent op first second` holds, ascending, into `out`; returns their number."""
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
        holds_second = op > 3 and has(indptr, indices, row, second)
        if _keep(op, has(indptr, indices, row, first), holds_second):
            out[count] = row
            count += 1
    return count


@njit(cache=True, nogil=True)
def sums_of(table, active, pool, slot, singles, place_of, scratch):
    """Fill pool sums[slot, d] = (n, a, fingerprint) of `formula & d`, by inclusion and exclusion where cheaper.

    singles[place_of[c]] caches the sums of `c & d`; the last entry of `parents` counts the places taken.
    """
    indptr, indices, column_ptr, column_rows, weight, prints = table
    steps, lengths, rows, row_counts, sums, parents = pool
    last = lengths[slot] - 1
    op, first, parent = steps[slot, last, 0], steps[slot, last, 1], parents[slot]
    if parent < 0 or (op != 1 and op != 3):
        scatter(indptr, indices, weight, prints, active, rows[slot], row_counts[slot], -1, sums[slot])
        return
    scatter(indptr, indices, weight, prints, active, rows[parent], row_counts[parent], first, scratch)
    if op == 3:
        sums[slot] = sums[parent] - scratch
        return
    if place_of[first] < 0:
        place_of[first] = parents[-1]
        parents[-1] += 1
        column = column_rows[column_ptr[first] : column_ptr[first + 1]]
        place = place_of[first]
        scatter(indptr, indices, weight, prints, active, column, len(column), -1, singles[place])
    sums[slot] = sums[parent] + singles[place_of[first]] - scratch


@njit(cache=True, nogil=True)
def expand_one_leaf(sums, slot, own, single, limits, penalties, lists, steps, lengths):
    """Offer f OR c, f AND c, f AND NOT c for every concept c."""
    metric, active, total, least, most = limits
    scores, listed, count = lists
    n, a, print_, leaves, nots = own[N], own[A], own[PRINT], own[LEAVES], own[NOTS]
    candidate = np.empty(WIDTH, np.int64)
    candidate[LEAVES], candidate[PARENT], candidate[SECOND], candidate[SLOT] = leaves + 1, slot, -1, -1
    factor = penalties[leaves + 1]
    for c in range(len(single)):
        both_n, both_a, both_print = sums[c, 0], sums[c, 1], sums[c, 2]
        for op in range(1, 4):
            if op == 1:
                if both_n == single[c, 0] or single[c, 1] == 0:
                    continue
                new_n, new_a = n + single[c, 0] - both_n, a + single[c, 1] - both_a
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
                candidate[PRINT] = print_ + single[c, 2] - both_print
            else:
                candidate[PRINT] = both_print if op == 2 else print_ - both_print
            candidate[NOTS] = nots + (op == 3)
            count = offer(scores, listed, count, score, candidate, steps, lengths)
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
    indptr, indices, _, _, weight, prints = table
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
        scatter(indptr, indices, weight, prints, active, rows[slot], row_counts[slot], y, scratch)
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
