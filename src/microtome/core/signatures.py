"""The table of signatures: distinct sets of concepts, how many elements have each, and on how many a unit fires.

Elements with the same set of concepts are the same to every formula, so one row stands for all of them:

    |F| = sum of weight over the rows where F holds        |F & U| = sum of the unit's counts over those rows

exact whatever the number of elements. Rows are sparse (a signature holds few concepts) and so are a unit's counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from microtome.core.concept import Concept
from microtome.core.errors import FormulaError
from microtome.core.formula import Formula, Leaf, Neighbours, Term, evaluate, leaves


@dataclass(frozen=True)
class Activity:
    """For each unit the rows it fires on and how many of their elements, in CSR form.

    Attributes
    ----------
    indptr:
        int64 [unit + 1].
    rows:
        int32 [entry], ascending within a unit.
    counts:
        int64 [entry], all > 0.
    """

    indptr: Int[np.ndarray, "unit_plus_1"]
    rows: Int[np.ndarray, "entry"]
    counts: Int[np.ndarray, "entry"]

    def unit(self, index: int) -> tuple[Int[np.ndarray, "active"], Int[np.ndarray, "active"]]:
        """Rows and counts of one unit."""
        start, stop = self.indptr[index], self.indptr[index + 1]
        return self.rows[start:stop], self.counts[start:stop]

    def __len__(self) -> int:
        return len(self.indptr) - 1


@dataclass(frozen=True)
class SignatureTable:
    """Distinct sets of concepts with weights; see the module docstring.

    Attributes
    ----------
    concepts:
        In order of name, so that ties between formulas fall to the first name.
    indptr, indices:
        CSR of the sets: concept indices of row r are `indices[indptr[r]:indptr[r + 1]]`, ascending.
    weight:
        int64 [signature]: elements with exactly this set.
    neighbours:
        For each concept the concepts that NEIGHBOURS of it stands for, itself among them; () where it has none, and
        () altogether where nobody gave any.
    """

    concepts: tuple[Concept, ...]
    indptr: Int[np.ndarray, "signature_plus_1"]
    indices: Int[np.ndarray, "entry"]
    weight: Int[np.ndarray, "signature"]
    neighbours: tuple[tuple[int, ...], ...] = ()

    @property
    def n_signatures(self) -> int:
        return len(self.weight)

    @cached_property
    def total(self) -> int:
        """Number of elements."""
        return int(self.weight.sum())

    @cached_property
    def by_name(self) -> dict[str, int]:
        """Concept name to index."""
        return {concept.name: index for index, concept in enumerate(self.concepts)}

    @cached_property
    def columns(self) -> tuple[Int[np.ndarray, "concept_plus_1"], Int[np.ndarray, "entry"]]:
        """CSC view: the rows of concept c are `rows[indptr[c]:indptr[c + 1]]`, ascending."""
        row_of = np.repeat(np.arange(self.n_signatures, dtype=np.int32), np.diff(self.indptr))
        order = np.argsort(self.indices, kind="stable")
        indptr = np.zeros(len(self.concepts) + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.indices, minlength=len(self.concepts)), out=indptr[1:])
        return indptr, row_of[order]

    @cached_property
    def concept_counts(self) -> Int[np.ndarray, "concept"]:
        """Elements of each concept."""
        return self.counts_under(self.weight)

    def counts_under(self, weight: Int[np.ndarray, "signature"]) -> Int[np.ndarray, "concept"]:
        """Elements of each concept if the rows had these weights (of another half, say)."""
        indptr, rows = self.columns
        sums = np.concatenate(([0], np.cumsum(weight[rows])))
        return sums[indptr[1:]] - sums[indptr[:-1]]

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What a formula's leaf can be: every concept, then NEIGHBOURS of each concept that has any."""
        grouped = (
            Neighbours(c.name) for c, group in zip(self.concepts, self.neighbours, strict=False) if len(group) > 1
        )
        return (*(Leaf(concept.name) for concept in self.concepts), *grouped)

    def members(self, term: Term) -> tuple[int, ...]:
        """The concepts of which one must hold for the term to hold. Raises FormulaError for an unknown term."""
        if term.name not in self.by_name:
            raise FormulaError(
                f"The formula names the concept '{term.name}', which is not in the data.",
                expected="names of concepts of the data set",
                next_step="see the concepts with `microtome data check`",
            )
        index = self.by_name[term.name]
        if isinstance(term, Leaf):
            return (index,)
        group = self.neighbours[index] if self.neighbours else ()
        if not group:
            raise FormulaError(
                f"'{term.name}' has no neighbours in this data.",
                expected="NEIGHBOURS of a word that the word vectors hold",
                next_step="give word vectors, or name the words themselves",
            )
        return group

    def column(self, term: Term) -> Bool[np.ndarray, "signature"]:
        """Where a leaf of a formula is true."""
        indptr, rows = self.columns
        column = np.zeros(self.n_signatures, dtype=bool)
        for index in self.members(term):
            column[rows[indptr[index] : indptr[index + 1]]] = True
        return column

    def holds(self, formula: Formula) -> Bool[np.ndarray, "signature"]:
        """Where the formula is true. Raises FormulaError on a concept that is not in the table."""
        return evaluate(formula, {term.column: self.column(term) for term in leaves(formula)})

    def count(self, formula: Formula) -> int:
        """Number of elements where the formula holds."""
        return int(self.weight[self.holds(formula)].sum())

    def same_truth(self, one: Formula, other: Formula) -> bool:
        """Whether two formulas hold on the same elements of this table."""
        return bool(np.array_equal(self.holds(one), self.holds(other)))


def both_counts(
    holds: Bool[np.ndarray, "signature"], rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]
) -> int:
    """|F & U| from the truth of F on the rows and a unit's activity."""
    return int(counts[holds[rows]].sum())
