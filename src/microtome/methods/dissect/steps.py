"""Formulas as the search writes them: a seed concept, then steps, each adding one or two concepts.

    SEED x                 x
    OR c, AND c            f OR c, f AND c
    AND_NOT c              f AND NOT c
    AND_EITHER y z         f AND (y OR z)
    AND_EITHER_NOT y z     f AND (y OR NOT z)
    AND_NOT_BOTH y z       f AND (NOT y OR NOT z)

Every formula of up to three leaves that is false where no concept is present can be written so.
"""

from __future__ import annotations

from collections.abc import Sequence

from microtome.core.formula import Formula, Not, Term, conjoin, disjoin

SEED, OR, AND, AND_NOT, AND_EITHER, AND_EITHER_NOT, AND_NOT_BOTH = range(7)
STEP_LEAVES = (1, 1, 1, 1, 2, 2, 2)

Step = tuple[int, int, int]
"""(operation, first concept, second concept or -1)."""


def formula_of(steps: Sequence[Step], terms: Sequence[Term]) -> Formula:
    """The formula that the steps write, over the terms of a table (`SignatureTable.terms`)."""
    operation, first, _ = steps[0]
    assert operation == SEED
    formula: Formula = terms[first]
    for operation, first, second in steps[1:]:
        one = terms[first]
        match operation:
            case 1:
                formula = disjoin(formula, one)
            case 2:
                formula = conjoin(formula, one)
            case 3:
                formula = conjoin(formula, Not(one))
            case 4:
                formula = conjoin(formula, disjoin(one, terms[second]))
            case 5:
                formula = conjoin(formula, disjoin(one, Not(terms[second])))
            case 6:
                formula = conjoin(formula, disjoin(Not(one), Not(terms[second])))
            case _:
                raise AssertionError(f"unknown step {operation}")
    return formula
