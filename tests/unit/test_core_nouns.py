"""Concepts, the registry, the table of signatures, directions and errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.core.concept import Concept, unique_concepts
from microtome.core.direction import Direction
from microtome.core.errors import (
    DataError,
    FormulaError,
    MicrotomeError,
    ModelError,
    OptionError,
    nearest,
    problems_together,
)
from microtome.core.explanation import Certificate, Explanation, chosen_length
from microtome.core.formula import Leaf
from microtome.core.parse import parse
from microtome.core.registry import Registry
from microtome.core.signatures import Activity, both_counts
from microtome.core.site import Site
from tests.support.random_tables import dense_counts, random_activity, random_table, table_of


def test_a_word_of_two_categories_carries_its_category_the_second_time() -> None:
    concepts = unique_concepts([("water", "surface"), ("sky", "object"), ("water", "scene")])
    assert concepts == (Concept("water", "surface"), Concept("sky", "object"), Concept("scene:water", "scene"))


def test_white_space_in_names_is_made_plain() -> None:
    assert unique_concepts([(" traffic \n light ", "object")])[0].name == "traffic light"


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("  ", "object")], "category 'object' has an empty name"),
        ([("sky", "object"), ("sky", "object"), ("sky", "object")], "'sky' of category 'object' is listed twice"),
        ([("object:sky", "x"), ("sky", "y"), ("sky", "object")], "listed twice"),
    ],
)
def test_names_that_cannot_be_told_apart(pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        unique_concepts(pairs)


@given(st.lists(st.tuples(st.text(max_size=4), st.sampled_from(["a", "b"]))))
def test_names_are_unique_or_refused(pairs: list[tuple[str, str]]) -> None:
    try:
        concepts = unique_concepts(pairs)
    except DataError:
        return
    assert len({concept.name for concept in concepts}) == len(pairs)


def test_registry_raises_on_a_duplicate_and_keeps_the_first() -> None:
    registry: Registry[int] = Registry("sort of method")
    assert registry.add("one", 1) == 1
    with pytest.raises(ValueError, match="The sort of method 'one' is registered twice"):
        registry.add("one", 2)
    assert registry["one"] == 1


def test_registry_lists_the_valid_names_on_a_miss() -> None:
    registry: Registry[int] = Registry("sort of method")
    for i, name in enumerate(("exact", "compositional")):
        registry.add(name, i)
    with pytest.raises(OptionError) as caught:
        registry["exakt"]
    assert str(caught.value) == (
        "There is no sort of method 'exakt'.\nExpected: one of: exact, compositional\nNext: did you mean 'exact'?"
    )
    assert list(registry) == ["exact", "compositional"]
    assert (len(registry), registry.items()) == (2, [("exact", 0), ("compositional", 1)])


@given(st.integers(0, 50), st.sampled_from(["c00", "NOT c01", "(c00 OR c02) AND NOT c05", "c03 AND c03", "NOT (c04)"]))
def test_counts_on_the_table_are_those_of_the_elements(seed: int, text: str) -> None:
    table, formula = random_table(seed), parse(text)
    rows, counts = random_activity(table, seed)
    n, a, active, total = dense_counts(table, formula, rows, counts)
    assert table.count(formula) == n
    assert both_counts(table.holds(formula), rows, counts) == a
    assert (int(counts.sum()), table.total) == (active, total)


def test_columns_are_the_transpose_of_the_rows() -> None:
    table = random_table(3)
    pointers, rows = table.columns
    pairs = {(int(r), c) for c in range(len(table.concepts)) for r in rows[pointers[c] : pointers[c + 1]]}
    starts = table.indptr
    assert pairs == {(r, int(c)) for r in range(table.n_signatures) for c in table.indices[starts[r] : starts[r + 1]]}
    assert table.concept_counts.tolist() == [table.count(Leaf(c.name)) for c in table.concepts]


def test_same_truth_is_meant_on_the_table() -> None:
    table = table_of([(), ("a",), ("a", "b")], [1, 1, 1])
    assert table.same_truth(parse("b"), parse("a AND b"))
    assert not table.same_truth(parse("a"), parse("b"))


def test_a_concept_outside_the_table_is_named() -> None:
    with pytest.raises(FormulaError, match="'river'"):
        random_table(0).holds(parse("c00 AND river"))


def test_activity_hands_out_units() -> None:
    activity = Activity(np.array([0, 2, 2, 3]), np.array([1, 4, 0], np.int32), np.array([7, 8, 9]))
    assert len(activity) == 3
    assert [tuple(x.tolist() for x in activity.unit(i)) for i in range(3)] == [([1, 4], [7, 8]), ([], []), ([0], [9])]


def explanation(score: float, length: int) -> Explanation:
    return Explanation(length, Leaf("a"), 10, 5, 20, 100, score)


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ((0.5,), 0),
        ((0.5, 0.5, 0.505), 0),
        ((0.5, 0.52, 0.6), 2),
        ((0.5, 0.59, 0.6), 1),
        ((-0.5, -0.4), 1),
        ((0.0, 0.0), 0),
    ],
)
def test_a_longer_formula_has_to_earn_its_words(scores: tuple[float, ...], chosen: int) -> None:
    assert chosen_length(tuple(explanation(score, k) for k, score in enumerate(scores, 1))) == chosen


def test_explanation_scores_and_certificate() -> None:
    one = explanation(0.2, 1)
    assert (one.iou, one.precision, one.recall, one.leaves) == (0.2, 0.5, 0.25, 1)
    text = str(Certificate((5, 25), 2, 30, 400, (5, 26), (5, 25)))
    assert text == "5/25; rounds 2; evaluated 30; bounded 400; beam 5/26; left-deep 5/25"


SITE = Site("layer4", 1, (3, 2, 2), 3)


def test_direction_has_a_length_of_one_on_request() -> None:
    one = Direction(SITE, np.array([3.0, 0.0, 4.0]), "striped").unit_length()
    assert one.vector.tolist() == [0.6, 0.0, 0.8]
    assert one.name == "striped"


@pytest.mark.parametrize("vector", [[1.0, 2.0], [0.0, 0.0, 0.0], [1.0, np.nan, 0.0], [np.inf, 0.0, 0.0]])
def test_a_direction_that_is_none(vector: list[float]) -> None:
    with pytest.raises(ModelError, match="'striped'"):
        Direction(SITE, np.array(vector), "striped")


def test_an_error_says_what_was_expected_and_what_to_do() -> None:
    error = OptionError("--beam is 0.", expected="1 to 1000", next_step="leave it out")
    assert isinstance(error, MicrotomeError)
    assert str(error) == "--beam is 0.\nExpected: 1 to 1000\nNext: leave it out"
    assert str(DataError("It is empty.")) == "It is empty."


def test_many_problems_are_cut_and_counted() -> None:
    assert problems_together(["a", "b", "c"], limit=2) == "- a\n- b\n- ... and 1 more"


def test_nearest_names() -> None:
    assert nearest("layr4", ["layer1", "layer4", "fc"], most=1) == "'layer4'"
    assert nearest("zzz", ["a", "b", "c"], most=2) == "'a', 'b'"
