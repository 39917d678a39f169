"""Pairs and triples of concepts that share a row: the only counts that formulas of up to three leaves need.

A row with m concepts gives m (m - 1) / 2 pairs and m (m - 1) (m - 2) / 6 triples. Triples that share no row have count
zero and are never listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numba import njit

from microtome.core.errors import OptionError
from microtome.methods.dissect.arrays import TableArrays

MOST_ENTRIES = 60_000_000


@dataclass(frozen=True)
class Triples:
    """Distinct triples a < b < c with a shared row.

    Attributes
    ----------
    keys:
        int64 [triple], ascending: (a * C + b) * C + c.
    members:
        int32 [triple, 3].
    n:
        int64 [triple]: elements with all three.
    row_ptr, row_triples:
        CSR: the triples of each row, as indices (int32).
    """

    keys: Int[np.ndarray, "triple"]
    members: Int[np.ndarray, "triple 3"]
    n: Int[np.ndarray, "triple"]
    row_ptr: Int[np.ndarray, "signature_plus_1"]
    row_triples: Int[np.ndarray, "entry"]


@njit(cache=True, nogil=True)
def add_pairs(indptr, indices, rows, counts, out):
    """out[c, d] += counts of the rows with both, both ways round; the diagonal holds single counts."""
    for i in range(len(rows)):
        row, count = rows[i], counts[i]
        start, stop = indptr[row], indptr[row + 1]
        for j in range(start, stop):
            c = indices[j]
            for k in range(start, stop):
                out[c, indices[k]] += count


@njit(cache=True, nogil=True)
def add_triples(row_ptr, row_triples, rows, counts, out):
    """out[triple] += counts of the rows that hold it."""
    for i in range(len(rows)):
        row, count = rows[i], counts[i]
        for k in range(row_ptr[row], row_ptr[row + 1]):
            out[row_triples[k]] += count


@njit(cache=True, nogil=True)
def _row_keys(indptr, indices, n_concepts, row_ptr, keys):
    at = 0
    for row in range(len(indptr) - 1):
        row_ptr[row] = at
        start, stop = indptr[row], indptr[row + 1]
        for i in range(start, stop):
            for j in range(i + 1, stop):
                for k in range(j + 1, stop):
                    keys[at] = (np.int64(indices[i]) * n_concepts + indices[j]) * n_concepts + indices[k]
                    at += 1
    row_ptr[len(indptr) - 1] = at


def build_triples(arrays: TableArrays) -> Triples:
    """List the triples of a table.

    Raises
    ------
    OptionError
        If rows hold so many concepts that the list would not fit in memory (dense data such as text).
    """
    sizes = np.diff(arrays.indptr)
    entries = int((sizes * (sizes - 1) * (sizes - 2) // 6).sum())
    if entries > MOST_ENTRIES:
        raise OptionError(
            f"Exact search of length 3 would list {entries:,} triples of concepts "
            f"(elements hold up to {int(sizes.max())} concepts at once).",
            expected=f"at most {MOST_ENTRIES:,}",
            next_step="use --exact-length 2 (longer formulas then come from a beam), or --method compositional",
        )
    row_ptr = np.empty(arrays.n_rows + 1, np.int64)
    listed = np.empty(entries, np.int64)
    concepts = arrays.n_concepts
    _row_keys(arrays.indptr, arrays.indices, concepts, row_ptr, listed)
    keys, inverse = np.unique(listed, return_inverse=True)
    row_triples = inverse.astype(np.int32)
    members = np.stack([keys // concepts**2, keys // concepts % concepts, keys % concepts], axis=1)
    n = np.zeros(len(keys), np.int64)
    add_triples(row_ptr, row_triples, np.arange(arrays.n_rows, dtype=np.int32), arrays.weight, n)
    return Triples(keys, members.astype(np.int32), n, row_ptr, row_triples)


def pair_counts(arrays: TableArrays) -> Int[np.ndarray, "concept concept"]:
    """|c & d| for all pairs; the diagonal is |c|."""
    out = np.zeros((arrays.n_concepts, arrays.n_concepts), np.int64)
    add_pairs(arrays.indptr, arrays.indices, np.arange(arrays.n_rows, dtype=np.int32), arrays.weight, out)
    return out
