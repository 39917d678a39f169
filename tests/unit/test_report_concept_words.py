"""Concepts of text in plain words, and formulas taken apart."""

from __future__ import annotations

import pytest

from microtome.core.concept_words import Term, plain, plain_category, spoken, terms
from microtome.core.formula import Leaf, conjoin, disjoin, negate
from microtome.report.words import Marker


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hyp:tok:man", "“man” in the hypothesis"),
        ("pre:tag:NN", "a noun (NN) in the premise"),
        ("pre:tag:IN", "a preposition (IN) in the premise"),
        ("hyp:tag:JJ", "an adjective (JJ) in the hypothesis"),
        ("hyp:tag:XYZ", "the tag XYZ in the hypothesis"),
        ("oth:overlap:75", "more than 75 % of the hypothesis’s words shared with the premise"),
        ("oth:negation:hyp", "a negation word in the hypothesis"),
        ("oth:length:hyp-short", "a short hypothesis"),
        ("hyp:tok:::", "“::” in the hypothesis"),
        ("hyp:tok:{0}", "“{0}” in the hypothesis"),
        ("tok:\n", "“\n”"),
        ("tok:<0x0A>", "a line end"),
        ("line:60+", "characters from 60 of a line on"),
        ("depth:3+", "text 3+ brackets deep"),
        ("word:once", "the word “once”"),
        ("prev:the", "what follows “the”"),
        ("quotes", "text inside quotes"),
        ("NEIGHBOURS(hyp:tok:man)", "a word like “man” in the hypothesis"),
        ('NEIGHBOURS("hyp:tok:(")', "a word like “(” in the hypothesis"),
        ("water", "water"),
        ("scene:water", "scene:water"),
    ],
)
def test_a_concept_is_told_in_plain_words(name: str, said: str):
    assert plain(name) == said


def test_categories_of_images_keep_their_names():
    assert plain_category("hyp:tok") == "word of the hypothesis"
    assert plain_category("material") == "material"


def test_a_formula_is_told_in_plain_words():
    nobody, man = Leaf("hyp:tok:nobody"), Leaf("pre:tok:man")
    assert spoken(disjoin(nobody, man)) == "“nobody” in the hypothesis or “man” in the premise"
    assert spoken(conjoin(nobody, negate(man))) == "“nobody” in the hypothesis, but not “man” in the premise"
    assert spoken(Leaf("water")) == "water"


def test_terms_reads_back_what_a_formula_writes():
    hard = Leaf('hyp:tok:"(')
    formula = conjoin(disjoin(hard, Leaf("sports car")), negate(Leaf("hyp:tok:and")), hard)
    assert terms(str(formula)) == (Term('hyp:tok:"('), Term("sports car"), Term("hyp:tok:and"))
    near = terms('NEIGHBOURS(hyp:tok:man) AND NOT (NEIGHBOURS("hyp:tok:)") OR hyp:tok:man)')
    assert near == (Term("hyp:tok:man", True), Term("hyp:tok:)", True), Term("hyp:tok:man"))


def marker() -> Marker:
    names = ("hyp:tok:man", "hyp:tok:and", "pre:tok:man", "hyp:tok:in")
    rows = [{"concept": n, "category": n.rsplit(":", 1)[0], "predicted": False} for n in names]
    rows[0]["neighbours"] = ["hyp:tok:man", "hyp:tok:boy"]
    return Marker.of_concepts(rows, predicted_categories=[])


def test_concepts_are_found_in_a_phrase_and_never_its_own_joining_words():
    formula = conjoin(Leaf("hyp:tok:and"), Leaf("hyp:tok:in"), negate(Leaf("pre:tok:man")))
    pieces = marker().segments(spoken(formula), str(formula))
    assert [text for text, kind in pieces if kind == "concept"] == [
        "“and” in the hypothesis",
        "“in” in the hypothesis",
        "“man” in the premise",
    ]
    assert "".join(text for text, _ in pieces) == spoken(formula)


def test_neighbours_are_one_piece_whose_words_are_known():
    pieces = marker().segments("a word like “man” in the hypothesis", "NEIGHBOURS(hyp:tok:man)")
    assert pieces == (("a word like “man” in the hypothesis", "concept"),)
    assert marker().titles == {"a word like “man” in the hypothesis": "man, boy"}
    assert marker().leaves("NEIGHBOURS(hyp:tok:man) OR hyp:tok:and") == ("hyp:tok:man", "hyp:tok:and")
