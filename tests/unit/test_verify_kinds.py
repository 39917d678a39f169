"""Kinds of units from their formulas and numbers; how far apart concepts are; whether top images are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.core.errors import DataError
from microtome.core.formula import Formula, Neighbours
from microtome.core.parse import parse
from microtome.verify.concept_distance import (
    WORDNET_LIMITS,
    Limits,
    cooccurrence_distance,
    limits_of,
    wordnet_distance,
)
from microtome.verify.kinds import KINDS, POOR_IOU, Alike, UnitKind, alikeness, kind_of, shares
from microtome.verify.proportions import wilson
from tests.support.random_tables import random_table, table_of

LIMITS = Limits(0.3, 0.6)
PLACES = {"lake": 0.0, "river": 0.1, "sea": 0.25, "beach": 0.7, "car": 5.0, "blue": 9.0, "odd": float("nan")}
ALIKE, UNLIKE = Alike(0.5, 0.2, 0.001), Alike(0.1, 0.2, 0.4)


def apart(one: str, other: str) -> float:
    """Distance along a line, at most 1."""
    return float(np.minimum(abs(PLACES[one] - PLACES[other]), 1.0))


def kind(formula: Formula | None, *, iou: float = 0.3, p: float = 0.001, alike: Alike | None = UNLIKE) -> UnitKind:
    return kind_of("layer:1", formula, iou=iou, p=p, alike=alike, distance=apart, limits=LIMITS)


@pytest.mark.parametrize(
    ("formula", "expected", "distance"),
    [
        ("lake", "abstraction", None),
        ("lake AND blue", "abstraction", None),
        ("lake OR river OR sea", "abstraction", 0.25),
        ("(lake OR river) AND blue", "abstraction", 0.0),
        ("lake AND (blue OR car)", "abstraction", 0.0),
        ("odd AND (blue OR car)", "abstraction", 0.0),
        ("(lake AND blue) OR (lake AND car)", "abstraction", 0.0),
        ("(lake AND blue) OR river", "abstraction", 0.1),
        ("(lake OR blue) AND (river OR car)", "polysemantic", 1.0),
        ("(lake OR river) AND (blue OR car)", "abstraction", 0.1),
        ("lake AND NOT blue", "specialisation", None),
        ("(lake OR river) AND NOT blue", "specialisation", 0.1),
        ("lake AND NOT (blue OR car)", "specialisation", None),
        ("lake AND NOT (blue AND car)", "specialisation", 0.0),
        ("(lake AND NOT blue) OR river", "specialisation", 0.1),
        ("NOT (NOT lake AND NOT river)", "abstraction", 0.1),
        ("NOT (NOT lake OR blue)", "specialisation", None),
        ("lake OR (car AND NOT car)", "abstraction", None),
        ("lake OR car", "polysemantic", 1.0),
        ("lake OR river OR car", "polysemantic", 1.0),
        ("(lake OR car) AND NOT blue", "polysemantic", 1.0),
        ("(lake AND (river OR car)) OR blue", "polysemantic", 1.0),
        ("lake OR beach", "polysemantic", 0.7),
        ("sea OR beach", "unclear", 0.45),
        ("lake OR odd", "unclear", None),
        ("car AND NOT car", "unclear", None),
        ("NOT lake", "unclear", None),
        ("NOT lake AND NOT car", "unclear", None),
        ("lake OR NOT car", "unclear", None),
    ],
)
def test_the_formula_decides_where_it_fits(formula: str, expected: str, distance: float | None) -> None:
    found = kind(parse(formula))
    assert found.kind == expected
    assert found.unit == "layer:1"
    assert np.isnan(found.distance) if distance is None else found.distance == pytest.approx(distance)
    assert found.why.endswith(".")


def test_neighbours_of_a_word_are_one_concept() -> None:
    assert kind(Neighbours("lake")).kind == "abstraction"


@pytest.mark.parametrize(
    ("formula", "iou", "p", "said"),
    [
        (None, 0.3, 0.001, "The unit has no formula"),
        ("lake", 0.3, 0.2, "not above chance (p 0.200)"),
        ("lake", 0.3, float("nan"), "not above chance (p nan)"),
        ("lake", 0.039, 0.001, "held-out IoU is 0.039, below 0.040"),
        ("lake", float("nan"), 0.001, "held-out IoU is nan"),
    ],
)
def test_without_a_good_formula_the_top_images_decide(formula: str | None, iou: float, p: float, said: str) -> None:
    made = None if formula is None else parse(formula)
    like = kind(made, iou=iou, p=p, alike=ALIKE)
    assert (like.kind, said in like.why) == ("outside the inventory", True)
    assert "mean cosine 0.50, 95% of random sets stay below 0.20" in like.why
    assert kind(made, iou=iou, p=p, alike=UNLIKE).kind == "unclear"
    assert kind(made, iou=iou, p=p, alike=None).why.endswith("its top images were not compared.")
    assert kind(parse("lake"), iou=POOR_IOU, p=0.05, alike=ALIKE).kind == "abstraction"


def test_the_reason_names_what_is_apart() -> None:
    assert "'river' and 'car' are far apart (1.00, far is 0.60 or more)" in kind(parse("river OR lake OR car")).why
    assert "It leaves out 'blue' and 'car'." in kind(parse("lake AND NOT blue AND NOT car")).why
    assert "How far 'lake' and 'odd' are apart is not known" in kind(parse("lake OR odd OR car")).why


def test_shares_add_up_and_carry_wilson_intervals() -> None:
    kinds = [kind(parse(text)) for text in ("lake", "river", "lake OR car", "lake AND NOT car")]
    found = shares(kinds)
    assert tuple(one.kind for one in found) == KINDS
    assert [one.count for one in found] == [2, 1, 1, 0, 0]
    assert found[0].share == 0.5
    assert found[0].interval == wilson(2, 4)
    assert {one.units for one in found} == {4}
    assert [(one.share, one.interval) for one in shares([])] == [(0.0, (0.0, 1.0))] * 5


def test_top_images_that_share_what_others_do_are_alike() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(200, 30)) + 4.0
    top, elsewhere = np.arange(12), np.arange(100, 112)
    vectors[top, 5:8] += 3.0
    vectors[elsewhere, 9] += 50.0
    found = alikeness(vectors, top, 0)
    assert found.above
    assert found.p == 1 / 1001
    assert found == alikeness(vectors, top, 0)
    # Unit 9 is large on its own top images and nothing else is: without it they are any images.
    own = alikeness(vectors, elsewhere, 9)
    assert not own.above
    assert own.p > 0.05
    assert alikeness(vectors, elsewhere, 8).above


@given(st.integers(0, 10**6))
def test_the_cosine_is_the_mean_over_pairs(seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(12, 5))
    top = np.array([1, 4, 7])
    others = np.delete(vectors, 2, axis=1)
    others = others - others.mean(axis=0)
    pairs = [(1, 4), (1, 7), (4, 7)]
    cosines = [others[i] @ others[j] / np.linalg.norm(others[i]) / np.linalg.norm(others[j]) for i, j in pairs]
    found = alikeness(vectors, top, 2, sets=50)
    assert found.cosine == pytest.approx(np.mean(cosines))
    assert 0 < found.p <= 1


def test_too_few_images_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="1 top images of 10"):
        alikeness(np.zeros((10, 3)), np.array([1]), 0)
    with pytest.raises(DataError, match="6 top images of 10"):
        alikeness(np.zeros((10, 3)), np.arange(6), 0)


def test_concepts_that_occur_with_the_same_things_are_near() -> None:
    sets = [("lake", "blue", "reeds"), ("river", "blue", "reeds"), ("car", "red", "road"), ("road",), ("blue",), ()]
    table = table_of(sets, [10, 8, 9, 5, 4, 200], concepts=("never",))
    distance = cooccurrence_distance(table)
    assert distance("lake", "river") < 0.05
    assert distance("lake", "car") == pytest.approx(1.0)
    assert distance("lake", "lake") == 0.0
    assert np.isnan(distance("lake", "never"))
    assert distance("lake", "river") == distance("river", "lake")


@given(st.integers(0, 10**4))
def test_the_cooccurrence_distance_is_that_of_the_elements(seed: int) -> None:
    table = random_table(seed)
    distance = cooccurrence_distance(table)
    names = [concept.name for concept in table.concepts]
    sets = [set(table.indices[table.indptr[r] : table.indptr[r + 1]].tolist()) for r in range(table.n_signatures)]
    elements = [one for one, weight in zip(sets, table.weight, strict=True) for _ in range(weight)]

    def lift(i: int, j: int) -> float:
        both = sum(i in one and j in one for one in elements)
        chance = sum(i in one for one in elements) * sum(j in one for one in elements) / len(elements)
        return max(0.0, np.log(both / chance)) if both else 0.0

    others = [k for k in range(len(names)) if k not in (0, 3)]
    a, b = (np.array([lift(i, k) for k in others]) for i in (0, 3))
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    assert distance(names[0], names[3]) == pytest.approx(1 - a @ b / scale if scale else 1.0)


def test_limits_are_shares_of_the_pairs() -> None:
    names = [str(k) for k in range(30)]
    found = limits_of(lambda one, other: abs(int(one) - int(other)) / 30 if one != "7" else float("nan"), names)
    pairs = np.array([abs(i - j) / 30 for i in range(30) for j in range(i + 1, 30) if i != 7])
    assert (pairs <= found.near).mean() == pytest.approx(0.1, abs=0.05)
    assert (pairs <= found.far).mean() == pytest.approx(0.5, abs=0.05)
    with pytest.raises(DataError, match="No two concepts"):
        limits_of(lambda one, other: float("nan"), names)


@dataclass(frozen=True)
class _Sense:
    """A place on a line of hypernyms, one edge a step; `apart` trees have no path."""

    place: int
    tree: str = "things"

    def path_similarity(self, other: _Sense) -> float | None:
        return 1 / (1 + abs(self.place - other.place)) if self.tree == other.tree else None


class _SmallNet:
    """Nouns on a line."""

    nouns = {  # noqa: RUF012
        "dog": [_Sense(0)], "cat": [_Sense(4), _Sense(90)], "bus": [_Sense(6)], "light": [_Sense(3)],
        "traffic_light": [_Sense(9)], "idea": [_Sense(0, "thoughts")],
    }  # fmt: skip

    def ensure_loaded(self) -> None:
        pass

    def synsets(self, word: str, kind: str) -> list[_Sense]:
        assert kind == "n"
        return self.nouns.get(word, [])


def test_wordnet_counts_edges_between_the_nearest_senses(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = pytest.importorskip("nltk.corpus")
    monkeypatch.setattr(corpus, "wordnet", _SmallNet())
    distance = wordnet_distance()
    assert distance("dog", "cat") == pytest.approx(1 - 1 / 5)
    assert distance("dog", "cat") <= WORDNET_LIMITS.near + 1e-12
    assert distance("dog", "bus") >= WORDNET_LIMITS.far
    assert distance("object:Dog", "traffic light") == pytest.approx(1 - 1 / 10)
    assert distance("dog", "bright light") == pytest.approx(1 - 1 / 4)
    assert np.isnan(distance("dog", "zzz"))
    assert np.isnan(distance("dog", "idea"))
    assert distance("zzz", "zzz") == 0.0


def test_wordnet_names_its_data_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    nltk = pytest.importorskip("nltk")
    from nltk.corpus import wordnet

    if not type(wordnet).__name__.startswith("Lazy"):
        pytest.skip("WordNet was loaded before")
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(DataError, match="NLTK's data 'wordnet'"):
        wordnet_distance()
