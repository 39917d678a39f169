"""Dinkelbach's rounds over the kernels of `exact_kernel`: from a first IoU to the highest, as one compiled call."""

from __future__ import annotations

import numpy as np
from numba import njit

from microtome.methods.dissect.exact_kernel import (
    EVALUATED,
    FIRST,
    SECOND,
    SHAPE,
    THIRD,
    W,
    listed_triples,
    unlisted_triples,
    weigh,
)
from microtome.methods.dissect.shapes import shape_sum

# outcome: intersection, union, shape (-1 = nothing above the start), a, b, c, rounds, evaluated in all rounds.
OUTCOME = 8


@njit(cache=True, nogil=True)
def _triple_count(members_keys, triple_values, n_concepts, a, b, c):
    """Count of a triple, 0 where it is not listed."""
    low, high = min(a, min(b, c)), max(a, max(b, c))
    key = (np.int64(low) * n_concepts + (a + b + c - low - high)) * n_concepts + high
    at = np.searchsorted(members_keys, key)
    if at < len(members_keys) and members_keys[at] == key:
        return triple_values[at]
    return 0


@njit(cache=True, nogil=True)
def _count_of(shape, a, b, c, pairs, keys, triple_values):
    """|f| or |f & U| of a formula of three leaves."""
    abc = _triple_count(keys, triple_values, len(pairs), a, b, c)
    return shape_sum(shape, pairs[a, a], pairs[b, b], pairs[c, c], pairs[a, b], pairs[a, c], pairs[b, c], abc)


@njit(cache=True, nogil=True)
def best_of_three(pair_n, pair_a, keys, members, triple_n, triple_a, active, start_both, start_union, allowed, w):
    """The best formula of three leaves with an IoU above start_both / start_union, and the proof's numbers."""
    outcome = np.full(OUTCOME, -1, np.int64)
    outcome[0], outcome[1], outcome[6], outcome[7] = start_both, start_union, 0, 0
    best = np.empty(6, np.int64)
    while True:
        p, q = outcome[0], outcome[1]
        weigh(pair_n, pair_a, p, q, w)
        best[:] = -1
        best[W], best[EVALUATED] = p * active, 0
        listed_triples(members, triple_n, triple_a, p, q, w, allowed, best)
        unlisted_triples(keys, w, best)
        outcome[6] += 1
        outcome[7] += best[EVALUATED]
        if best[SHAPE] < 0:
            return outcome
        shape, a, b, c = best[SHAPE], best[FIRST], best[SECOND], best[THIRD]
        n = _count_of(shape, a, b, c, pair_n, keys, triple_n)
        both = _count_of(shape, a, b, c, pair_a, keys, triple_a)
        outcome[0], outcome[1] = both, n + active - both
        outcome[2], outcome[3], outcome[4], outcome[5] = shape, a, b, c
