"""Formulas: one text for each, read back as written, true where logic says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.core.errors import FormulaError
from microtome.core.formula import (
    And,
    Formula,
    Leaf,
    Not,
    Or,
    conjoin,
    disjoin,
    evaluate,
    leaves,
    length,
    negate,
    negations,
    quote,
    words,
)
from microtome.core.parse import parse

HOSTILE = [
    "AND", "OR", "NOT", "not", "a AND b", "NOT a", "(", ")", "a (dead)", '"', '""', "\\", '\\"', "a\\", " a", "a ", "",
    "a  b", "tab\there", "line\nbreak", "\x1f", "\u2028", "\u00a0", "Ärger", "日本", "🙂", "'", "a\"b\"c", "ANDY",
    "N OT", "a\x00b", "a AND", "OR OR", "\u202eright to left",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8), st.sampled_from(["a", "b", "c", "d"]))


def formulas(names: st.SearchStrategy[str]) -> st.SearchStrategy[Formula]:
    """Formulas of any shape: flattened by `conjoin` and `disjoin`, with double negations."""

    def grow(children: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        several = st.lists(children, min_size=2, max_size=4)
        return st.one_of(
            children.map(Not), several.map(lambda parts: conjoin(*parts)), several.map(lambda parts: disjoin(*parts))
        )

    return st.recursive(names.map(Leaf), grow, max_leaves=10)


@given(formulas(NAMES))
def test_text_reads_back_as_the_same_formula(formula: Formula) -> None:
    assert parse(str(formula)) == formula


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_one_leaf(name: str) -> None:
    formula = conjoin(Leaf(name), Not(disjoin(Leaf("b"), Leaf(name))))
    assert parse(str(formula)) == formula
    assert [leaf.name for leaf in leaves(parse(str(formula)))] == [name, "b", name]


@given(formulas(st.sampled_from("abcd")), st.integers(0, 15))
def test_truth_is_that_of_python(formula: Formula, bits: int) -> None:
    values = {name: bool(bits >> i & 1) for i, name in enumerate("abcd")}

    def truth(part: Formula) -> bool:
        match part:
            case Leaf(name):
                return values[name]
            case Not(child):
                return not truth(child)
            case And(children):
                return all(truth(child) for child in children)
            case Or(children):
                return any(truth(child) for child in children)

    columns = {name: np.array([value, True]) for name, value in values.items()}
    assert bool(evaluate(formula, columns)[0]) == truth(formula)


@given(formulas(st.sampled_from("abcd")))
def test_no_and_within_an_and(formula: Formula) -> None:
    def check(part: Formula) -> None:
        if isinstance(part, And | Or):
            assert len(part.children) >= 2
            assert not any(isinstance(child, type(part)) for child in part.children)
            for child in part.children:
                check(child)
        elif isinstance(part, Not):
            check(part.child)

    check(formula)


@given(formulas(st.sampled_from("abcd")))
def test_length_counts_leaves_with_repeats(formula: Formula) -> None:
    text = str(formula)
    assert length(formula) == sum(text.count(name) for name in "abcd") == len(list(leaves(formula)))
    assert negations(formula) == text.count("NOT")


A, B, C = Leaf("a"), Leaf("b"), Leaf("c")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (conjoin(disjoin(Leaf("water"), Leaf("river")), Not(Leaf("blue"))), "(water OR river) AND NOT blue"),
        (disjoin(conjoin(A, B), C), "(a AND b) OR c"),
        (conjoin(conjoin(A, B), C), "a AND b AND c"),
        (disjoin(A, disjoin(B, C)), "a OR b OR c"),
        (Not(conjoin(A, B)), "NOT (a AND b)"),
        (Not(Not(A)), "NOT NOT a"),
        (Leaf("traffic light"), "traffic light"),
        (Leaf("crane (bird)"), '"crane (bird)"'),
        (conjoin(A), "a"),
    ],
)
def test_one_text_for_each_formula(formula: Formula, text: str) -> None:
    assert str(formula) == text


def test_negate_takes_a_double_negation_off() -> None:
    assert negate(A) == Not(A)
    assert negate(Not(A)) == A


def test_quotes_only_where_needed() -> None:
    assert quote("traffic light") == "traffic light"
    assert quote("AND") == '"AND"'
    assert quote('say "x" \\') == '"say \\"x\\" \\\\"'


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("water", "water"),
        ("NOT water", "not water"),
        ("(water OR river) AND NOT blue", "(water or river), but not blue"),
        ("a AND b AND NOT c AND NOT d", "a and b, but not c and not d"),
        ("NOT a AND NOT b", "not a and not b"),
        ("NOT (a AND b)", "not (a and b)"),
        ("(a AND NOT b) OR c", "(a, but not b) or c"),
    ],
)
def test_words(text: str, phrase: str) -> None:
    assert words(parse(text)) == phrase


def test_a_concept_that_is_not_there_is_named() -> None:
    with pytest.raises(FormulaError, match="'river', which is not in the data"):
        evaluate(parse("water AND NOT river"), {"water": np.ones(3, bool)})
