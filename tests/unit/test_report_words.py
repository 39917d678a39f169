"""Words and numbers of the report."""

from __future__ import annotations

import json

import pytest

from microtome.report import words
from microtome.report.charts import nice_ticks
from microtome.report.datafile import json_for_script
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
    row = {"status": "not named", "named": False, "fdr": 0.0001}
    assert words.verdict(row) == "Could well be chance"
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
