"""Concepts beside a concept: conjunctions against truth tables, alternatives and what defines planted classes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.core.concept import Concept
from microtome.core.formula import And, Formula, Leaf, Neighbours, Not, conjoin, disjoin, evaluate, leaves
from microtome.core.parse import parse
from microtome.data.base import LabelledImage
from microtome.models.preprocess import Preprocess
from microtome.recipes.audit.concept_family import (
    MOST_ALTERNATIVES,
    alternatives,
    atoms_of,
    conjunctions,
    defining,
    knows,
    present_in,
    rate_in,
    share_in,
)
from microtome.record.gallery import Gallery, read_gallery
from tests.support.listed import Listed

NAMES = ("a", "b", "c", "d")
TABLE = {name: np.array(column) for name, column in zip(
    NAMES, np.array(list(itertools.product([False, True], repeat=4))).T, strict=True)}  # fmt: skip
"""Every assignment of four words, one a row."""


def formulas() -> st.SearchStrategy[Formula]:
    """Formulas over four words, with negations at any depth."""
    return st.recursive(
        st.sampled_from(NAMES).map(Leaf),
        lambda inner: st.one_of(
            inner.map(Not),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: conjoin(*parts)),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: disjoin(*parts)),
        ),
        max_leaves=5,
    )


def truth(formula: Formula) -> np.ndarray:
    """Where a formula holds, by assignment."""
    return evaluate(formula, TABLE)


def any_of(parts: list[Formula]) -> np.ndarray:
    """Where one of several formulas holds."""
    return np.logical_or.reduce([truth(part) for part in parts] or [np.zeros(16, bool)])


def some_value_of(held: np.ndarray, word: str) -> np.ndarray:
    """Where something holds for one of the two values of a word."""
    cube = held.reshape(2, 2, 2, 2)
    return np.broadcast_to(cube.any(axis=NAMES.index(word), keepdims=True), cube.shape).ravel()


@given(formulas())
def test_the_conjunctions_together_are_the_formula_but_for_what_asserts_nothing(formula: Formula) -> None:
    found = conjunctions(formula, without=())
    together, whole = any_of(found), truth(formula)
    assert not (together & ~whole).any(), "each of them makes it true"
    assert len(set(found)) == len(found)
    for part in found:
        terms = part.children if isinstance(part, And) else (part,)
        assert all(isinstance(t.child if isinstance(t, Not) else t, Leaf) for t in terms)
        assert any(isinstance(t, Leaf) for t in terms), "it asserts a concept"
        assert truth(part).any(), "it can be true"
        assert [str(t) for t in terms] == sorted({str(t) for t in terms})
    # What is left out are conjunctions of negations: true of an assignment, they are true of all that assert less.
    rows = np.array(list(itertools.product([False, True], repeat=4)))
    for row in np.flatnonzero(whole & ~together):
        assert whole[~(rows & ~rows[row]).any(axis=1)].all()
    if not whole[0]:
        assert np.array_equal(together, whole)


@given(formulas(), st.sampled_from(NAMES))
def test_a_word_that_is_struck_out_may_be_either(formula: Formula, word: str) -> None:
    """Without the word, the conjunctions hold where the formula does for one of the word's values."""
    found = conjunctions(formula, without=[word])
    assert all(leaf.name != word for part in found for leaf in leaves(part))
    reached = some_value_of(truth(formula), word)
    together = any_of(found)
    assert not (together & ~reached).any()
    if not reached[0]:
        assert np.array_equal(together, reached)


@pytest.mark.parametrize(
    ("text", "without", "expected"),
    [
        ("a", (), ["a"]),
        ("NOT a", (), []),
        ("a AND NOT b", (), ["NOT b AND a"]),
        ("(a OR b) AND c", (), ["a AND c", "b AND c"]),
        ("NOT (a AND NOT b)", (), ["b"]),
        ("NOT (NOT a OR b)", (), ["NOT b AND a"]),
        ("(a OR b) AND c", ("c",), ["a", "b"]),
        ("(a OR b) AND c", ("a", "c"), ["b"]),
        ("a OR a", (), ["a"]),
        ("a AND a", (), ["a"]),
        ("b AND a OR a AND b", (), ["a AND b"]),
        ("(a OR b) AND NOT a AND c", ("a",), ["b AND c"]),
        ("a AND NOT a", (), []),
        ("NEIGHBOURS(a)", (), []),
        ("NEIGHBOURS(a) AND b", (), ["NEIGHBOURS(a) AND b"]),
    ],
)
def test_by_hand(text: str, without: tuple[str, ...], expected: list[str]) -> None:
    assert [str(part) for part in conjunctions(parse(text), without=without)] == expected


def test_atoms_are_what_is_asserted() -> None:
    assert atoms_of(parse("a")) == ("a",)
    assert atoms_of(parse("a AND NOT b AND c")) == ("a", "c")
    assert atoms_of(parse("NOT a")) == ()
    assert atoms_of(parse("a OR b")) == ()
    assert atoms_of(conjoin(Neighbours("a"), Leaf("b"))) == ("b",)


CONCEPTS = tuple(
    Concept(name, category)
    for name, category in (
        ("blue", "color"), ("green", "color"), ("grey", "color"), ("water", "surface"), ("sand", "surface"),
        ("car", "object"), ("tree", "object"), ("boat", "object"), ("day", "scene"), ("night", "scene"),
    )
)  # fmt: skip
NUMBER = {concept.name: place + 1 for place, concept in enumerate(CONCEPTS)}
SIDE = 20


def scene(
    key: str, *regions: tuple[tuple[str, ...], int], label: int | None = None, whole: str = "day"
) -> LabelledImage:
    """An image whose first rows have the first region's concepts, and so on; the rest has none."""
    planes, top = np.zeros((3, SIDE, SIDE), np.int32), 0
    for names, rows in regions:
        for plane, name in enumerate(names):
            planes[plane, top : top + rows] = NUMBER[name]
        top += rows
    return LabelledImage(key, np.zeros((SIDE, SIDE, 3), np.uint8), planes, whole=(NUMBER[whole] - 1,), label=label)


def gallery(*images: LabelledImage) -> Gallery:
    return read_gallery(Listed(images, CONCEPTS, classes=("car", "boat")), Preprocess(SIDE), limit=999, seed=0)


SCENES = gallery(
    scene("0", (("blue", "water"), 10), (("green", "water"), 2)),
    scene("1", (("green", "water"), 5), (("grey", "sand"), 5)),
    scene("2", (("grey", "water"), 5), (("blue", "sand"), 3)),
    scene("3", (("blue", "sand"), 5), (("car",), 2)),
    scene("4", (("blue", "sand"), 5), (("tree",), 2), whole="night"),
    scene("5", (("grey", "water"), 9)),
    scene("6", (("grey", "water"), 9)),
)


def test_alternatives_exchange_one_word_within_its_category_most_often_seen_first() -> None:
    found = [str(each) for each in alternatives(SCENES, parse("blue AND water"))]
    assert found == ["blue AND sand", "grey AND water", "green AND water"]
    assert [int((SCENES.share(parse(each)) > 0).sum()) for each in found] == [3, 3, 2]
    assert [str(each) for each in alternatives(SCENES, parse("car"))] == ["tree"], "no boat is seen"
    assert [str(each) for each in alternatives(SCENES, parse("day"))] == [], "of a whole scene nothing can be cut out"
    assert [str(each) for each in alternatives(SCENES, parse("blue AND NOT car"))] == ["grey", "green"]
    assert alternatives(SCENES, parse("NOT blue")) == []


def test_segments_that_are_too_small_are_no_alternative() -> None:
    """A hundredth of the image is the least: one pixel of 400 is too little, four are enough."""
    for pixels, expected in ((3, []), (4, ["tree"])):
        one = scene("1", (("car",), 3))
        one.planes[1, SIDE - 1, :pixels] = NUMBER["tree"]
        assert [str(each) for each in alternatives(gallery(one), parse("car"))] == expected


def test_there_are_at_most_forty() -> None:
    concepts = tuple(Concept(f"c{n:02d}", "object") for n in range(50))
    planes = np.repeat(np.arange(1, 51, dtype=np.int32), 8).reshape(1, 20, 20)
    image = LabelledImage("all", np.zeros((20, 20, 3), np.uint8), planes)
    found = alternatives(read_gallery(Listed([image], concepts), Preprocess(20), limit=9, seed=0), Leaf("c00"))
    assert len(found) == MOST_ALTERNATIVES == 40
    assert [str(each) for each in found[:2]] == ["c01", "c02"]


def test_present_means_one_pixel_in_two_hundred_and_unknown_concepts_are_absent() -> None:
    one, two = (scene(str(n), (("car",), 2)) for n in range(2))
    one.planes[1, SIDE - 1, :2] = two.planes[1, SIDE - 1, :1] = NUMBER["tree"]
    both = gallery(one, two)
    assert share_in(both, parse("tree")).tolist() == [2 / 400, 1 / 400]
    assert present_in(both, parse("tree")).tolist() == [True, False]
    assert knows(both, parse("tree AND NOT car"))
    assert not knows(both, parse("tree AND lake"))
    assert share_in(both, parse("lake")).tolist() == [0.0, 0.0]
    assert not present_in(both, parse("lake OR car")).any()


def shown(count: int, label: int, *names: str, rest: int = 0) -> list[LabelledImage]:
    """Ten images of a class: `count` of them show the concepts."""
    return [
        scene(f"{label} {names} {n} {rest}", *((((name,), 3) for name in names) if n < count else ()), label=label)
        for n in range(10)
    ]


@pytest.mark.parametrize(("own", "others", "expected"), [(9, 4, ("tree",)), (8, 4, ()), (9, 5, ()), (10, 0, ("tree",))])
def test_what_defines_a_class_is_nearly_always_there_and_seldom_elsewhere(
    own: int, others: int, expected: tuple[str, ...]
) -> None:
    data = gallery(*shown(own, 0, "tree"), *shown(others, 1, "tree"))
    assert rate_in(data, Leaf("tree"), 0) == own / 10
    assert defining(data, 0, against=1, barred=()) == expected
    assert defining(data, 0, against=None, barred=()) == expected
    assert defining(data, 0, against=1, barred=("tree",)) == ()


def test_it_is_told_from_the_class_that_it_is_asked_against() -> None:
    """Both show the car: against that class it makes neither; against all, class 2 thins it out."""
    images = [*shown(10, 0, "car", "tree"), *shown(10, 1, "car"), *(shown(0, 2) * 3)]
    data = gallery(*images)
    assert defining(data, 0, against=1, barred=()) == ("tree",)
    assert defining(data, 0, against=2, barred=()) == ("car", "tree")
    assert defining(data, 0, against=None, barred=()) == ("car", "tree")
    assert defining(data, 3, against=1, barred=()) == ()
    assert defining(data, 0, against=3, barred=()) == ()
    assert np.isnan(rate_in(data, Leaf("car"), 3))
