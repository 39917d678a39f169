"""Words and numbers of the report."""

from __future__ import annotations

import json

import pytest

from microtome.core.explanation import Certificate
from microtome.core.measures import METRICS
from microtome.report import words
from microtome.report.charts import nice_ticks
from microtome.report.datafile import json_for_script
from microtome.report.glossary import GLOSSARY
from microtome.report.measure import MEASURES
from microtome.report.nouns import NOUNS
from microtome.report.parts.evidence import read_proof
from microtome.report.words import Marker


@pytest.fixture
def marker() -> Marker:
    rows = [
        {"concept": "car", "category": "object", "predicted": False},
        {"concept": "sports car", "category": "object", "predicted": False},
        {"concept": "sky", "category": "segment", "predicted": True},
        {"concept": "scene:sky", "category": "scene", "predicted": False},
        {"concept": "c++ (old)", "category": "segment", "predicted": True},
    ]
    return Marker.of_concepts(rows, predicted_categories=[])


def test_segments_join_to_the_phrase_and_mark_what_is_predicted(marker: Marker):
    pieces = marker.segments("car or sky that is not c++ (old)", "(car OR sky) AND NOT c++ (old)")
    assert "".join(text for text, _ in pieces) == "car or sky that is not c++ (old)"
    kinds = {text: kind for text, kind in pieces if kind != "plain"}
    assert kinds == {"car": "concept", "sky": "predicted", "c++ (old)": "predicted"}


def test_the_longest_name_wins(marker: Marker):
    assert [t for t, k in marker.segments("sports car", "sports car") if k == "concept"] == ["sports car"]
    assert marker.leaves("cars OR sports car") == ("sports car",)


def test_a_prefixed_concept_is_found_by_its_bare_word_and_keeps_its_own_category(marker: Marker):
    assert marker.segments("sky", "scene:sky") == (("sky", "concept"),)


def test_the_mark_is_never_lost_when_the_phrase_spells_the_concept_otherwise(marker: Marker):
    assert ("sky", "predicted") in marker.segments("the heavens", "sky")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.31, "0.31"), (0.0499, "0.05"), (0.0123, "0.012"), (0.00012, "0.00012"), (1e-9, "< 0.000001"), (None, "–")],
)
def test_probabilities_have_two_digits_and_no_exponent(value: float | None, text: str):
    assert words.probability(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.02, "in 50"), (0.0004, "in 2,500"), (0.7, "more often than not")])
def test_odds_in_words(p: float, text: str):
    assert text in words.odds(p)


def test_shares():
    assert [words.share(v) for v in (0.234, 0.041, 0.005, 0.0, None)] == [
        "23\u00a0%",
        "4.1\u00a0%",
        "0.5\u00a0%",
        "0\u00a0%",
        "–",
    ]


def test_verdicts_never_praise_what_is_not_named():
    for q, said in ((0.0001, "Not sure enough to be a name"), (0.4, "Could well be chance"), (None, "Could well")):
        assert words.verdict({"status": "not named", "named": False, "fdr": q}).startswith(said)
    assert words.verdict({"status": "named", "named": True, "fdr": 0.0001}) == "Almost certainly not chance"


@pytest.mark.parametrize(("low", "high"), [(0, 0.43), (0, 1), (-3, 17), (0, 123456)])
def test_ticks_are_round_and_within(low: float, high: float):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert low <= ticks[0]
    assert ticks[-1] <= high + 1e-9


def test_json_in_a_script_cannot_end_it_and_reads_back_the_same():
    nasty = {"a": "</script><!--", "b": "x\u2028y\u2029 & 'q' \"r\" \\"}
    text = json_for_script(nasty)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == nasty


def test_every_metric_that_a_search_takes_has_words_and_an_entry_in_the_glossary():
    assert set(MEASURES) == set(METRICS)
    assert set(MEASURES) <= set(GLOSSARY)
    for measure in MEASURES.values():
        said = measure.sentence("the name", 0.625, nouns=NOUNS["image"])
        assert "the name" in said
        assert "0.62" in said or "62" in said or "0.6" in said
        assert "{" not in said


def test_a_certificate_is_told_in_plain_words():
    """The text comes from the class that the search fills, so the two cannot drift apart."""
    best = (80763, 454316)
    same = read_proof(str(Certificate(best, 1, 32, 142_563_168, best, best)))
    assert same.sentences[0] == (
        "142,563,200 formulas were considered, 32 of them evaluated, the others ruled out by bounds."
    )
    assert "80,763 places; at 454,316 places" in same.sentences[1]
    assert same.sentences[2:] == ("A beam search finds the same.",)
    # In each of two rounds every formula was looked at anew, and counted once here.
    twice = read_proof(str(Certificate((4, 9), 2, 10, 190, (3, 9), (7, 18))), nouns=NOUNS["image"])
    assert twice.sentences[0].startswith("100 formulas were considered, 10 of them evaluated")
    assert "4 images" in twice.sentences[1]
    assert twice.sentences[2] == "A beam search falls short: an IoU of 0.3333 against 0.4444."
    assert "No beam could find it" in twice.sentences[3]
    assert "0.3889" in twice.sentences[3]
    every = read_proof(str(Certificate((4, 9), 1, 150, 0, (4, 9), (8, 18))))
    assert every.sentences[0] == "All 150 formulas were evaluated."
    assert len(every.sentences) == 3


def test_a_certificate_in_other_words_is_kept_as_it_is():
    proof = read_proof("nothing does better")
    assert proof.text == "nothing does better"
    assert proof.sentences == ()
