"""Dissections of texts from Python: what the tables say, against the texts themselves; what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.core.errors import OptionError
from microtome.core.formula import Formula, Neighbours, evaluate, leaves
from microtome.core.parse import parse
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.result import Dissection
from microtome.store.tables import COLUMNS, table_schema
from microtome.verify.correlation import correlate
from microtome.verify.proportions import wilson
from tests.support.listed import Listed, random_images, small_model
from tests.support.text_worlds import (
    LABELS,
    SIDES,
    ListedTexts,
    pair_model,
    pair_texts,
    place_model,
    token_model,
    token_texts,
)

ROOT = Path(__file__).parents[2]
OF_EDITS = {"edits", "edit_pairs", "adversarial", "adversarial_pairs"}
SETTINGS = DissectSettings(permutations=20, max_length=3, seed=4)
PAIRS, TOKENS = pair_texts(260, seed=8), token_texts(120, seed=8)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    return dissect(pair_model(extra=2), "relu", PAIRS, out=tmp_path_factory.mktemp("pairs") / "run", settings=SETTINGS)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    settings = replace(SETTINGS, quantile=0.1, min_active=5)
    return dissect(
        token_model(extra=2), "sum", TOKENS, out=tmp_path_factory.mktemp("tokens") / "run", settings=settings
    )


@pytest.fixture(params=["pairs", "tokens"])
def run(request: pytest.FixtureRequest) -> Dissection:
    return request.getfixturevalue(request.param)


def names_of(data: ListedTexts, item: int) -> list[set[str]]:
    """Names of the concepts of each element."""
    return [{data.concepts[c].name for c in members} for members in data.read(item).sets]


def item_of(data: ListedTexts, key: str) -> int:
    return [data.key(k) for k in range(len(data))].index(key)


def holds(data: ListedTexts, formula: Formula, names: set[str]) -> bool:
    """The formula on one element, from its names."""
    columns = {term.column: np.array([bool(members_of(data, term) & names)]) for term in leaves(formula)}
    return bool(evaluate(formula, columns)[0])


def members_of(data: ListedTexts, term) -> set[str]:
    """Names of which one must hold for the term to hold."""
    if not isinstance(term, Neighbours):
        return {term.name}
    place = [concept.name for concept in data.concepts].index(term.name)
    return {data.concepts[member].name for member in data.neighbours[place]}


def formulas(run: Dissection) -> dict[int, Formula]:
    """The chosen formula of each unit that has one."""
    return {row["unit"]: parse(row["formula"]) for row in run.units.to_pylist() if row["formula"]}


def test_every_table_is_there_with_its_columns(run: Dissection) -> None:
    missing = set(COLUMNS) - OF_EDITS - set(run.tables)
    assert missing == (set() if run.manifest["elements"]["kind"] == "pair" else {"artefacts"})
    for name in run.tables:
        assert run.table(name).schema.names == table_schema(name).names
    assert run.report.exists()


def test_planted_units_are_named_and_the_silent_one_is_not(pairs: Dissection, tokens: Dissection) -> None:
    said = {row["unit"]: row for row in pairs.units.to_pylist()}
    assert said[0]["formula"] == "pre:tok:w00 AND NOT pre:tok:w01"
    assert said[1]["formula"] == "hyp:tok:w02 OR hyp:tok:w03"
    assert said[2]["formula"] == "hyp:tok:w04 AND pre:tok:w04"
    assert all(said[unit]["named"] and said[unit]["iou_heldout"] == 1 for unit in range(3))
    assert said[3]["status"] == "silent"
    assert said[3]["formula"] is None
    said = {row["unit"]: row for row in tokens.units.to_pylist()}
    assert said[0]["formula"] == "tok:w05"
    assert said[1]["formula"] == "prev:w00 AND tok:w02"
    assert all(said[unit]["named"] and said[unit]["iou_heldout"] == 1 for unit in range(2))


def test_counts_of_the_tables_are_those_of_the_texts(run: Dissection) -> None:
    data = PAIRS if run.manifest["elements"]["kind"] == "pair" else TOKENS
    half = {row["image"]: row["split"] for row in run.table("images").to_pylist()}
    counts: dict[str, Counter[str]] = {"search": Counter(), "heldout": Counter()}
    elements: Counter[str] = Counter()
    for item in range(len(data)):
        for names in names_of(data, item):
            counts[half[data.key(item)]].update(names)
            elements[half[data.key(item)]] += 1
    for row in run.table("concepts").to_pylist():
        for split in counts:
            assert row[f"elements_{split}"] == counts[split][row["concept"]]
    assert elements == {split: run.manifest["elements"][split] for split in counts}


def test_exemplars_join_back_to_the_texts(run: Dissection) -> None:
    data = PAIRS if run.manifest["elements"]["kind"] == "pair" else TOKENS
    where = ("unit", "range", "kind", "rank")
    passages = {
        key: list(rows)
        for key, rows in groupby(run.table("passages").to_pylist(), lambda row: tuple(row[name] for name in where))
    }
    exemplars = run.table("exemplars").to_pylist()
    assert {tuple(row[name] for name in where) for row in exemplars} == set(passages)
    assert len(exemplars) == len(passages) > 40
    assert {"top", "decile"} <= {row["kind"] for row in exemplars}
    for row in exemplars:
        text = data.read(item_of(data, row["image"]))
        shown = passages[tuple(row[name] for name in where)]
        assert [one["side"] for one in shown] == list(data.sides)
        assert ["".join(one["pieces"]) for one in shown] == [side.text for side in text.sides]
        assert row["sprite"] is None


def test_words_that_the_formula_names_are_marked(pairs: Dissection) -> None:
    chosen, marked = formulas(pairs), 0
    prefix = dict(zip(SIDES, ("pre:tok:", "hyp:tok:"), strict=True))
    for row in pairs.table("passages").to_pylist():
        assert len(row["pieces"]) == len(row["marked"])
        wanted: set[str] = set()
        if row["unit"] in chosen:
            wanted = {name for term in leaves(chosen[row["unit"]]) for name in members_of(PAIRS, term)}
        expected = [prefix[row["side"]] + piece in wanted for piece in row["pieces"]]
        assert row["marked"] == expected
        marked += sum(expected)
    assert marked > 20


def test_tokens_carry_value_truth_and_activity(tokens: Dissection) -> None:
    model, chosen = token_model(extra=2), formulas(tokens)
    low = {row["unit"]: row["low"] for row in tokens.units.to_pylist()}
    exemplars = {(row["unit"], row["kind"], row["rank"]): row for row in tokens.table("exemplars").to_pylist()}
    for row in tokens.table("passages").to_pylist():
        exemplar = exemplars[row["unit"], row["kind"], row["rank"]]
        item = item_of(TOKENS, exemplar["image"])
        values = model.tokens([TOKENS.read(item).pieces], "sum")[0][:, row["unit"]].numpy().astype(np.float16)
        assert row["values"] == values.astype(float).tolist()
        assert row["active"] == [value > low[row["unit"]] for value in row["values"]]
        assert exemplar["value"] == max(row["values"])
        assert row["values"][exemplar["col"]] == exemplar["value"]
        if row["unit"] in chosen:
            assert row["marked"] == [holds(TOKENS, chosen[row["unit"]], names) for names in names_of(TOKENS, item)]
        else:
            assert not any(row["marked"])


def test_misses_and_false_alarms_are_such(run: Dissection) -> None:
    data = PAIRS if run.manifest["elements"]["kind"] == "pair" else TOKENS
    chosen, seen = formulas(run), Counter()
    for row in run.table("exemplars").to_pylist():
        if row["kind"] not in ("miss", "false alarm"):
            continue
        truth = [holds(data, chosen[row["unit"]], names) for names in names_of(data, item_of(data, row["image"]))]
        seen[row["kind"]] += 1
        assert any(truth) if row["kind"] == "miss" else not all(truth)
    assert min(seen["miss"], seen["false alarm"]) > 0


def test_weights_of_the_last_layer(pairs: Dissection, tokens: Dissection) -> None:
    weight = pair_model(extra=2).module.get_parameter("classifier.weight").detach()
    rows = pairs.table("class_weights").to_pylist()
    assert len(rows) == weight.numel()
    for row in rows:
        assert row["weight"] == float(weight[LABELS.index(row["label"]), row["unit"]])
    assert tokens.table("class_weights").num_rows == 0


def test_artefacts_are_counted_from_the_labels_and_the_answers(pairs: Dissection) -> None:
    model = pair_model(extra=2)
    answers = [LABELS[int(model.logits([PAIRS.texts(k)])[0].argmax())] for k in range(len(PAIRS))]
    labels = [None if (label := PAIRS.read(k).label) is None else LABELS[label] for k in range(len(PAIRS))]
    holders = {concept.name: [k for k in range(len(PAIRS)) if concept.name in names_of(PAIRS, k)[0]]
               for concept in PAIRS.concepts}  # fmt: skip
    known = [label for label in labels if label is not None]
    rows = pairs.table("artefacts").to_pylist()
    assert len(rows) == sum(any(labels[k] for k in own) for own in holders.values()) * len(LABELS)
    for row in rows:
        own = holders[row["concept"]]
        labelled = [labels[k] for k in own if labels[k] is not None]
        hits, said = labelled.count(row["label"]), sum(answers[k] == row["label"] for k in own)
        assert row["elements"] == len(labelled)
        assert row["share"] == hits / len(labelled)
        assert (row["low"], row["high"]) == wilson(hits, len(labelled))
        assert row["base"] == pytest.approx(known.count(row["label"]) / len(known))
        assert row["answered"] == said / len(own)
        assert (row["answered_low"], row["answered_high"]) == wilson(said, len(own))
    subset = next(r for r in rows if (r["concept"], r["label"]) == ("oth:whole:subset", "entailment"))
    assert subset["share"] == 1 > subset["base"], "the artefact that was put in"


def test_correlations_are_of_the_units_tables(pairs: Dissection) -> None:
    accuracy = {row["unit"]: row["accuracy_active"] for row in pairs.units.to_pylist()}
    rows = pairs.table("correlations").to_pylist()
    assert [row["length"] for row in rows] == [1, 2, 3]
    for row in rows:
        own = [(e["unit"], e["iou_heldout"]) for e in pairs.explanations.to_pylist() if e["length"] == row["length"]]
        found = correlate(
            np.array([iou for _, iou in own]), np.array([accuracy[unit] for unit, _ in own], float), seed=SETTINGS.seed
        )
        assert row["units"] == found.units == 5
        assert row["pearson"] == found.pearson
        assert row["spearman"] == found.spearman
        assert (row["pearson_low"], row["pearson_high"]) == found.pearson_interval


def test_what_active_means_is_said(pairs: Dissection, tokens: Dissection) -> None:
    assert pairs.manifest["settings"]["active"] == "positive"
    assert any("above 0" in note for note in pairs.manifest["notes"])
    assert tokens.manifest["settings"]["active"] == "quantile"
    assert any("threshold" in note and " 0.1 of" in note for note in tokens.manifest["notes"])
    assert {row["low"] for row in pairs.units.to_pylist()} == {0.0}


def test_active_and_min_active_as_told(tmp_path: Path) -> None:
    """Above 0 on tokens; a quantile on a rectified layer; units below the least number are skipped and said so."""
    data, model = token_texts(30, seed=2), token_model(extra=2)
    settings = DissectSettings(permutations=2, max_length=1, active="positive", min_active=40)
    run = dissect(model, "sum", data, out=tmp_path / "tokens", settings=settings)
    texts = [data.read(k) for k in range(len(data))]
    fires = [
        sum(int((model.tokens([text.pieces], "sum")[0][:, unit] > 0).sum()) for text in texts)
        for unit in range(5)
    ]  # fmt: skip
    for row in run.units.to_pylist():
        assert row["active"] == fires[row["unit"]]
        expected = "silent" if not row["active"] else "skipped" if row["active"] < 40 else None
        if expected is None:
            assert row["status"] in ("named", "not named")
            continue
        assert row["status"] == expected
        assert row["formula"] is None
        if expected == "skipped":
            assert f"{row['active']:,} elements, fewer than the 40" in row["reason"]
    assert run.manifest["summary"]["skipped"] == sum(0 < count < 40 for count in fires) > 0
    assert any("fewer than 40 elements" in note for note in run.manifest["notes"])
    settings = DissectSettings(permutations=2, max_length=1, active="quantile", quantile=0.2, min_active=0)
    run = dissect(pair_model(), "relu", pair_texts(60, seed=2), out=tmp_path / "pairs", settings=settings)
    assert run.manifest["settings"]["active"] == "quantile"
    assert max(row["active"] for row in run.units.to_pylist()) <= 24
    assert run.manifest["summary"]["skipped"] == 0


def test_what_was_not_stored_is_computed_again(tokens: Dissection, tmp_path: Path) -> None:
    settings = replace(SETTINGS, quantile=0.1, min_active=5, recompute=True)
    again = dissect(token_model(extra=2), "sum", TOKENS, out=tmp_path / "run", settings=settings)
    for name in tokens.tables:
        assert again.table(name).equals(tokens.table(name)), name


def test_counts_are_enough_to_search_again(run: Dissection) -> None:
    table, activity = run.signatures("search")
    chosen = formulas(run)
    for place, row in enumerate(run.units.to_pylist()):
        if row["unit"] not in chosen:
            continue
        rows, counts = activity.unit(place)
        truth = table.holds(chosen[row["unit"]])
        both, union = int(counts[truth[rows]].sum()), table.count(chosen[row["unit"]]) + int(counts.sum())
        assert row["iou"] == pytest.approx(both / (union - both))


def test_a_unit_of_a_place_in_the_window_can_be_named(tmp_path: Path) -> None:
    """Texts that are re-paired are turned as well, or the null would meet the same place again, and beat any unit."""
    plain = token_texts(60, seed=3, mentions=False)
    third = len(plain.concepts)
    texts = [
        replace(text, sets=tuple((*own, third) if at == 2 else own for at, own in enumerate(text.sets)))
        for text in plain.listed
    ]
    data = ListedTexts(texts, (*plain.concepts, Concept("place:third", "place")), level="token")
    settings = DissectSettings(permutations=20, max_length=1, active="positive")
    run = dissect(place_model(4), "out", data, out=tmp_path / "run", settings=settings)
    rows = run.units.to_pylist()
    assert (rows[2]["formula"], rows[2]["iou_heldout"]) == ("place:third", 1)
    assert [row["named"] for row in rows] == [False, False, True, False]


@pytest.mark.parametrize(
    ("model", "layer", "data", "settings", "message"),
    [
        (small_model(), "relu", TOKENS, {}, "takes images, and the data holds texts"),
        (pair_model(), "relu", Listed(random_images(4)), {}, "takes texts, and the data holds images"),
        (pair_model(), "relu", TOKENS, {}, "one value a text"),
        (token_model(), "sum", TOKENS, {"elements": "pixel"}, "--elements and --grid are for images"),
        (token_model(), "sum", TOKENS, {"grid": (4, 4)}, "--elements and --grid are for images"),
        (token_model(), "sum", TOKENS, {"units": (8,)}, "--units names 8"),
        (token_model(), "sum", TOKENS, {"quantile": 0.7}, "--quantile is 0.7"),
    ],
)
def test_what_does_not_fit_is_refused(model, layer, data, settings, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        dissect(model, layer, data, out=tmp_path / "run", settings=replace(SETTINGS, **settings))
    assert not (tmp_path / "run").exists()


def test_a_window_that_the_model_cannot_take(tmp_path: Path) -> None:
    data = token_texts(6, longest=24)
    data.window = 65
    with pytest.raises(OptionError, match="--window is 65, and token net takes 64 tokens at most"):
        dissect(token_model(), "sum", data, out=tmp_path / "run", settings=SETTINGS)


def test_exact_length_three_says_why_it_is_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on real pairs, where triples that share a pair are hundreds of millions."""
    from microtome.methods.dissect import triples

    monkeypatch.setattr(triples, "MOST_ENTRIES", 10_000)
    settings = replace(SETTINGS, exact_length=3)
    with pytest.raises(OptionError, match=r"triples of concepts .* at once") as refused:
        dissect(pair_model(), "relu", PAIRS, out=tmp_path / "run", settings=settings)
    assert "--exact-length 2" in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_killed_three_times_it_ends_as_uninterrupted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_texts", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert json.loads(done.stdout) == [-signal.SIGKILL] * 3 + [0, 0]
    killed, whole = tmp_path / "killed" / "run", tmp_path / "whole" / "run"
    names = sorted(path.name for path in whole.glob("*.parquet"))
    assert len(names) >= 11
    for name in [*names, "signatures.safetensors"]:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert list(killed.parent.iterdir()) == [killed], "nothing is left beside the run"
