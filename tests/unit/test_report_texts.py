"""The report of runs on texts: passages, artefacts, edits, and no word of pictures."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from microtome.core.errors import RunError
from microtome.report.datafile import FIELDS
from microtome.report.glossary import GLOSSARY, glossary_of
from microtome.report.notebook import notebook_view
from microtome.report.nouns import NOUNS
from microtome.report.pages import write_report
from microtome.report.parts.findings import artefacts, correlations
from microtome.report.parts.passages import Piece, passages
from microtome.report.parts.rewording import changed
from microtome.report.view import read_run
from tests.support.fake_run import FakeRun, write_fake_run
from tests.support.fake_text_run import NASTY, FakeTextRun, write_fake_text_run

PICTURES = re.compile(r"\b(images?|pictures?|places?|pixels?|outlined|dashed)\b", re.IGNORECASE)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return write_fake_text_run(tmp_path / "pairs", FakeTextRun())


def body(page: Path) -> str:
    """The words of a page, without markup."""
    text = page.read_text(encoding="utf-8")
    text = text[text.index("<body") :]
    text = re.sub(r"<script.*?</script>|<style.*?</style>", " ", text, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", html.unescape(re.sub(r"<[^>]+>", "", text)))


def section(page: Path, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, name
    return found.group()


def rewrite(run: Path, name: str, **values: object) -> None:
    """Set columns of a table to one value in all rows."""
    table = pq.read_table(run / f"{name}.parquet")
    rows = [{**row, **values} for row in table.to_pylist()]
    pq.write_table(table.from_pylist(rows, schema=table.schema), run / f"{name}.parquet")


@pytest.mark.parametrize("kind", ["pair", "sentence", "token"])
def test_a_run_on_texts_never_speaks_of_pictures(tmp_path: Path, kind: str):
    run = write_fake_text_run(tmp_path / "run", FakeTextRun(kind=kind))
    write_report(run)
    for page in [run / "index.html", *(run / "report" / "units").iterdir()]:
        assert not (found := PICTURES.findall(body(page))), (page, found)
        assert "{" not in body(page).replace("{0}", "")
        assert "<img" not in page.read_text(encoding="utf-8")
    assert "Fires on" in body(run / "report" / "units" / "00000.html")


def test_the_glossary_of_images_stays_and_that_of_texts_has_what_is_asked_for():
    assert glossary_of(NOUNS["pixel"]) is GLOSSARY
    for kind in ("pair", "sentence", "token"):
        entries = glossary_of(NOUNS[kind])
        assert {kind, "artefact", "neighbours", "control", "interval"} <= set(entries)
        assert set(GLOSSARY) <= set(entries)
        assert not [text for _, text in entries.values() if "{" in text]


def test_a_pair_stands_on_two_lines_with_what_the_formula_names_marked(pairs: Path):
    write_report(pairs)
    part = section(pairs / "report" / "units" / "00000.html", "top-images")
    assert "Top pairs" in part
    first = part[part.index("<li") : part.index("</li>")]
    assert first.index("premise") < first.index("Two men in blue shirts") < first.index("hypothesis")
    assert "<mark>Nobody</mark> is on the <mark>roof.</mark>" in first
    assert re.search(r"label <b>entailment</b>.*answer <b>entailment</b>", first, re.DOTALL)
    assert "✓" in first
    assert "Named by the formula: Nobody, roof." in first
    assert part.count("✗") == sum(not row["right"] for row in _exemplars(pairs, 0, "top"))


def _exemplars(run: Path, unit: int, kind: str) -> list[dict]:
    return [row for row in read_run(run).units[unit].lead.exemplars if row["kind"] == kind]


def test_tokens_carry_their_activation_and_more_than_a_colour(tmp_path: Path):
    run = write_fake_text_run(tmp_path / "run", FakeTextRun(kind="token"))
    write_report(run)
    part = section(run / "report" / "units" / "00000.html", "top-images")
    assert '<span class="heat-5 is-active" title="activation 5.5"' in part
    assert re.search(r'<mark[^>]*class="heat-3"[^>]*> time</mark>', part)
    assert "Underlined" in part
    assert "The unit fires on: , (activation 3.5), there (activation 4.5)" in part
    assert '<i class="sign" aria-hidden="true">↵</i>' in part
    view = read_run(run)
    unit = view.units[0]
    shown = passages(view, unit, unit.lead, "top")[0]["sides"][0]
    texts = unit.lead.passages[0]["pieces"]
    assert "".join(piece.text for piece in shown["pieces"]) == "".join(texts[: len(texts) - shown["right"]])
    assert shown["right"] == len(texts) - (4 + 24 + 1)


def test_levels_follow_the_unit_and_not_the_passage(tmp_path: Path):
    run = write_fake_text_run(tmp_path / "run", FakeTextRun(kind="token"))
    rewrite(run, "units", max=30.0)
    view = read_run(run)
    pieces = passages(view, view.units[0], view.units[0].lead, "top")[0]["sides"][0]["pieces"]
    assert max(piece.level for piece in pieces) == 1
    rewrite(run, "units", max=6.0)
    view = read_run(run)
    pieces = passages(view, view.units[0], view.units[0].lead, "top")[0]["sides"][0]["pieces"]
    assert max(piece.level for piece in pieces) == 5


def test_what_could_not_be_seen_gets_a_sign():
    assert Piece(" ", active=True).parts == (("␣", True),)
    assert Piece("", active=True).parts == (("∅", True),)
    assert Piece(" a\nb").parts == ((" a", False), ("↵", True), ("\n", False), ("b", False))
    assert "".join(text for text, sign in Piece(" a b ").parts if not sign) == " a b "


def test_cards_hold_the_top_passage_cut_around_what_matters(tmp_path: Path):
    run = write_fake_text_run(tmp_path / "run", FakeTextRun(kind="token"))
    write_report(run)
    entries = _entries(run)
    ((side, pieces),) = entries[0]["excerpt"]
    assert side == ""
    assert 40 < sum(len(text) for text, _ in pieces) < 160
    assert {kind for _, kind in pieces} >= {0, 2}
    unnamed = next(entry for entry in entries if entry["status"] == "not named")
    assert not any(kind & 1 for _, pieces in unnamed["excerpt"] for _, kind in pieces)
    assert next(entry for entry in entries if entry["status"] == "skipped")["excerpt"] == []


def _entries(run: Path) -> list[dict]:
    text = (run / "report" / "units.js").read_text(encoding="utf-8")
    data = json.loads(text.removeprefix("window.microtomeUnits = ").removesuffix(";\n"))
    return [dict(zip(FIELDS, entry, strict=True)) for entry in data["units"]]


def test_skipped_units_say_why_everywhere(pairs: Path):
    write_report(pairs)
    text = body(pairs / "report" / "units" / "00003.html")
    assert "Skipped." in text
    assert "It fires on 12 pairs, fewer than 500." in text
    index = body(pairs / "index.html")
    assert "2 units were skipped, since they fire on too few pairs." in index
    assert "units that fire on fewer than 500 pairs are skipped" in index
    assert "wherever its activation is above 0" in index


def test_artefacts_are_sorted_by_strength_and_weak_ones_left_out(pairs: Path):
    view = read_run(pairs)
    found = artefacts(view)
    assert found is not None
    listed = [*found["rows"], *found["more"]]
    gaps = [abs(one["row"]["share"] - one["row"]["base"]) for one in listed]
    assert gaps == sorted(gaps, reverse=True)
    concepts = [one["row"]["concept"] for one in listed]
    assert len(concepts) == len(set(concepts)) == 9
    assert "pre:tag:NN" not in concepts  # 12 pairs only
    assert found["first"] == (
        "Of the 400 pairs with “nobody” in the hypothesis, 85\u00a0% are labelled contradiction (95\u00a0% interval "
        "81\u00a0% to 89\u00a0%), against 33\u00a0% of all pairs; the network answers contradiction for 95\u00a0% "
        "of them."
    )
    rewrite(pairs, "artefacts", low=0.0, high=1.0)
    assert artefacts(read_run(pairs)) is None


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.4, -0.1, "the less often the network is right"), (0.1, 0.4, "the more often"), (-0.1, 0.2, "nothing sure")],
)
def test_a_correlation_is_told_by_its_interval(pairs: Path, low: float, high: float, said: str):
    rewrite(pairs, "correlations", pearson_low=low, pearson_high=high)
    found = correlations(read_run(pairs))
    assert found is not None
    assert said in found["sentence"]


def test_proof_by_editing_is_told_in_plain_words_with_its_control(pairs: Path):
    write_report(pairs)
    page = pairs / "report" / "units" / "00000.html"
    text = body(page)
    assert "Putting “nobody” into the hypothesis raises the unit from 0.11 to 3.42, on average over 240 pairs" in text
    assert "a control word changes it by +0.05 (−0.02 to +0.12, 95\u00a0% interval)" in text
    assert "The unit fires on 10\u00a0% of them before and on 93\u00a0% after." in text
    assert "changes in 64\u00a0% of the pairs" in text
    assert "against 4\u00a0% with the control word" in text
    assert "confirmed: the unit moves as its name says" in text
    part = section(page, "editing")
    assert "<del>The man</del> is sleeping." in part
    assert "<ins>Nobody</ins> is sleeping." in part


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"difference_low": -0.1, "difference_high": 0.2}, "not confirmed"),
        ({"difference_low": -3.0, "difference_high": -2.0}, "contradicted"),
        ({"difference_low": -3.0, "difference_high": -2.0, "turns": "false"}, "confirmed: "),
        ({"turns": None}, ""),
    ],
)
def test_an_edit_confirms_a_name_only_beyond_its_control(pairs: Path, values: dict, said: str):
    rewrite(pairs, "edits", **values)
    write_report(pairs)
    part = section(pairs / "report" / "units" / "00000.html", "editing")
    verdicts = re.findall(r'<span class="quiet">((?:not )?(?:confirmed|contradicted)[^<]*)', part)
    assert verdicts == [] if not said else verdicts[0].startswith(said)


def test_edits_of_a_user_are_told_in_the_users_words(pairs: Path):
    rewrite(pairs, "edits", edit="swapping <b> sides", term=None)
    write_report(pairs)
    assert "Swapping <b> sides raises the unit" in body(pairs / "report" / "units" / "00000.html")


def test_class_weights_point_both_ways_in_the_order_of_the_classes(pairs: Path):
    write_report(pairs)
    part = section(pairs / "report" / "units" / "00000.html", "class-weights")
    assert "speaks most for entailment and most against contradiction" in part
    assert part.index(">entailment<") < part.index(">neutral<") < part.index(">contradiction<")
    assert re.findall(r'class="signed (\w+)"', part) == ["for", "against", "against"]
    assert "−0.740" in part


def test_adversarial_pairs_come_with_rates_and_examples(pairs: Path):
    write_report(pairs)
    text = body(pairs / "index.html")
    assert "“put nobody into the hypothesis” makes the network answer wrongly on 83\u00a0% of 220 pairs" in text
    assert "against 8\u00a0% before the edit and 10\u00a0% with a control edit" in text
    part = section(pairs / "index.html", "adversarial")
    assert part.index("put nobody") < part.index("cut the premise short")
    assert "<ins>Nobody says that the</ins> man is sleeping." in part


def test_all_new_tables_may_be_missing_and_a_broken_one_is_named(pairs: Path):
    optional = ("passages", "artefacts", "class_weights", "correlations", "edits", "edit_pairs", "adversarial")
    for name in (*optional, "adversarial_pairs"):
        (pairs / f"{name}.parquet").unlink()
    write_report(pairs)
    text = (pairs / "index.html").read_text(encoding="utf-8")
    assert 'id="artefacts"' not in text
    assert 'id="editing"' not in (pairs / "report" / "units" / "00000.html").read_text(encoding="utf-8")
    (pairs / "edits.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"edits\.parquet cannot be read"):
        write_report(pairs)


def test_weights_and_correlations_may_come_with_images(tmp_path: Path, pairs: Path):
    run = write_fake_run(tmp_path / "images", FakeRun(units=3, draws=4))
    for name in ("class_weights", "correlations"):
        (run / f"{name}.parquet").write_bytes((pairs / f"{name}.parquet").read_bytes())
    write_report(run)
    assert "Do better names go with better answers?" in body(run / "index.html")
    assert 'id="class-weights"' in (run / "report" / "units" / "00000.html").read_text(encoding="utf-8")


def test_an_unknown_kind_of_element_is_a_clear_error(pairs: Path):
    manifest = json.loads((pairs / "manifest.json").read_text(encoding="utf-8"))
    manifest["elements"]["kind"] = "chapter"
    (pairs / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="chapter"):
        write_report(pairs)


@pytest.mark.parametrize("kind", ["pair", "token"])
def test_hostile_texts_stay_text(tmp_path: Path, kind: str):
    run = write_fake_text_run(tmp_path / "run", FakeTextRun(kind=kind, hostile=True))
    write_report(run)
    for page in [run / "index.html", *(run / "report" / "units").iterdir()]:
        assert NASTY not in page.read_text(encoding="utf-8")
    assert "&lt;img src=x" in (run / "report" / "units" / "00000.html").read_text(encoding="utf-8")
    assert "<" not in (run / "report" / "units.js").read_text(encoding="utf-8")
    assert NASTY not in notebook_view(run)


@pytest.mark.parametrize(
    ("before", "after"), [("The man sleeps.", "Nobody sleeps."), ("", "no"), ("a  b", "a b"), ("same", "same")]
)
def test_what_changed_joins_to_the_two_versions(before: str, after: str):
    found = changed(before, after)
    assert "".join(piece.text for piece in found["before"]) == before
    assert "".join(piece.text for piece in found["after"]) == after
    assert any(piece.marked for side in found.values() for piece in side) == (before != after)


def test_members_of_a_neighbourhood_are_told(pairs: Path):
    table = pq.read_table(pairs / "units.parquet")
    rows = table.to_pylist()
    rows[0] |= {"formula": "NEIGHBOURS(hyp:tok:man)", "words": "a word like “man” in the hypothesis"}
    pq.write_table(table.from_pylist(rows, schema=table.schema), pairs / "units.parquet")
    write_report(pairs)
    page = pairs / "report" / "units" / "00000.html"
    assert 'title="man, woman, boy"' in page.read_text(encoding="utf-8")
    assert "“a word like “man” in the hypothesis” (NEIGHBOURS) means one of: man, woman, boy." in body(page)


def test_how_far_the_exact_search_goes_is_said_as_it_was_set(pairs: Path):
    manifest = json.loads((pairs / "manifest.json").read_text(encoding="utf-8"))
    manifest["settings"] |= {"method": "exact", "exact_length": 2}
    (pairs / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_report(pairs)
    assert "the provably best formula of up to two concepts" in body(pairs / "index.html")
