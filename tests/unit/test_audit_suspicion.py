"""Suspects: a planted cue is found, one that shifts with nothing is not; detectors' lifts against literal counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.core.formula import Formula, Leaf
from microtome.core.parse import parse
from microtome.core.signatures import SignatureTable
from microtome.recipes.audit.asked import Detector
from microtome.recipes.audit.detectors import LIFT, Fires, UnitDetector
from microtome.recipes.audit.nouns import Change, Suspect
from microtome.recipes.audit.suspicion import GAP, MEASURED_ON, Candidate, Classes, Seen, cut_effect, rank_suspects
from tests.support.small_worlds import small_world, table_of

COUNT, NAMES = 400, ("landbird", "waterbird", "tree")
HALF = np.arange(COUNT) % 2
CLASSES = Classes(HALF, HALF)
LAND, WATER = 0, 1


def at_rates(*rates: float, seed: int = 0) -> np.ndarray:
    """In which items a concept is present: exactly so often in each class, at random places."""
    generator = np.random.default_rng([seed, *(int(1000 * rate) for rate in rates)])
    present = np.zeros(COUNT, bool)
    for label, rate in enumerate(rates):
        own = np.flatnonzero(label == HALF)
        present[generator.permutation(own)[: round(rate * len(own))]] = True
    return present


def candidate(concept: str, target: int = WATER, *, parts: tuple[int, ...] = (3,), loudness: float = 1.0) -> Candidate:
    return Candidate(target, parse(concept), parts, loudness)


def ranked(
    candidates: list[Candidate], seen: dict[str, Seen], classes: Classes = CLASSES, **given: Any
) -> list[Suspect]:
    """The suspects with the settings that most tests share."""
    settings: dict[str, Any] = {"names": NAMES, "most": 10, "fdr": 0.05, "allowed": {}} | given
    return rank_suspects(candidates, seen, classes, **settings)


CUE = Seen(at_rates(0.05, 0.95), at_rates(0.5, 0.5, seed=1))
TRUE = Seen(at_rates(0.05, 0.95, seed=2), at_rates(0.05, 0.95, seed=3))
SEEN = {"lake": CUE, "beak": TRUE}


def test_a_cue_that_the_shift_split_breaks_is_found_and_one_that_it_keeps_is_not() -> None:
    found = ranked([candidate("beak", parts=(1, 2)), candidate("lake", parts=(7, 3))], SEEN)
    assert [str(suspect.concept) for suspect in found] == ["lake"]
    one = found[0]
    assert (one.number, one.target, one.words, one.parts) == (0, WATER, "lake", (7, 3))
    assert (one.share, one.others, one.shift) == (0.95, 0.05, 0.5)
    assert one.q is not None
    assert one.q < 1e-6
    assert one.why == "95 % of waterbird show lake in the data, 50 % in the shift split"


ALONE = Classes(HALF, None)
PLAIN = {
    name: Seen(at_rates(low, high, seed=seed), None)
    for seed, (name, low, high) in enumerate((("lake", 0.05, 0.95), ("reed", 0.1, 0.7), ("mud", 0.2, 0.5)))
}  # fmt: skip


def test_without_a_shift_split_the_measured_effect_ranks_and_with_one_it_does_not() -> None:
    effects = {"lake": 0.1, "reed": 2.5, "mud": -0.3}
    candidates = [candidate(name) for name in effects]
    asked: list[str] = []

    def effect(one: Candidate) -> float:
        asked.append(str(one.concept))
        return effects[str(one.concept)]

    found = ranked(candidates, PLAIN, ALONE, effect=effect)
    assert [(str(one.concept), one.effect) for one in found] == [("reed", 2.5), ("lake", 0.1), ("mud", -0.3)]
    assert [one.number for one in found] == [0, 1, 2]
    assert "without its parts the margin of waterbird changes by -2.50" in found[0].why
    assert [str(one.concept) for one in ranked(candidates, PLAIN, ALONE)] == ["lake", "reed", "mud"]
    assert all(one.effect is None for one in ranked(candidates, PLAIN, ALONE))
    asked.clear()
    (split,) = ranked([candidate("lake")], SEEN, effect=effect)
    assert (split.effect, asked) == (None, []), "there the gap to the shift split is the ground"


class _Linear:
    """A model whose logits are a matrix times its parts; cut parts are set to zero."""

    weight = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0], [0.5, 0.5, 0.5]])

    def take(self, held: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return held[rows]

    def answer(self, held: np.ndarray, change: Change | None = None) -> np.ndarray:
        kept = np.array([change is None or part not in change.parts for part in range(3)])
        return (held * kept) @ self.weight.T


def test_the_effect_is_what_the_margin_loses_on_the_classes_exploring_items() -> None:
    held = np.random.default_rng(0).random((COUNT, 3))
    half = np.arange(COUNT) % 4 < 2
    effect = cut_effect(_Linear(), held, HALF, half, "zero")
    own = [row for row in range(COUNT) if HALF[row] == WATER and half[row]][:MEASURED_ON]

    def margin(row: int, parts: tuple[int, ...]) -> float:
        logits = [sum(w * x for n, (w, x) in enumerate(zip(ws, held[row], strict=True)) if n not in parts)
                  for ws in _Linear.weight]  # fmt: skip
        return logits[WATER] - (logits[0] + logits[2]) / 2

    for parts in ((1,), (0, 2), (0, 1, 2), (1,)):
        literal = sum(margin(row, ()) - margin(row, parts) for row in own) / len(own)
        assert effect(candidate("lake", parts=parts)) == pytest.approx(literal)
    nobody = effect(candidate("lake", 2, parts=(1,)))
    assert np.isfinite(nobody), "a class without an item is measured on the others"


def test_for_the_other_class_it_is_none() -> None:
    """Landbirds show the lake less in the data than in the shift split."""
    assert ranked([candidate("lake", LAND)], SEEN) == []


@pytest.mark.parametrize(("there", "expected"), [(0.94 - GAP, ["lake"]), (0.96 - GAP, [])])
def test_the_gap_has_a_least_size(there: float, expected: list[str]) -> None:
    seen = {"lake": Seen(at_rates(0.05, 0.95), at_rates(0.05, there))}
    assert [str(each.concept) for each in ranked([candidate("lake")], seen)] == expected


def test_a_large_gap_in_few_items_is_chance() -> None:
    """Of three against three items the same shares are no evidence; of 200 they are."""
    few = Seen(np.array([True, True, True]), np.array([True, False, True]))
    small = Classes(np.full(3, WATER), np.full(3, WATER))
    assert ranked([candidate("lake")], {"lake": few}, small) == []
    many = Seen(np.repeat(few.data, 60), np.repeat(few.shift, 60))  # type: ignore[arg-type]
    assert len(ranked([candidate("lake")], {"lake": many}, Classes(np.full(180, WATER), np.full(180, WATER)))) == 1


def test_the_more_candidates_the_more_a_p_must_be() -> None:
    """Twelve against twenty items: enough alone, too little among fifty that show nothing."""
    weak = Seen(np.arange(20) < 18, np.arange(20) < 12)
    small = Classes(np.full(20, WATER), np.full(20, WATER))
    still = Seen(np.arange(20) < 10, np.arange(20) < 10)
    others = [candidate(f"c{n}") for n in range(50)]
    seen = {"lake": weak} | {f"c{n}": still for n in range(50)}
    assert len(ranked([candidate("lake")], seen, small)) == 1
    assert ranked([candidate("lake"), *others], seen, small) == []


def test_ranks_go_by_the_gap_then_the_shorter_then_the_name() -> None:
    rates = {"a": 0.7, "b": 0.4, "c": 0.4, "a AND b": 0.4}
    seen = {
        name: Seen(at_rates(0.0, 0.9, seed=n), at_rates(0.0, rate, seed=10 + n))
        for n, (name, rate) in enumerate(rates.items())
    }
    order = [str(each.concept) for each in ranked([candidate(name) for name in ("a", "a AND b", "c", "b")], seen)]
    assert order[-1] == "a"
    # Of nearly the same items is which is there first; here no two overlap so far.
    assert order[:3] == ["b", "c", "a AND b"]
    numbered = ranked([candidate(name) for name in rates], seen, most=2)
    assert [(each.number, str(each.concept)) for each in numbered] == [(0, "b"), (1, "c")]


def test_concepts_of_the_same_items_are_one_suspect_with_all_the_parts() -> None:
    """Water and lake lie together; the one with the larger gap stays and takes the other's parts over."""
    copied = CUE.data.copy()
    copied[np.flatnonzero(copied)[:10]] = False
    seen = {"lake": CUE, "water": Seen(copied, CUE.shift), "beak": TRUE}
    both = [candidate("water", parts=(3, 5)), candidate("lake", parts=(7, 3))]
    (one,) = ranked(both, seen)
    assert (str(one.concept), one.parts) == ("lake", (7, 3, 5))
    far = at_rates(0.05, 0.95, seed=50)
    far[np.flatnonzero(far)[:60]] = False
    far[np.flatnonzero(~far & (HALF == LAND))[:40]] = True
    apart = seen | {"water": Seen(far, CUE.shift)}
    assert len(ranked(both, apart, fdr=0.5)) == 2, "of other items it is another"
    mirrored = [candidate("lake"), Candidate(LAND, Leaf("water"), (1,), 1.0)]
    swapped = seen | {"water": Seen(~CUE.data, ~CUE.shift)}  # type: ignore[operator]
    assert {each.target for each in ranked(mirrored, swapped)} == {LAND, WATER}


def test_of_another_class_the_same_items_are_another_suspect() -> None:
    data = Seen(np.ones(COUNT, bool), np.arange(COUNT) % 4 < 2)
    both = [candidate("lake", WATER), candidate("lake", LAND)]
    assert [each.target for each in ranked(both, {"lake": data})] == [WATER, LAND]


def test_what_the_allow_list_names_is_no_suspect_alone() -> None:
    seen = SEEN | {"beak AND lake": CUE, "beak AND NOT lake": CUE}
    every = [candidate(name) for name in ("lake", "beak AND lake", "beak AND NOT lake")]

    def names(found: list[Suspect]) -> set[str]:
        return {str(each.concept) for each in found}

    assert names(ranked(every[:1], seen, allowed={WATER: frozenset({"beak"})})) == {"lake"}
    assert ranked(every, seen, allowed={WATER: frozenset({"beak", "lake"})}) == []
    assert names(ranked(every[:1], seen, allowed={LAND: frozenset({"lake"})})) == {"lake"}, "the other class's list"
    assert names(ranked(every[:1], seen, allowed={WATER: frozenset()})) == {"lake"}
    part = ranked([every[1]], seen, allowed={WATER: frozenset({"beak"})})
    assert names(part) == {"beak AND lake"}, "all of it must be allowed"


def test_without_a_shift_split_what_goes_with_the_class_is_suspect() -> None:
    seen = {name: Seen(each.data, None) for name, each in SEEN.items()}
    seen["beak"] = Seen(at_rates(0.05, 0.7), None)
    seen["sky"] = Seen(at_rates(0.5, 0.6), None)
    classes = Classes(HALF, None)
    every = [candidate(name) for name in seen]
    found = ranked(every, seen, classes)
    assert {str(each.concept) for each in found} == {"beak", "lake"}, "the sky is everywhere"
    assert all(each.shift is None and each.q is None for each in found)
    assert found[0].why == "95 % of waterbird show lake, and 5 % of the others; it is on no allow-list"
    allowed = ranked(every, seen, classes, allowed={WATER: frozenset({"beak"})})
    assert [str(each.concept) for each in allowed] == ["lake"]


def test_items_of_unknown_class_are_counted_nowhere() -> None:
    """Their class is -1."""
    unknown = np.where(np.arange(COUNT) < 100, -1, HALF)
    seen = {"lake": Seen(np.where(np.arange(COUNT) < 100, True, CUE.data), None)}
    (one,) = ranked([candidate("lake")], seen, Classes(unknown, None))
    assert one.share == CUE.data[100:][HALF[100:] == WATER].mean()
    assert one.others == CUE.data[100:][HALF[100:] == LAND].mean()


def test_a_rare_cue_is_told_by_the_items_that_show_it() -> None:
    """One waterbird in twenty shows a boat, and nothing else does: seen from the class there is no gap."""
    rare = Seen(at_rates(0.0, 0.05), at_rates(0.05, 0.05))
    assert ranked([candidate("boat")], {"boat": rare}) == []
    (one,) = ranked([candidate("boat")], {"boat": rare}, given="concept")
    assert (one.share, one.others, one.shift) == (1.0, 0.5, 0.5)
    assert one.why == "100 % of the items with boat are waterbird in the data, 50 % in the shift split"
    (alone,) = ranked([candidate("boat")], {"boat": Seen(rare.data, None)}, Classes(HALF, None), given="concept")
    assert (alone.share, alone.others, alone.shift) == (1.0, 0.5, None)
    assert alone.why == "100 % of the items with boat are waterbird, and 50 % of all items; it is on no allow-list"
    even = {"boat": Seen(at_rates(0.05, 0.05), at_rates(0.05, 0.05))}
    assert ranked([candidate("boat")], even, given="concept") == []


def test_where_nothing_is_labelled_the_loudest_come_first() -> None:
    none = Seen(np.zeros(COUNT, bool), np.zeros(COUNT, bool))
    seen: dict[str, Seen] = {"a": none, "b": none, "c": none}
    found = ranked([candidate("a", loudness=1.0), candidate("b", loudness=3.0), candidate("c", loudness=2.0)], seen,
                   labelled=False, most=2)  # fmt: skip
    assert [str(each.concept) for each in found] == ["b", "c"], "what is nowhere is not alike"
    assert "not labelled" in found[0].why
    assert ranked([candidate("a"), candidate("b")], seen) == []


def test_nothing_to_rank() -> None:
    assert ranked([], {}) == []
    empty = Seen(np.zeros(0, bool), np.zeros(0, bool))
    nothing = Classes(np.zeros(0, int), np.zeros(0, int))
    for given in ("class", "concept"):
        assert ranked([candidate("lake")], {"lake": empty}, nothing, given=given) == []


def detector(world: Any, *, stated: tuple[str, ...] = (), beside: tuple[str, ...] = ()) -> UnitDetector:
    """The detector of a world's unit."""
    return UnitDetector(world.table, Fires(*world.activity), [parse(text) for text in stated], list(beside))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("formula", ["c0", "c1 AND c2", "c3 AND NOT c0", "(c0 OR c4) AND c1"])
def test_lift_is_the_literal_ratio_of_counts(seed: int, formula: str) -> None:
    world = small_world(seed)
    held = np.array([
        eval(formula.replace("AND NOT", "and not").replace("AND", "and").replace("OR", "or"), {},
             {name: bool(column[n]) for name, column in world.columns.items()})
        for n in range(len(world.unit))
    ])  # fmt: skip
    fired = [bool(fires) for fires, holds in zip(world.unit, held, strict=True) if holds]
    lift, count = detector(world).lift(parse(formula))
    assert count == len(fired)
    often = sum(world.unit) / len(world.unit)
    assert lift == pytest.approx((sum(fired) / len(fired)) / often if fired and often else 0.0)


def planted() -> Any:
    """A unit that fires on cars alone, and ten times as much on red cars."""
    generator = np.random.default_rng(0)
    names = ("blue", "car", "grass", "red", "road")
    columns = {name: generator.random(20_000) < 0.2 for name in names}
    unit = columns["car"] & (generator.random(20_000) < np.where(columns["red"], 0.9, 0.09))
    table, row_of = table_of(columns)
    category = {"red": "color", "blue": "color"}
    concepts = tuple(Concept(name, category.get(name, "object")) for name in sorted(columns))
    table = SignatureTable(concepts, table.indptr, table.indices, table.weight)
    rows, counts = np.unique(row_of[unit], return_counts=True)
    return table, Fires(rows.astype(np.int32), counts.astype(np.int64))


def texts_of(found: list[Formula]) -> list[str]:
    return [str(each) for each in found]


def test_a_unit_of_red_cars_detects_the_pair_before_the_words() -> None:
    table, fires = planted()
    one = UnitDetector(table, fires, [Leaf("car")], ["red", "grass", "blue", "road"])
    assert isinstance(one, Detector)
    found = one.formulas(frozenset())
    assert texts_of(found)[:3] == ["car AND red", "car", "red"]
    lifts = [one.lift(each)[0] for each in found]
    assert lifts == sorted(lifts, reverse=True)
    assert min(lifts) >= LIFT
    assert one.lift(Leaf("grass"))[0] < LIFT, "it was there to be taken"
    assert texts_of(one.formulas(frozenset({"red"}))) == ["car"]
    assert texts_of(one.formulas(frozenset({"car"}))) == ["red"]


def test_a_pair_that_is_no_sharper_than_its_words_is_left_out() -> None:
    """Cars and grass are independent to the unit, and two of one category make no pair."""
    table, fires = planted()
    one = UnitDetector(table, fires, [Leaf("car"), Leaf("grass")], [])
    assert texts_of(one.formulas(frozenset())) == ["car"]
    renamed = tuple(Concept(concept.name, "object") for concept in table.concepts)
    same = SignatureTable(renamed, table.indptr, table.indices, table.weight)
    assert texts_of(UnitDetector(same, fires, [Leaf("car")], ["red"]).formulas(frozenset())) == ["car", "red"]


def test_a_word_that_only_goes_with_the_other_sharpens_nothing() -> None:
    """Most cars are red, and the unit fires on cars of any colour: red cars are no more to it than cars."""
    generator = np.random.default_rng(1)
    car = generator.random(20_000) < 0.2
    red = generator.random(20_000) < np.where(car, 0.6, 0.1)
    unit = car & (generator.random(20_000) < 0.5)
    plain, row_of = table_of({"car": car, "red": red})
    concepts = (Concept("car", "object"), Concept("red", "color"))
    table = SignatureTable(concepts, plain.indptr, plain.indices, plain.weight)
    rows, counts = np.unique(row_of[unit], return_counts=True)
    one = UnitDetector(table, Fires(rows.astype(np.int32), counts.astype(np.int64)), [Leaf("car")], ["red"])
    assert one.lift(parse("car AND red"))[0] > LIFT, "it fires there"
    assert texts_of(one.formulas(frozenset())) == ["car", "red"]


def test_what_names_the_unit_is_taken_apart() -> None:
    table, fires = planted()
    stated = [parse("(car OR grass) AND red"), parse("car AND NOT road")]
    found = texts_of(UnitDetector(table, fires, stated, []).formulas(frozenset()))
    assert {"car AND red", "NOT road AND car", "car", "red"} <= set(found)
    assert "grass AND red" in found, "red grass has some red cars on it"


def test_a_unit_that_never_fires_detects_nothing() -> None:
    table, _ = planted()
    silent = UnitDetector(table, Fires(np.zeros(0, np.int32), np.zeros(0, np.int64)), [Leaf("car")], ["red"])
    assert silent.lift(Leaf("car"))[0] == 0.0
    assert silent.formulas(frozenset()) == []
