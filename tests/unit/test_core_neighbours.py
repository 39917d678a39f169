"""NEIGHBOURS as a formula's node: text, length, columns, and the table's terms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microtome.core.errors import FormulaError
from microtome.core.formula import (
    Leaf,
    Neighbours,
    Not,
    conjoin,
    disjoin,
    evaluate,
    leaves,
    length,
    negate,
    negations,
    words,
)
from microtome.core.parse import parse
from microtome.core.signatures import SignatureTable
from tests.support.random_tables import table_of

MAN, NEAR = Leaf("hyp:tok:man"), Neighbours("hyp:tok:man")


def table() -> SignatureTable:
    """Five elements over boy, dog, man and woman; NEIGHBOURS(man) = boy, man, woman."""
    sets = [("boy",), ("dog",), ("dog", "man"), ("woman",), ()]
    made = table_of(sets, [1, 1, 1, 1, 1])
    return replace(made, neighbours=((), (1,), (0, 2, 3), (2, 3)))


def test_text_length_and_order() -> None:
    formula = conjoin(NEAR, disjoin(MAN, Leaf("hyp:tok:a b")), Not(Neighbours('hyp:tok:")"')))
    assert length(formula) == 4
    assert negations(formula) == 1
    assert [type(leaf) for leaf in leaves(formula)] == [Neighbours, Leaf, Leaf, Neighbours]
    assert str(NEAR) == "NEIGHBOURS(hyp:tok:man)"
    assert length(NEAR) == 1
    assert NEAR != MAN
    assert negate(negate(NEAR)) == NEAR


@pytest.mark.parametrize(
    "formula",
    [
        NEAR,
        Not(NEAR),
        conjoin(NEAR, Not(MAN)),
        disjoin(NEAR, conjoin(MAN, Not(Neighbours("tok:two words")))),
        Neighbours('tok:"quoted"'),
        Neighbours("tok:("),
        Neighbours("NEIGHBOURS"),
        Leaf("NEIGHBOURS"),
        Leaf("tok:NEIGHBOURS"),
        conjoin(Leaf("AND"), Neighbours("tok:)")),
    ],
)
def test_text_reads_back(formula) -> None:
    assert parse(str(formula)) == formula


def test_columns_of_word_and_neighbours_are_apart() -> None:
    columns = {MAN.column: np.array([True, False, False]), NEAR.column: np.array([True, True, False])}
    assert MAN.column != NEAR.column
    assert evaluate(conjoin(NEAR, Not(MAN)), columns).tolist() == [False, True, False]
    with pytest.raises(FormulaError, match="'hyp:tok:man'"):
        evaluate(NEAR, {MAN.column: np.array([True])})


def test_words_tell_the_two_apart() -> None:
    assert words(NEAR) != words(MAN)
    assert "hyp:tok:man" in words(NEAR)


def test_terms_are_concepts_then_groups_of_more_than_one() -> None:
    terms = table().terms
    assert [str(term) for term in terms] == ["boy", "dog", "man", "woman", "NEIGHBOURS(man)", "NEIGHBOURS(woman)"]
    assert replace(table(), neighbours=()).terms == terms[:4]


def test_truth_is_any_member() -> None:
    one = table()
    rows = {name: one.column(Leaf(name)) for name in ("boy", "man", "woman")}
    assert np.array_equal(one.column(Neighbours("man")), rows["boy"] | rows["man"] | rows["woman"])
    assert one.count(Neighbours("man")) == 3
    assert one.count(conjoin(Neighbours("man"), Not(Leaf("dog")))) == 2
    assert one.same_truth(Neighbours("woman"), disjoin(Leaf("man"), Leaf("woman")))
    # A group of one is that word, though it is no term of the search.
    assert one.same_truth(Neighbours("dog"), Leaf("dog"))
    assert one.members(Neighbours("man")) == (0, 2, 3)
    assert one.members(Leaf("man")) == (2,)


def test_what_has_no_neighbours_is_named() -> None:
    with pytest.raises(FormulaError, match="'boy' has no neighbours"):
        table().holds(conjoin(Leaf("dog"), Neighbours("boy")))
    with pytest.raises(FormulaError, match="'man' has no neighbours"):
        replace(table(), neighbours=()).holds(Neighbours("man"))
    with pytest.raises(FormulaError, match="'cat', which is not in the data"):
        table().holds(Neighbours("cat"))
