"""The provably best formula of up to three leaves, in integers.

IoU(f) > t = p/q  <=>  W(f) = sum over the rows of f of w > p A,  w = (q + p) a - p n  (a: active, n: all elements of a
row, A: the unit's total). So at a given t the score is additive, W of every formula follows from W of single concepts,
pairs and triples, and its maximum is found once; t is then set to the winner's IoU and the search repeated until
nothing exceeds p A (Dinkelbach 1967). One to three rounds.

Triples that share a row are listed: all their 32 formulas are bounded by the positive parts of their seven regions, or
evaluated. For triples that share none, W_abc = 0, and each remaining shape is a maximum over sums of two terms:

    4 (a|b)&c    W_ac + W_bc                      8 (a&b)|c    W_ab + W_c
    2 a&~b&~c    W_a + (-W_ab) + (-W_ac)          9 (a&~b)|c   W_a + (-W_ab) + (W_c - W_ac)
    3, 5         h_a + h_b - W_ab (+ W_c for 3),  h_x = W_x - W_xc

which are walked from the largest terms down until their sum cannot exceed the best. Nothing else is left out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.shapes import shape_sum

# best: W, shape, a, b, c, evaluated.
W, SHAPE, FIRST, SECOND, THIRD, EVALUATED = range(6)


@njit(cache=True, nogil=True)
def _listed(keys, n_concepts, a, b, c):
    """Whether three concepts share a row."""
    low, high = min(a, min(b, c)), max(a, max(b, c))
    key = (np.int64(low) * n_concepts + (a + b + c - low - high)) * n_concepts + high
    left, right = 0, len(keys)
    while left < right:
        middle = (left + right) // 2
        if keys[middle] < key:
            left = middle + 1
        else:
            right = middle
    return left < len(keys) and keys[left] == key


@njit(cache=True, nogil=True, inline="always")
def _improve(best, value, shape, a, b, c):
    best[EVALUATED] += 1
    if value > best[W]:
        best[W], best[SHAPE], best[FIRST], best[SECOND], best[THIRD] = value, shape, a, b, c


@njit(cache=True, nogil=True)
def _all_orders(best, allowed, a, b, c, w, ab, ac, bc, abc):
    """Evaluate the 32 formulas of three concepts."""
    xa, xb, xc = w[a, a], w[b, b], w[c, c]
    for shape in range(10):
        if not allowed[shape]:
            continue
        for turn in range(3):
            if turn == 0:
                i, j, k, xi, xj, xk, xij, xik, xjk = a, b, c, xa, xb, xc, ab, ac, bc
            elif turn == 1:
                i, j, k, xi, xj, xk, xij, xik, xjk = b, c, a, xb, xc, xa, bc, ab, ac
            else:
                i, j, k, xi, xj, xk, xij, xik, xjk = c, a, b, xc, xa, xb, ac, bc, ab
            _improve(best, shape_sum(shape, xi, xj, xk, xij, xik, xjk, abc), shape, i, j, k)
            if shape == 6 or shape == 9:
                _improve(best, shape_sum(shape, xj, xi, xk, xij, xjk, xik, abc), shape, j, i, k)
            if shape == 0 or shape == 3:
                break


@njit(cache=True, nogil=True)
def listed_triples(members, triple_n, triple_a, p, q, w, allowed, best):
    """Triples that share a row: bound by the positive regions, else evaluate."""
    for t in range(len(triple_n)):
        a, b, c = members[t, 0], members[t, 1], members[t, 2]
        abc = (q + p) * triple_a[t] - p * triple_n[t]
        ab, ac, bc = w[a, b], w[a, c], w[b, c]
        most = max(0, abc) + max(0, ab - abc) + max(0, ac - abc) + max(0, bc - abc)
        most += max(0, w[a, a] - ab - ac + abc) + max(0, w[b, b] - ab - bc + abc)
        most += max(0, w[c, c] - ac - bc + abc)
        if most > best[W]:
            _all_orders(best, allowed, a, b, c, w, ab, ac, bc, abc)


@njit(cache=True, nogil=True)
def _descending(values, above, barred):
    """Indices with values > above, largest value first; `barred` is left out."""
    count = 0
    for i in range(len(values)):
        if values[i] > above and i != barred:
            count += 1
    chosen, keys = np.empty(count, np.int64), np.empty(count, np.int64)
    count = 0
    for i in range(len(values)):
        if values[i] > above and i != barred:
            chosen[count], keys[count] = i, -values[i]
            count += 1
    return chosen[np.argsort(keys, kind="mergesort")]


@njit(cache=True, nogil=True)
def _largest_two(values, barred):
    first, second = np.int64(-(2**62)), np.int64(-(2**62))
    for i in range(len(values)):
        if i == barred:
            continue
        if values[i] > first:
            first, second = values[i], first
        elif values[i] > second:
            second = values[i]
    return first, second


@njit(cache=True, nogil=True)
def _two_of_one(keys, values, base, shape, fixed, best):
    """max over i != j of base + values[i] + values[j], for shapes 4 (fixed = c) and 2 (fixed = a)."""
    first, second = _largest_two(values, fixed)
    if base + first + second <= best[W]:
        return
    order = _descending(values, best[W] - base - first, fixed)
    for x in range(len(order)):
        for y in range(x + 1, len(order)):
            i, j = order[x], order[y]
            value = base + values[i] + values[j]
            if value <= best[W]:
                break
            if _listed(keys, len(values), i, j, fixed):
                continue
            if shape == 4:
                _improve(best, value, shape, i, j, fixed)
            else:
                _improve(best, value, shape, fixed, i, j)


@njit(cache=True, nogil=True)
def _two_of_two(keys, left, right, base, fixed, best):
    """max over b != c of base + left[b] + right[c]: shape 9 with fixed = a."""
    most_left, _ = _largest_two(left, fixed)
    most_right, _ = _largest_two(right, fixed)
    if base + most_left + most_right <= best[W]:
        return
    lefts = _descending(left, best[W] - base - most_right, fixed)
    rights = _descending(right, best[W] - base - most_left, fixed)
    for b in lefts:
        for c in rights:
            value = base + left[b] + right[c]
            if value <= best[W]:
                break
            if b != c and not _listed(keys, len(left), fixed, b, c):
                _improve(best, value, 9, fixed, b, c)


@njit(cache=True, nogil=True)
def _pair_or_single(keys, w, pair_most, best):
    """Shape 8: W_ab + W_c, concepts c from the largest W_c down."""
    n_concepts = len(w)
    single = np.empty(n_concepts, np.int64)
    for c in range(n_concepts):
        single[c] = w[c, c]
    largest_single = single.max()
    rows = _descending(pair_most, best[W] - largest_single, -1)
    if len(rows) == 0:
        return
    singles = _descending(single, best[W] - pair_most.max(), -1)
    for a in rows:
        for b in range(n_concepts):
            if b <= a or w[a, b] + largest_single <= best[W]:
                continue
            for c in singles:
                if w[a, b] + single[c] <= best[W]:
                    break
                if c != a and c != b and not _listed(keys, n_concepts, a, b, c):
                    _improve(best, w[a, b] + single[c], 8, a, b, c)


@njit(cache=True, nogil=True)
def _unions(keys, w, negative_most, twice, best):
    """Shapes 3 and 5: h_a + h_b - W_ab with h = W_x - W_xc; twice the sum is bounded by k_a + k_b + 2 W_c."""
    n_concepts = len(w)
    for c in range(n_concepts):
        base = max(w[c, c], 0)
        shape = 3 if w[c, c] > 0 else 5
        for x in range(n_concepts):
            twice[x] = 2 * (w[x, x] - w[x, c]) + negative_most[x]
        first, second = _largest_two(twice, c)
        if 2 * base + first + second <= 2 * best[W]:
            continue
        order = _descending(twice, 2 * best[W] - 2 * base - first, c)
        for x in range(len(order)):
            for y in range(x + 1, len(order)):
                a, b = order[x], order[y]
                if twice[a] + twice[b] + 2 * base <= 2 * best[W]:
                    break
                value = w[a, a] - w[a, c] + w[b, b] - w[b, c] - w[a, b] + base
                if value > best[W] and not _listed(keys, n_concepts, a, b, c):
                    _improve(best, value, shape, a, b, c)


@njit(cache=True, nogil=True)
def unlisted_triples(keys, w, best):
    """Triples that share no row: every shape that does not shrink to a shorter formula there (all are left-deep)."""
    n_concepts = len(w)
    pair_most = np.full(n_concepts, -(2**61), np.int64)
    negative_most = np.zeros(n_concepts, np.int64)
    for a in range(n_concepts):
        for b in range(n_concepts):
            if a != b:
                pair_most[a] = max(pair_most[a], w[a, b])
                negative_most[a] = max(negative_most[a], -w[a, b])
    values, other = np.empty(n_concepts, np.int64), np.empty(n_concepts, np.int64)
    for x in range(n_concepts):
        if pair_most[x] > 0:
            _two_of_one(keys, w[x], 0, 4, x, best)
        if negative_most[x] > 0:
            for y in range(n_concepts):
                values[y] = -w[x, y]
                other[y] = w[y, y] - w[x, y]
            _two_of_one(keys, values, w[x, x], 2, x, best)
            _two_of_two(keys, values, other, w[x, x], x, best)
    _pair_or_single(keys, w, pair_most, best)
    _unions(keys, w, negative_most, values, best)


@njit(cache=True, nogil=True)
def weigh(pair_n, pair_a, p, q, out):
    """out = W of every pair, W of single concepts on the diagonal."""
    for i in range(len(out)):
        for j in range(len(out)):
            out[i, j] = (q + p) * pair_a[i, j] - p * pair_n[i, j]


@njit(cache=True, nogil=True)
def best_short(pair_n, pair_a, active):
    """The best formulas of one and of two leaves: rows (intersection, union, shape, a, b)."""
    out = np.zeros((2, 5), np.int64)
    out[:, 1] = 1
    out[:, 2:] = -1
    for a in range(len(pair_n)):
        n, both = pair_n[a, a], pair_a[a, a]
        if both * out[0, 1] > out[0, 0] * (n + active - both):
            out[0, 0], out[0, 1], out[0, 2], out[0, 3], out[0, 4] = both, n + active - both, 13, a, a
    out[1] = out[0]
    for a in range(len(pair_n)):
        for b in range(len(pair_n)):
            if a == b:
                continue
            for shape in range(10, 13):
                if shape != 11 and b < a:
                    continue
                n = shape_sum(shape, pair_n[a, a], pair_n[b, b], 0, pair_n[a, b], 0, 0, 0)
                both = shape_sum(shape, pair_a[a, a], pair_a[b, b], 0, pair_a[a, b], 0, 0, 0)
                if both * out[1, 1] > out[1, 0] * (n + active - both):
                    out[1, 0], out[1, 1], out[1, 2] = both, n + active - both, shape
                    out[1, 3], out[1, 4] = a, b
    return out
