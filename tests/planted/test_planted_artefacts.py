"""What the shipped classifier of pairs leans on is found among the names of its units and proved by editing."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from microtome.core.formula import And, Formula, Leaf, Neighbours, Or
from microtome.core.parse import parse
from microtome.data.world.pairs_artefacts import ARTEFACTS
from microtome.data.world.pairs_forms import JUDGEMENTS
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.recipes.edit_text import Edited, EditSettings, edit_texts
from microtome.recipes.result import Dissection

CUES = {
    "negation": {"oth:negation:hyp", "hyp:tok:no", "hyp:tok:not", "hyp:tok:nothing"},
    "overlap": {"oth:overlap:75", "oth:subset"},
    "leak": {f"hyp:tok:{word}" for word in JUDGEMENTS},
}


def stated(formula: Formula) -> set[str]:
    """Concepts that make a formula true, not those that it excludes."""
    match formula:
        case Leaf(name) | Neighbours(name):
            return {name}
        case And(children) | Or(children):
            return set().union(*(stated(child) for child in children))
        case _:
            return set()


def in_use() -> list[str]:
    """Artefacts whose cue moves answers to their label more often than a control does, by the card."""
    text = resources.files("microtome.models").joinpath("weights", "nli.json").read_text()
    card = json.loads(text)["artefacts"]
    uses = {name: card[name]["use"]["heldout"] for name in ARTEFACTS}
    return [name for name, use in uses.items() if use["interval"][0] > use["control"]["interval"][1]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    settings = DissectSettings(permutations=20, max_length=2, units=tuple(range(0, 192, 3)))
    return dissect("world:nli", data="world@700", out=tmp_path_factory.mktemp("nli") / "run", settings=settings)


def best_units(run: Dissection) -> dict[str, int]:
    """For each artefact the unit with the best held-out score whose name states its cue."""
    rows = run.query("select unit, formula from units where named order by score_heldout desc").to_pylist()
    found: dict[str, int] = {}
    for row in rows:
        concepts = stated(parse(row["formula"]))
        for name, cues in CUES.items():
            if concepts & cues:
                found.setdefault(name, row["unit"])
    return found


@pytest.fixture(scope="module")
def edited(run: Dissection) -> Edited:
    units = tuple(dict.fromkeys(best_units(run).values()))
    return edit_texts(run.path, settings=EditSettings(units=units, pairs=25))


def test_every_declared_artefact_is_in_use() -> None:
    assert in_use() == list(ARTEFACTS)


@pytest.mark.parametrize("artefact", CUES)
def test_an_artefact_in_use_is_found_among_the_names(run: Dissection, artefact: str) -> None:
    assert artefact in best_units(run)


@pytest.mark.parametrize("artefact", CUES)
def test_the_artefact_shows_in_the_data_and_in_the_answers(run: Dissection, artefact: str) -> None:
    rows = run.table("artefacts").to_pylist()
    label = ARTEFACTS[artefact].label
    mine = [row for row in rows if row["concept"] in CUES[artefact] and row["label"] == label and row["elements"] > 15]
    best = max(mine, key=lambda row: row["low"])
    assert best["low"] > best["base"] + 0.2
    assert best["answered_low"] > best["base"] + 0.2


@pytest.mark.parametrize("artefact", CUES)
def test_editing_the_cue_proves_it(run: Dissection, edited: Edited, artefact: str) -> None:
    unit = best_units(run)[artefact]
    rows = [row for row in edited.run.table("edits").to_pylist() if row["unit"] == unit]
    proofs = [row for row in rows if any(cue in row["term"] for cue in CUES[artefact]) and row["turns"] == "true"]
    assert proofs, "no edit puts the cue in"
    best = max(proofs, key=lambda row: row["difference_low"])
    assert best["difference_low"] > 0, "the cue raises the unit more than the control word does"
    assert best["pairs"] >= 20


@pytest.mark.parametrize("artefact", CUES)
def test_counterfactual_pairs_with_a_known_label_fool_the_model(edited: Edited, artefact: str) -> None:
    rules = [row for row in edited.run.table("adversarial").to_pylist() if artefact in row["rule"]]
    assert rules
    assert all(row["rate"] > row["control"] and row["low"] > 0.1 and row["p"] < 0.01 for row in rules)
