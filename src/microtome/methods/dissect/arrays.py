"""The table as flat arrays for the compiled search, with a random 64-bit fingerprint for each row.

The fingerprint of a formula is the sum (mod 2^64) of the fingerprints of its rows. It obeys the same inclusion and
exclusion as the counts, so the truth of a candidate is told apart without being built; two formulas with equal
fingerprint, n and a are taken as the same (chance of an error below 2^-64 for a pair).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt64

from microtome.core.concept import Concept
from microtome.core.errors import OptionError
from microtome.core.signatures import SignatureTable

_FINGERPRINT_SEED = 20170419
MOST_BYTES = 2**30


@dataclass(frozen=True)
class TableArrays:
    """Contiguous arrays of a SignatureTable: int32 indices, int64 pointers, weights and fingerprints.

    The rows of the CSR hold concepts alone. Columns, and everything single, are of all terms: the concepts, then
    NEIGHBOURS of those that have any, whose members `group_members` lists and whose elements `group_bits` holds
    (`neighbours_kernel`).
    """

    indptr: Int[np.ndarray, "signature_plus_1"]
    indices: Int[np.ndarray, "entry"]
    column_ptr: Int[np.ndarray, "term_plus_1"]
    column_rows: Int[np.ndarray, "column_entry"]
    weight: Int[np.ndarray, "signature"]
    prints: Int[np.ndarray, "signature"]
    group_ptr: Int[np.ndarray, "group_plus_1"]
    group_members: Int[np.ndarray, "member"]
    starts: Int[np.ndarray, "signature_plus_1"]
    group_bits: UInt64[np.ndarray, "group word"]
    single_n: Int[np.ndarray, "term"]
    single_prints: Int[np.ndarray, "term"]
    total: int

    @property
    def n_rows(self) -> int:
        return len(self.weight)

    @property
    def n_concepts(self) -> int:
        """Plain concepts."""
        return self.n_terms - len(self.group_ptr) + 1

    @property
    def n_terms(self) -> int:
        return len(self.single_n)

    @property
    def kernel_table(self) -> tuple[np.ndarray, ...]:
        """What the kernels call the table."""
        return (
            self.indptr, self.indices, self.column_ptr, self.column_rows, self.weight, self.prints,
            self.group_ptr, self.group_members, self.starts, self.group_bits,
        )  # fmt: skip


def table_arrays(table: SignatureTable) -> TableArrays:
    """Lay a table out for the kernels."""
    from microtome.methods.dissect.neighbours_kernel import group_bits, union_columns

    column_ptr, column_rows = (np.ascontiguousarray(part) for part in table.columns)
    groups = [table.members(term) for term in table.terms[len(table.concepts) :]]
    group_ptr = np.concatenate(([0], np.cumsum([len(group) for group in groups]))).astype(np.int64)
    members = np.array([member for group in groups for member in group], np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(table.weight, dtype=np.int64)))
    words = -(-table.total // 64) if groups else 0
    if 8 * words * len(groups) > MOST_BYTES:
        raise OptionError(
            f"NEIGHBOURS of {len(groups):,} concepts over {table.total:,} elements needs "
            f"{8 * words * len(groups) / 2**30:.1f} GiB.",
            expected=f"at most {MOST_BYTES / 2**30:.0f} GiB",
            next_step="use fewer texts (--limit), a smaller --vocabulary, or leave --vectors out",
        )
    bits = np.zeros((0, words), np.uint64)
    if groups:
        joined_ptr, joined = union_columns(
            column_ptr.astype(np.int64), column_rows.astype(np.int32), group_ptr, members, table.n_signatures
        )
        bits = group_bits(joined_ptr, joined, starts, words)
        column_ptr = np.concatenate((column_ptr, column_ptr[-1] + joined_ptr[1:]))
        column_rows = np.concatenate((column_rows, joined))
    generator = np.random.default_rng(_FINGERPRINT_SEED)
    prints = generator.integers(-(2**63), 2**63 - 1, size=table.n_signatures, dtype=np.int64)
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(prints[column_rows], dtype=np.int64)))
    counts = np.concatenate((np.zeros(1, np.int64), np.cumsum(table.weight[column_rows], dtype=np.int64)))
    return TableArrays(
        indptr=np.ascontiguousarray(table.indptr, dtype=np.int64),
        indices=np.ascontiguousarray(table.indices, dtype=np.int32),
        column_ptr=np.ascontiguousarray(column_ptr, dtype=np.int64),
        column_rows=np.ascontiguousarray(column_rows, dtype=np.int32),
        weight=np.ascontiguousarray(table.weight, dtype=np.int64),
        prints=prints,
        group_ptr=group_ptr,
        group_members=members,
        starts=starts,
        group_bits=bits,
        single_n=counts[column_ptr[1:]] - counts[column_ptr[:-1]],
        single_prints=sums[column_ptr[1:]] - sums[column_ptr[:-1]],
        total=table.total,
    )


def with_neighbours(table: SignatureTable) -> SignatureTable:
    """The table with a concept more for each NEIGHBOURS term, in the order of its terms; itself without any."""
    groups = [table.members(term) for term in table.terms[len(table.concepts) :]]
    if not groups:
        return table
    # For each concept the terms that it makes true: itself, and the groups it is in.
    sizes = np.array([len(group) for group in groups])
    member = np.concatenate([np.arange(len(table.concepts)), np.concatenate(groups)])
    makes = np.concatenate(
        [np.arange(len(table.concepts)), len(table.concepts) + np.repeat(np.arange(len(groups)), sizes)]
    )
    order = np.argsort(member, kind="stable")
    ptr = np.concatenate(([0], np.cumsum(np.bincount(member, minlength=len(table.concepts)))))
    counts = np.diff(ptr)[table.indices]
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    terms = makes[order][np.repeat(ptr[table.indices], counts) + within]
    row_of = np.repeat(np.repeat(np.arange(table.n_signatures), np.diff(table.indptr)), counts)
    keys = np.unique(row_of * len(table.terms) + terms)
    rows = keys // len(table.terms)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=table.n_signatures))))
    named = tuple(Concept(term.column, "") for term in table.terms)
    return SignatureTable(named, indptr, (keys - rows * len(table.terms)).astype(np.int32), table.weight)


class Buffers(threading.local):
    """Scratch memory of one thread: reused for each unit, since fresh pages cost more than the search."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: type = np.int64) -> np.ndarray:
        """An array of this name and shape; zero when first handed out, and as it was left after that."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.dtype(dtype):
            array = self._arrays[name] = np.zeros(shape, dtype)
        return array
