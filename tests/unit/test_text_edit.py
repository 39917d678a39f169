"""Edits of sentences: they read well, they change what they say, and concepts of edited texts are asked anew."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError, FormulaError, OptionError
from microtome.core.formula import leaves
from microtome.core.parse import parse
from microtome.data.text.base import TextData
from microtome.data.text.edit import EditBook
from microtome.data.text.edit_file import UserEdit, read_edits
from microtome.data.text.edit_removal import removed
from microtome.data.text.edit_templates import inserted
from microtome.data.text.edit_words import Lexicon
from microtome.data.text.edit_world import world_of
from microtome.data.text.edited import Retold
from microtome.data.text.open import TextSettings, open_texts
from microtome.data.text.vectors import Vectors
from microtome.data.text.words import passage_of
from microtome.data.world.pairs_artefacts import shows_cue

PEOPLE = ("man", "woman", "boy", "girl", "dog", "actor")
DOINGS = ("walking", "sleeping", "reading", "running")
PLACES = ("in the park", "on a bench", "near the house", "with two friends")
MANY = (
    "Two men are sitting.",
    "Three old women are singing loudly near the house with two friends.",
    "The black dogs run.",
    "He holds a red ball.",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TextData:
    """96 pairs of everyday sentences, some of them negated."""
    rows = []
    for k, (who, doing, place) in enumerate(product(PEOPLE, DOINGS, PLACES)):
        other = PEOPLE[(k // 3) % len(PEOPLE)]
        hypothesis = (f"The {other} is {doing}.", f"Nobody is {doing} {place}.", MANY[k % 4])[k % 3]
        rows.append({"premise": f"A {who} is {doing} {place}.", "hypothesis": hypothesis, "label": "neutral"})
    path = tmp_path_factory.mktemp("texts") / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    words = ("man", "woman", "boy", "girl", "dog", "actor", "nobody")
    near = Vectors(
        words, np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0, 1], [0.1, 1], [-1, -1]], np.float32)
    )
    return open_texts(path, TextSettings(neighbours=2), vectors=near)


@pytest.fixture(scope="module")
def retold(data: TextData) -> Retold:
    return Retold(data, TextSettings(neighbours=2))


@pytest.fixture(scope="module")
def lexicon(data: TextData) -> Lexicon:
    return Lexicon(passage for index in range(len(data)) for passage in data.read(index).sides)


INSERTIONS = [
    ("A man is outside.", "nobody", "Nobody is outside."),
    ("The men are sleeping.", "nobody", "Nobody is sleeping."),
    ("A man is outside.", "not", "A man is not outside."),
    ("A man sleeps.", "not", "It is not true that a man sleeps."),
    ("A man is outside.", "n't", "A man isn't outside."),
    ("A man is outside.", "no", "No man is outside."),
    ("The man is never alone.", "no", "No man is never alone."),
    ("A man sleeps.", "never", "A man never sleeps."),
    ("A man is outside.", "without", "A man is outside without anything."),
    ("A man is reading.", "dog", "A man is reading near a dog."),
    ("A man is reading", "actor", "A man is reading near an actor"),
    ("A man is reading.", "women", "A man is reading near women."),
    ("A man is reading.", "old", "An old man is reading."),
    ("An old man is reading.", "black", "A black old man is reading."),
    ("A man is reading.", "sleeping", "A man is reading and sleeping."),
    ("A man holds a ball.", "sleeping", "A man holds a ball while sleeping."),
    ("The men are sitting.", "two", "Two men are sitting."),
    ("A man is reading.", "two", "A man is reading with two others."),
    ("A man is in a park.", "near", "A man is near a park."),
    ("A man is reading.", "on", "A man is reading on something."),
    ("A man is reading.", "the", "The man is reading."),
    ("The men are sitting.", "he", "He is sitting."),
    ("A man is sitting.", "they", "They are sitting."),
    ("A man is sitting.", "outdoors", "A man is sitting outdoors."),
    ("A man is sitting", ".", "A man is sitting."),
    ("A man is sitting.", "and", "A man is sitting and something else."),
]


@pytest.mark.parametrize(("before", "word", "after"), INSERTIONS)
def test_a_word_goes_in_and_the_sentence_reads(before: str, word: str, after: str, lexicon: Lexicon) -> None:
    versions = list(inserted(lexicon.told(passage_of(before)), word, lexicon))
    assert versions[0] == after
    assert all(word in lexicon.told(passage_of(version)).words for version in versions)


REMOVALS = [
    ("Nobody is outside.", "nobody", "Someone is outside."),
    ("A man is not outside.", "not", "A man is outside."),
    ("A man isn't outside.", "n't", "A man is outside."),
    ("A man can't sleep.", "n't", "A man can sleep."),
    ("No man is outside.", "no", "A man is outside."),
    ("No dogs run.", "no", "The dogs run."),
    ("An old man is reading.", "old", "A man is reading."),
    ("The ball is red.", "red", "The ball is there."),
    ("A man is outside.", "man", "A person is outside."),
    ("A man holds a ball.", "ball", "A man holds a thing."),
    ("A man is sleeping.", "sleeping", "A man is moving."),
    ("Two men are sitting.", "two", "Men are sitting."),
    ("A man is in a park.", "in", "A man is near a park."),
    ("A man is outside.", "a", "The man is outside."),
    ("He is outside.", "he", "Someone is outside."),
    ("A man is singing loudly.", "loudly", "A man is singing."),
]


@pytest.mark.parametrize(("before", "word", "after"), REMOVALS)
def test_a_word_goes_and_the_sentence_reads(before: str, word: str, after: str, lexicon: Lexicon) -> None:
    versions = list(removed(lexicon.told(passage_of(before)), [word]))
    assert versions[0] == after
    assert not any(word in lexicon.told(passage_of(version)).words for version in versions)


def test_concepts_of_unedited_texts_are_those_of_the_data(data: TextData, retold: Retold) -> None:
    found = retold.concepts([data.texts(index) for index in range(len(data))])
    assert found == [frozenset(data.read(index).sets[0]) for index in range(len(data))]


def test_a_word_more_changes_that_concept_and_what_hangs_on_it(data: TextData, retold: Retold) -> None:
    pair = ("A man is walking in the park.", "The man is walking.")
    before, after = retold.concepts([pair, (pair[0], "Nobody is walking.")])
    names = [concept.name for concept in data.concepts]
    gone, new = ({names[k] for k in one} for one in (before - after, after - before))
    assert new == {"hyp:tok:nobody", "oth:negation:hyp"}
    assert {"hyp:tok:the", "hyp:tok:man", "oth:overlap:75", "oth:subset"} <= gone


FORMULAS = [
    "hyp:tok:nobody",
    "hyp:tok:man OR hyp:tok:dog",
    "pre:tok:park AND NOT hyp:tok:nobody",
    "NEIGHBOURS(hyp:tok:man)",
    "oth:overlap:75",
    "oth:subset",
    "oth:negation:hyp",
    "oth:length:hyp-short",
    "oth:longer:hyp",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_both_edits_of_a_term_flip_it_and_the_control_does_not(
    text: str, data: TextData, retold: Retold, lexicon: Lexicon
) -> None:
    """By the concepts of the edited text; the literal words are looked at in the tests of insertion and removal."""
    formula, book = parse(text), EditBook(data, retold, lexicon)
    items = [data.texts(index) for index in range(len(data))]
    for term in leaves(formula):
        plan = book.plan(term, formula)
        assert {edit.makes for edit in plan.edits} == {True, False}
        assert not plan.missing
        held = retold.holds(term, retold.concepts(items))
        for edit in plan.edits:
            flipped = steady = 0
            for item in (item for item, holds in zip(items, held, strict=True) if holds != edit.makes):
                sides = book.told(item)
                versions = list(edit.versions(sides))
                flipped += bool(versions) and (retold.holds(term, retold.concepts(versions)) == edit.makes).any()
                controls = list(edit.controls(sides, np.random.default_rng(0)))
                steady += bool(controls) and (retold.holds(term, retold.concepts(controls)) != edit.makes).any()
            assert flipped >= 3, edit.doing
            assert steady >= 3, edit.doing


def test_what_has_no_template_is_said(retold: Retold, data: TextData, lexicon: Lexicon, tmp_path: Path) -> None:
    assert data.level == "pair"
    odd = tmp_path / "odd.py"
    odd.write_text("def rhymes(pair):\n    return len(pair.premise.words) % 2 == 0\n", encoding="utf-8")
    settings = TextSettings(properties=(f"{odd}:rhymes",))
    texts = open_texts(data.card.spec, settings)
    plan = EditBook(texts, Retold(texts, settings), lexicon).plan(next(leaves(parse("rhymes"))), parse("rhymes"))
    assert plan.edits == ()
    assert plan.missing == ("There is no template for the concept 'rhymes'.",)


def test_a_control_word_is_drawn_by_the_seed(data: TextData, retold: Retold, lexicon: Lexicon) -> None:
    formula, book = parse("hyp:tok:man"), EditBook(data, retold, lexicon)
    edit, sides = book.plan(next(leaves(formula)), formula).edits[0], book.told(data.texts(1))
    one, two, other = (list(edit.controls(sides, np.random.default_rng(seed))) for seed in (3, 3, 4))
    assert one == two != other
    assert not any(" man" in hypothesis for _, hypothesis in one)


def test_formulas_of_other_data_are_named(retold: Retold) -> None:
    with pytest.raises(FormulaError, match="no concept 'hyp:tok:zebra'"):
        retold.members(next(leaves(parse("hyp:tok:zebra"))))
    with pytest.raises(FormulaError, match="no neighbours of 'hyp:tok:park'"):
        retold.members(next(leaves(parse("NEIGHBOURS(hyp:tok:park)"))))


def test_a_file_of_edits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "edits.tsv"
    path.write_text(
        "unit\tside\taction\tword\treplacement\n3\thypothesis\tinsert\tNobody\n*\tpremise\treplace\tman\tdog\n"
    )
    assert read_edits(path, pairs=True) == (
        UserEdit(3, "hyp", "insert", "nobody", None, 2), UserEdit(None, "pre", "replace", "man", "dog", 3)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("3\thypothesis\tinsert", "has 3 fields"),
        ("x\thypothesis\tinsert\tdog", "the unit is 'x'"),
        ("3\ttext\tinsert\tdog", "the side is 'text'"),
        ("3\tpremise\tadd\tdog", "the action is 'add'"),
        ("3\tpremise\tinsert\ttwo dogs", "'two dogs' is 2 words"),
        ("3\tpremise\treplace\tdog", "'' is 0 words"),
        ("3\tpremise\tinsert\tdog\tcat", "takes no replacement"),
    ],
)
def test_a_bad_line_of_edits_is_named(line: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "edits.tsv"
    path.write_text(f"# mine\n{line}\n")
    with pytest.raises(DataError, match=r"edits\.tsv, line 2") as error:
        read_edits(path, pairs=True)
    assert what in error.value.what


def test_tokens_are_not_edited(data: TextData) -> None:
    data.level = "token"
    try:
        with pytest.raises(OptionError, match="tokens, which are not edited"):
            Retold(data, TextSettings())
    finally:
        data.level = "pair"


def test_sentences_are_edited_too(tmp_path: Path) -> None:
    path = tmp_path / "reviews.tsv"
    lines = [f"{who} is {doing} {place}." for who, doing, place in product(PEOPLE, DOINGS, PLACES)]
    path.write_text("text\n" + "\n".join(f"A {line}" if k % 2 else "Nobody sleeps." for k, line in enumerate(lines)))
    texts = open_texts(path)
    told = Retold(texts, TextSettings())
    book = EditBook(texts, told, Lexicon(texts.read(k).sides[0] for k in range(len(texts))))
    expected = {"tok:man": ("A dog is reading.", "A dog is reading with a man."),
                "negation": ("A dog is reading.", "A dog is not reading."),
                "length:short": ("A dog is reading near the house.", "A dog is reading.")}  # fmt: skip
    for name, (before, after) in expected.items():
        plan = book.plan(next(leaves(parse(name))), parse(name))
        found = [version for edit in plan.edits if edit.makes for version in edit.versions(book.told((before,)))]
        flipped = told.holds(parse(name), told.concepts(found))
        assert next(version for version, holds in zip(found, flipped, strict=True) if holds) == (after,)


def test_tags_of_edited_texts_come_from_the_tagger(tmp_path: Path) -> None:
    nltk = pytest.importorskip("nltk")
    assert nltk
    lines = []
    for who, doing in product((*PEOPLE, "red", "old"), DOINGS):
        tags = [("A", "DT"), (who, "JJ" if who in ("red", "old") else "NN"), ("is", "VBZ"), (doing, "VBG"), (".", ".")]
        rows = (f"{k}\t{word}\t{word}\t_\t{tag}\t_\t0\t_\t_\t_" for k, (word, tag) in enumerate(tags, start=1))
        lines.append("\n".join(rows) + "\n")
    gold = tmp_path / "gold.conllu"
    gold.write_text("\n".join(lines) + "\n")
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"premise": f"A {a} is reading.", "hypothesis": f"A {b} {a} is {c}.", "label": "neutral"}
            for a, b, c in product(PEOPLE, ("red", "old", ""), DOINGS)]  # fmt: skip
    pairs.write_text("\n".join(json.dumps(row).replace("  ", " ") for row in rows))
    settings = TextSettings(tagger=f"nltk:{gold}")
    texts = open_texts(pairs, settings)
    told = Retold(texts, settings)
    assert told.concepts([texts.texts(5)]) == [frozenset(texts.read(5).sets[0])]
    book = EditBook(texts, told, Lexicon(side for k in range(len(texts)) for side in texts.read(k).sides))
    formula = parse("hyp:tag:JJ")
    into, out = book.plan(next(leaves(formula)), formula).edits
    plain, dressed = ("A man is reading.", "A man is sleeping."), ("A man is reading.", "A red man is sleeping.")
    assert told.holds(formula, told.concepts(list(into.versions(book.told(plain))))).any()
    assert next(iter(out.versions(book.told(dressed)))) == plain
    bare = book.plan(next(leaves(formula)), formula)
    assert not bare.missing
    untagged = EditBook(texts, Retold(texts, TextSettings(tagger="none")), Lexicon([]))
    assert "no tagger gives edited texts" in untagged.plan(next(leaves(formula)), formula).missing[0]


def test_pairs_of_the_planted_world_are_edited_by_their_grammar() -> None:
    """The texts are those of the world, the label that its logic computes stays, the cue comes and goes."""
    texts = open_texts("world:heldout@60?seed=3")
    world = world_of(texts)
    assert world is not None
    seen = 0
    for index in range(len(texts)):
        pair = world.pair(texts.texts(index))
        assert (pair.premise, pair.hypothesis) == texts.texts(index)
        for on in (True, False):
            edited = world.cued(texts.texts(index), "overlap", on=on)
            if edited is not None:
                assert shows_cue("overlap", *edited) == on != shows_cue("overlap", *texts.texts(index))
                seen += 1
    assert seen >= 20


def test_other_texts_have_no_grammar(data: TextData) -> None:
    assert world_of(data) is None
