"""Dissections of real text: a classifier of sentence pairs and a small language model, and what their pages say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from microtome.data.text.open import open_texts
from microtome.data.text.settings import TextSettings
from microtome.models.load import load_text
from microtome.models.nli import CARD, PROBE
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection
from microtome.zoo.train_nli import REPORTED
from tests.real.result_pages import write_page
from tests.real.runs import RUNS
from tests.real.text_runs import NEURONS, NLI_FOLDER, TREEBANK, is_current, stories_model, write_stories

NEURONS_TRIED, PERMUTATIONS = tuple(range(0, 172, 12)), 20


@pytest.fixture(scope="module")
def classifier(shared: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    """The folder of the classifier that `make results` keeps, or of the one that the tests train."""
    if is_current(NLI_FOLDER, shared("nli")):
        return NLI_FOLDER
    return request.getfixturevalue("two_minute_classifier")


@pytest.fixture(scope="module")
def pairs(shared: Callable[[str], Path], classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    data = open_texts(shared(f"nli/{REPORTED}"), TextSettings(limit=1500, vocabulary=300))
    out = tmp_path_factory.mktemp("pairs") / "snli"
    settings = DissectSettings(units=tuple(range(0, 512, 64)), permutations=PERMUTATIONS, max_length=2)
    result = dissect(load_text(f"nli:{classifier}", device="cpu"), PROBE, data, out=out, settings=settings)
    (result.path / CARD).write_text((classifier / CARD).read_text(encoding="utf-8"), "utf-8")
    return result


@pytest.fixture(scope="module")
def neurons(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    pytest.importorskip("transformers")
    shared("models/stories260k_llama")
    treebank = shared(f"ud_ewt/{TREEBANK[0]}")
    model = stories_model(treebank.parents[1])
    data = open_texts(treebank, TextSettings(limit=40), pieces=model.pieces, piece_text=model.piece_text)
    settings = DissectSettings(units=NEURONS_TRIED, permutations=PERMUTATIONS, max_length=3)
    return dissect(model, NEURONS, data, out=tmp_path_factory.mktemp("tokens") / "stories", settings=settings)


@pytest.mark.slow
def test_premises_teach_more_than_hypotheses_alone_and_these_more_than_guessing(classifier: Path) -> None:
    card = json.loads((classifier / CARD).read_text(encoding="utf-8"))
    alone = card["hypothesis_only_accuracy"][REPORTED]
    assert alone > card["most_frequent_class"] + 0.02
    # Held-out pairs: the lower end of the interval.
    assert card["accuracy_interval"][REPORTED][0] > (alone if classifier == NLI_FOLDER else card["most_frequent_class"])


@pytest.mark.slow
def test_known_artefacts_of_snli_are_in_the_table(pairs: Dissection) -> None:
    rows = {(row["concept"], row["label"]): row for row in pairs.table("artefacts").to_pylist()}
    overlap, nobody = rows["oth:overlap:75", "entailment"], rows["oth:negation:hyp", "contradiction"]
    for row in (overlap, nobody):
        assert row["low"] > row["base"] + 0.1
        assert row["low"] < row["share"] < row["high"]
    # The classifier has learnt what its data have: it says so more often there than it does at large.
    said = pairs.query("select avg((predicted = 'entailment')::int) share from images").to_pylist()[0]["share"]
    assert overlap["answered_low"] > said + 0.1


@pytest.mark.slow
def test_neurons_of_a_language_model_are_named(neurons: Dissection) -> None:
    summary = neurons.manifest["summary"]
    assert summary["units"] == len(NEURONS_TRIED)
    assert neurons.manifest["elements"]["kind"] == "token"
    assert summary["named"] >= 0.6 * summary["units"]
    assert summary["mean_iou"] > 5 * summary["mean_chance"]
    low = neurons.query("select min(score_heldout - chance) low from units where named").to_pylist()[0]["low"]
    assert low > 0


@pytest.mark.slow
def test_what_the_model_writes_is_text_that_can_be_dissected(shared: Callable[[str], Path], tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    model = stories_model(shared("models/stories260k_llama").parents[1])
    file = write_stories(model, tmp_path / "stories.txt", count=8, tokens=80)
    data = open_texts(file, TextSettings(), pieces=model.pieces, piece_text=model.piece_text)
    assert len(file.read_text(encoding="utf-8").split("\n\n")) == len(data) == 8
    assert 300 < sum(len(data.read(k).pieces) for k in range(len(data))) <= 660
    assert data.read(0).sides[0].text.startswith("Once upon a time")


@pytest.mark.slow
def test_a_page_says_what_its_run_says(pairs: Dissection, neurons: Dissection, tmp_path: Path) -> None:
    write_page(RUNS["snli"], pairs, tmp_path, pictures=True)
    write_page(RUNS["stories-ewt"], neurons, tmp_path, pictures=True)
    page = (tmp_path / "snli.md").read_text(encoding="utf-8")
    card = json.loads((pairs.path / CARD).read_text(encoding="utf-8"))
    assert f"{card['accuracy'][REPORTED]:.1%}" in page
    assert "| `oth:overlap:75` | entailment |" in page
    assert "## IoU and accuracy" in page
    assert "CC BY-SA 4.0" in page
    tokens = (tmp_path / "stories-ewt.md").read_text(encoding="utf-8")
    best = neurons.query("select unit, score_heldout s from units where named order by s desc, unit limit 1")
    unit, score = best.to_pylist()[0].values()
    assert f"\n| {unit} | " in tokens
    assert f"| {score:.3f} |" in tokens
    assert f"**Unit {unit}**" in tokens
    assert "<b>" in tokens
    assert "## Artefacts" not in tokens
