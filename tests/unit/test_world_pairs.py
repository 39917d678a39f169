"""The planted world's sentence pairs: labels that follow, artefacts at their rates, edits that keep the truth."""

from __future__ import annotations

import itertools

import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.world.pairs import WorldPairs
from microtome.data.world.pairs_artefacts import ALL_ARTEFACTS, ARTEFACTS, shows_cue
from microtome.data.world.pairs_compose import pair_of, restated
from microtome.data.world.pairs_edit import counterfactual, with_idle
from microtome.data.world.pairs_forms import BROAD, LABELS, Claim, Entity, Facts, Form, NliPair, holds, true_label
from microtome.data.world.pairs_words import overlap, unique_words
from microtome.data.world.shortcuts import Split

COUNT = 480
NEGATIVE = {"no", "not", "nothing"}


def _pairs(split: Split, **options: object) -> list[NliPair]:
    world = WorldPairs(split, count=COUNT, **options)  # type: ignore[arg-type]
    return [world.pair(index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def heldout() -> list[NliPair]:
    return _pairs("heldout")


@pytest.fixture(scope="module")
def shift() -> list[NliPair]:
    return _pairs("shift")


def _facts(*entities: Entity) -> Facts:
    return Facts(entities, style=7)


BOATS = _facts(Entity("boat", 2, (("color", "red"), ("side", "left"))), Entity("car", 0), Entity("sky", 1))


@pytest.mark.parametrize(
    ("claim", "truth"),
    [
        (Claim("boat"), True),
        (Claim("boat", count=2), True),
        (Claim("boat", count=3), False),
        (Claim("boat", traits=(("color", "red"),)), True),
        (Claim("boat", traits=(("color", "blue"),)), False),
        (Claim("boat", traits=(("material", "striped"),)), None),
        (Claim("boat", traits=(("material", "striped"), ("color", "blue"))), False),
        (Claim("boat", traits=(("old", "yes"),)), None),
        (Claim("car"), False),
        (Claim("car", denials=1), True),
        (Claim("car", denials=2), False),
        (Claim("boat", denials=1), False),
        (Claim("boat", denials=2), True),
        (Claim("boat", traits=(("color", "blue"),), denials=1), True),
        (Claim("tree"), None),
        (Claim("tree", denials=1), None),
        (Claim("sky", traits=(("color", "blue"),)), None),
        (Claim("vehicle"), True),
        (Claim("vehicle", traits=(("color", "blue"),)), None),
        (Claim("vehicle", denials=1), False),
        (Claim("plant"), None),
    ],
)
def test_truth_of_a_claim(claim: Claim, truth: bool | None) -> None:
    assert holds(BOATS, claim) is truth


def test_a_false_claim_outweighs_an_open_one() -> None:
    true, open_, false = Claim("boat"), Claim("tree"), Claim("car")
    for several in itertools.product((true, open_, false), repeat=2):
        label = true_label(BOATS, Form(several, style=0, reworded=False))
        wanted = "contradiction" if false in several else "neutral" if open_ in several else "entailment"
        assert label == wanted


def test_labels_agree_with_every_world_that_the_premise_allows(heldout: list[NliPair]) -> None:
    """A literal twin: entailed = true however the premise's gaps are filled, contradicted = false however."""
    checked = 0
    for pair in heldout:
        claims = pair.form.claims
        if any(claim.subject in BROAD for claim in claims):
            continue
        gaps = sorted({gap for claim in claims for gap in _gaps(pair.facts, claim)})
        if len(gaps) > 6:
            continue
        outcomes = set()
        for filling in itertools.product((True, False), repeat=len(gaps)):
            world = dict(zip(gaps, filling, strict=True))
            outcomes.add(all(_plainly(pair.facts, claim, world) for claim in claims))
        # Two claims may share a gap and so settle each other; the labels are claim by claim.
        if len(gaps) == len([gap for claim in claims for gap in _gaps(pair.facts, claim)]):
            wanted = {frozenset({True}): "entailment", frozenset({False}): "contradiction"}
            assert pair.label == wanted.get(frozenset(outcomes), "neutral"), pair
            checked += 1
    assert checked > COUNT // 2


def _gaps(facts: Facts, claim: Claim) -> list[tuple[str, ...]]:
    entity = facts.about(claim.subject)
    if entity is None:
        return [(claim.subject, str(claim.count), *itertools.chain.from_iterable(claim.traits))]
    if entity.count == 0:
        return []
    said = dict(entity.traits)
    return [(claim.subject, name, value) for name, value in claim.traits if name not in said]


def _plainly(facts: Facts, claim: Claim, world: dict[tuple[str, ...], bool]) -> bool:
    """The claim's truth in one world, from first principles."""
    entity = facts.about(claim.subject)
    if entity is None:
        truth = world[_gaps(facts, claim)[0]]
    else:
        said = dict(entity.traits)
        truth = entity.count > 0 and claim.count in (None, entity.count)
        for name, value in claim.traits:
            if entity.count > 0:
                truth = truth and (said[name] == value if name in said else world[(claim.subject, name, value)])
    for _ in range(claim.denials):
        truth = not truth
    return truth


def test_every_three_pairs_hold_each_label_once(heldout: list[NliPair]) -> None:
    for start in range(0, COUNT, 3):
        assert {pair.label for pair in heldout[start : start + 3]} == set(LABELS)


@pytest.mark.parametrize("name", sorted(ARTEFACTS))
def test_an_artefact_goes_with_its_label_and_says_nothing_in_shift(
    name: str, heldout: list[NliPair], shift: list[NliPair]
) -> None:
    artefact = ARTEFACTS[name]
    assert _label_given_cue(name, heldout) == pytest.approx(artefact.in_training, abs=0.12)
    assert _label_given_cue(name, shift) == pytest.approx(artefact.in_shift, abs=0.16)
    of_label = [pair for pair in heldout if pair.label == artefact.label]
    assert sum(_shows(name, pair) for pair in of_label) / len(of_label) == pytest.approx(artefact.share, abs=0.14)


@pytest.mark.parametrize("name", sorted(ARTEFACTS))
def test_an_artefact_is_switched_off_alone(name: str) -> None:
    pairs = _pairs("heldout", artefacts=ALL_ARTEFACTS - {name})
    assert _label_given_cue(name, pairs) == pytest.approx(1 / 3, abs=0.16)
    for other in ALL_ARTEFACTS - {name}:
        assert _label_given_cue(other, pairs) == pytest.approx(ARTEFACTS[other].in_training, abs=0.12)


def _label_given_cue(name: str, pairs: list[NliPair]) -> float:
    shown = [pair.label for pair in pairs if _shows(name, pair)]
    return shown.count(ARTEFACTS[name].label) / len(shown)


def _shows(name: str, pair: NliPair) -> bool:
    return shows_cue(name, pair.premise, pair.hypothesis)


def test_cues_are_what_the_words_show() -> None:
    assert shows_cue("negation", "No car.", "There is no car.")
    assert not shows_cue("negation", "There is no car.", "There is a note.")
    assert shows_cue("leak", "", "The old boat is red.")
    assert not shows_cue("leak", "The old boat is red.", "The boat is golden.")
    assert overlap("A red boat is here", "a red boat, a boat") == 1.0
    assert overlap("a red boat", "!") == 0.0
    assert overlap("a red boat", "a blue car") == pytest.approx(1 / 3)
    assert not shows_cue("overlap", "a b c", "a b c d")  # exactly 75 %
    assert shows_cue("overlap", "a b c d", "a b c d e")


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("name", sorted(ARTEFACTS))
def test_counterfactuals_move_one_cue_and_keep_the_truth(name: str, on: bool, heldout: list[NliPair]) -> None:
    made = 0
    for pair in heldout:
        edited = counterfactual(pair, name, on=on)
        if _shows(name, pair) == on:
            assert edited is None
        if edited is None:
            continue
        made += 1
        assert edited.label == pair.label == true_label(edited.facts, edited.form)
        assert _shows(name, edited) == on
        assert all(_shows(other, edited) == _shows(other, pair) for other in ARTEFACTS if other != name)
        assert name == "leak" or edited.premise == pair.premise
    possible = sum(_shows(name, pair) != on for pair in heldout)
    assert made > 0.5 * possible


def test_the_control_adds_a_phrase_and_no_cue(heldout: list[NliPair]) -> None:
    for pair in heldout[:200]:
        control = with_idle(pair)
        if control is None:
            assert pair.form.idle
            continue
        assert control.label == pair.label
        assert unique_words(pair.hypothesis) <= unique_words(control.hypothesis)
        assert NEGATIVE.isdisjoint(unique_words(control.hypothesis) - unique_words(pair.hypothesis))


def test_words_of_denial_are_there_when_and_only_when_the_form_denies(heldout: list[NliPair]) -> None:
    for pair in heldout:
        denied = any(claim.denials for claim in pair.form.claims) or pair.form.idle in ("no doubt", "not surprisingly")
        assert _shows("negation", pair) == denied, pair
        said_absent = any(entity.count == 0 for entity in pair.facts.entities)
        assert bool(NEGATIVE & unique_words(pair.premise)) == said_absent, pair


def test_a_premise_restated_word_for_word_is_entailed(heldout: list[NliPair]) -> None:
    for pair in heldout[:200]:
        form = Form(tuple(restated(entity) for entity in pair.facts.entities), style=1, reworded=False)
        again = pair_of("again", pair.facts, form)
        assert again.label == "entailment"
        assert overlap(again.premise, again.hypothesis) >= 0.8


def test_texts_read_like_sentences(heldout: list[NliPair]) -> None:
    for pair in heldout:
        for text in (pair.premise, pair.hypothesis):
            assert text[0].isupper()
            assert text.endswith(".")
            assert "  " not in text
            assert not [word for word in (" a a", " a i", " an b", " an p") if word in text]
    assert len({pair.premise for pair in heldout}) > 0.9 * COUNT
    assert len({pair.hypothesis for pair in heldout}) > 0.75 * COUNT


def test_pairs_depend_on_seed_split_and_index_alone() -> None:
    short, long = WorldPairs("train", count=10), WorldPairs("train", count=100)
    assert [short.pair(i) for i in range(10)] == [long.pair(i) for i in range(10)]
    assert short.fingerprint() != long.fingerprint()
    assert WorldPairs("train", count=10, seed=1).pair(0) != short.pair(0)
    assert WorldPairs("heldout", count=10).pair(0).premise != short.pair(0).premise
    assert (len(long), long.key(3), long.classes) == (100, "train-000003", LABELS)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(OptionError, match="empty"):
        WorldPairs("train", count=0)
    with pytest.raises(OptionError, match="moon"):
        WorldPairs("train", count=3, artefacts=frozenset({"moon"}))
    with pytest.raises(OptionError, match="moon"):
        shows_cue("moon", "a", "b")
    with pytest.raises(DataError, match="no pair 3"):
        WorldPairs("train", count=3).pair(3)
