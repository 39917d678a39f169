"""NEIGHBOURS in the compiled search, without a column in every row.

A word is in half a dozen groups, so rows that listed the groups of their words would be five times as long. Instead the
counts of `f & group` are bounded by those of its members m, which are at hand (a: active, i: not active):

    max a(f & m) <= a(f & group) <= min(sum of a(f & m), a(f), a(group)),  likewise i,

and every measure but AUROC rises with a and falls with i. Where no member or one has a row with f the counts are known;
else they are counted when the bound leaves a candidate a chance. Nothing is approximated.

Counting is on bits, one an element: row r has bits starts[r] .. starts[r + 1], and a unit that fires on k of its
elements has the first k of them. Elements of a row are the same to every formula, so which k does not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def _ones(typingctx, word):
    """Bits that are set in a 64-bit word."""

    def build(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


@njit(cache=True, nogil=True)
def set_bits(bits, first, last):
    """Set bits first .. last - 1."""
    for position in range(first, last):
        bits[position >> 6] |= np.uint64(1) << np.uint64(position & 63)


@njit(cache=True, nogil=True)
def active_bits(starts, rows, counts, out):
    """The bits of a unit's active elements."""
    out[:] = 0
    for i in range(len(rows)):
        set_bits(out, starts[rows[i]], starts[rows[i]] + counts[i])


@njit(cache=True, nogil=True)
def row_bits(starts, rows, active, own, both):
    """own = the bits of some rows, both = those of them that are active."""
    own[:] = 0
    for i in range(len(rows)):
        set_bits(own, starts[rows[i]], starts[rows[i] + 1])
    for word in range(len(own)):
        both[word] = own[word] & active[word]


@njit(cache=True, nogil=True)
def group_bits(group_ptr, group_rows, starts, words):
    """uint64 [group, word]: the bits of each group."""
    out = np.zeros((len(group_ptr) - 1, words), np.uint64)
    for group in range(len(out)):
        for i in range(group_ptr[group], group_ptr[group + 1]):
            set_bits(out[group], starts[group_rows[i]], starts[group_rows[i] + 1])
    return out


@njit(cache=True, nogil=True)
def count_shared(group, own, both, out):
    """out[0], out[1] = n and a of `f & group` from their bits."""
    n, a = np.uint64(0), np.uint64(0)
    for word in range(len(group)):
        n += _ones(group[word] & own[word])  # pyright: ignore[reportCallIssue]
        a += _ones(group[word] & both[word])  # pyright: ignore[reportCallIssue]
    out[0], out[1] = np.int64(n), np.int64(a)


@njit(cache=True, nogil=True)
def sum_shared(column_ptr, column_rows, term, starts, own, values):
    """Sum of `values` over the rows of the term whose bits f has."""
    total = np.int64(0)
    for i in range(column_ptr[term], column_ptr[term + 1]):
        row = column_rows[i]
        first = starts[row]
        if own[first >> 6] >> np.uint64(first & 63) & np.uint64(1):
            total += values[row]
    return total


@njit(cache=True, nogil=True)
def union_columns(column_ptr, column_rows, group_ptr, members, n_rows):
    """Rows of each group, ascending: pointers and rows."""
    stamp = np.full(n_rows, -1, np.int64)
    pointers = np.zeros(len(group_ptr), np.int64)
    most = 0
    for k in range(len(members)):
        most += column_ptr[members[k] + 1] - column_ptr[members[k]]
    rows, at = np.empty(most, np.int32), 0
    for group in range(len(group_ptr) - 1):
        first = at
        for k in range(group_ptr[group], group_ptr[group + 1]):
            for i in range(column_ptr[members[k]], column_ptr[members[k] + 1]):
                row = column_rows[i]
                if stamp[row] != group:
                    stamp[row] = group
                    rows[at] = row
                    at += 1
        rows[first:at] = np.sort(rows[first:at])
        pointers[group + 1] = at
    return pointers, rows[:at].copy()


@njit(cache=True, nogil=True)
def group_sums(column_ptr, column_rows, n_plain, active, single):
    """single[term, 1] = |group & U| for every NEIGHBOURS term; `active`: the unit's count on every row."""
    for term in range(n_plain, len(single)):
        count = 0
        for i in range(column_ptr[term], column_ptr[term + 1]):
            count += active[column_rows[i]]
        single[term, 1] = count


@njit(cache=True, nogil=True)
def holds_term(table, row, term):
    """Whether a term holds on a row."""
    indptr, indices, column_ptr, column_rows = table[0], table[1], table[2], table[3]
    plain = len(column_ptr) - len(table[6])
    if term < plain:
        found = False
        for k in range(indptr[row], indptr[row + 1]):
            if indices[k] == term:
                found = True
                break
        return found
    low, high = column_ptr[term], column_ptr[term + 1]
    while low < high:
        middle = (low + high) // 2
        if column_rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low < column_ptr[term + 1] and column_rows[low] == row


@njit(cache=True, nogil=True)
def bound_counts(members_n, members_a, members, start, stop, own_n, own_a, group_n, group_a, out):
    """out = least and most a, least and most i of `f & group`, and how many members share a row with f."""
    a_low, a_sum, i_low, i_sum, sharing = 0, 0, 0, 0, 0
    for k in range(start, stop):
        n, a = members_n[members[k]], members_a[members[k]]
        if n == 0:
            continue
        sharing += 1
        a_low, i_low = max(a_low, a), max(i_low, n - a)
        a_sum += a
        i_sum += n - a
    out[0], out[1] = a_low, min(a_sum, min(own_a, group_a))
    out[2], out[3] = i_low, min(i_sum, min(own_n - own_a, group_n - group_a))
    out[4] = sharing
