"""Reading formulas: precedence, names of several words, and where a text goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.core.errors import FormulaError
from microtome.core.formula import Leaf, Not, conjoin, disjoin
from microtome.core.parse import DEEPEST, parse

A, B, C = Leaf("a"), Leaf("b"), Leaf("c")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("a", A),
        ("  a\n", A),
        ("a OR b AND c", disjoin(A, conjoin(B, C))),
        ("NOT a AND b", conjoin(Not(A), B)),
        ("NOT (a OR b) AND c", conjoin(Not(disjoin(A, B)), C)),
        ("((a))", A),
        ("a AND (b AND c)", conjoin(A, B, C)),
        ("traffic   light OR a", disjoin(Leaf("traffic light"), A)),
        ('"traffic   light"', Leaf("traffic   light")),
        ("and or not", Leaf("and or not")),
        (r'"a \"b\" \\"', Leaf('a "b" \\')),
        ("(a)AND(b)", conjoin(A, B)),
        ('""', Leaf("")),
    ],
)
def test_reads(text: str, formula: object) -> None:
    assert parse(text) == formula


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "at its end"),
        ("   ", "at its end"),
        ("a AND", "at its end"),
        ("AND a", "at character 1 ('AND')"),
        ("a AND OR b", "at character 7 ('OR')"),
        ("(a OR b", "at its end"),
        ("a OR b)", "at character 7 (')')"),
        ("a (b)", "at character 3 ('(')"),
        ('a "b"', "at character 3 ('b')"),
        ('"a" "b"', "at character 5 ('b')"),
        ("()", "at character 2 (')')"),
        ("NOT", "at its end"),
        ('a OR "b', "at character 5"),
        ('"a\\"', "at character 1"),
    ],
)
def test_says_where_it_goes_wrong(text: str, where: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert where in caught.value.what
    assert repr(text) in caught.value.what
    assert caught.value.expected
    assert caught.value.next_step


@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(['"', "(", ")", "AND", "OR", "NOT", "a", "\\", " "]))))
def test_any_text_is_a_formula_or_a_clear_error(parts: str | list[str]) -> None:
    text = parts if isinstance(parts, str) else " ".join(parts)
    try:
        formula = parse(text)
    except FormulaError:
        return
    assert parse(str(formula)) == formula


@pytest.mark.parametrize("piece", ["(", "NOT "])
def test_nesting_beyond_reason_is_an_error_and_no_crash(piece: str) -> None:
    fine = piece * DEEPEST + "a" + ")" * DEEPEST * (piece == "(")
    assert parse(fine)
    with pytest.raises(FormulaError, match="nested"):
        parse(piece * 100_000 + "a" + ")" * 100_000 * (piece == "("))
