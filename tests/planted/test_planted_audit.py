"""The audit proves what was planted in the shipped networks, and mends it or says that it could not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import microtome
from microtome.core.formula import leaves
from microtome.core.parse import parse
from microtome.data.world.pairs_artefacts import ARTEFACTS
from microtome.data.world.shortcuts import SHORTCUTS
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.result import Dissection
from microtome.verify.flips import BAR

CUES = {"water-color": {"water"}, "farm-tractor": {"tractor"}, "bird-background": {"water", "grass"}}


def _words(concept: str) -> set[str]:
    return {leaf.name for leaf in leaves(parse(concept))}


@pytest.mark.parametrize("name", list(SHORTCUTS))
def test_every_planted_shortcut_is_proved(scenes_audit: Audit, name: str) -> None:
    pair = set(SHORTCUTS[name].classes)
    mine = [f for f in scenes_audit.proved if {f["source"], f["target"]} == pair and _words(f["concept"]) & CUES[name]]
    assert mine, [(f["verdict"], f["sentence"]) for f in scenes_audit.findings]
    assert all(f["difference"] >= BAR and f["difference_low"] > 0 and f["q"] <= 0.05 for f in mine)


def test_what_is_proved_is_about_planted_classes(scenes_audit: Audit) -> None:
    concerned = {name for shortcut in SHORTCUTS.values() for name in shortcut.classes}
    assert {f["target"] for f in scenes_audit.proved} <= concerned
    assert {f["verdict"] for f in scenes_audit.findings} != {"proved"}


def test_controls_change_as_much_of_the_picture(scenes_audit: Audit) -> None:
    sizes = [(f["changed"], f["control_changed"]) for f in scenes_audit.proved]
    assert all(abs(own - control) < 0.3 * own for own, control in sizes), sizes


def test_the_backgrounds_worst_group_is_mended_within_the_price(scenes_audit: Audit) -> None:
    rows = scenes_audit.rows("repairs")
    birds = next(f for f in scenes_audit.proved if f["target"] == "waterbird" and f["concept"] == "water")
    own = {row["kind"]: row for row in rows if row["number"] == birds["number"]}
    assert set(own) == {"none", "ablate", "erase", "retrain", "DFR"}
    best = next(row for row in own.values() if row["best"])
    assert best["helps"]
    assert best["worst"] > own["none"]["worst"] + 0.2
    assert best["price"] <= 2.0
    assert birds["repaired"]


def test_colour_is_all_that_was_learned_and_cannot_be_mended(scenes_audit: Audit) -> None:
    lake = next(f for f in scenes_audit.proved if f["target"] in ("lake", "marsh") and f["source"] in ("lake", "marsh"))
    assert not lake["repaired"]
    assert "No repair was found" in lake["repair"] or "no proven repair" in lake["repair"]


def test_the_written_weights_answer_as_the_repair_did(scenes_audit: Audit) -> None:
    mended = scenes_audit.path.parent / "mended.safetensors"
    before, after = microtome.load("world:scenes"), microtome.load("world:scenes", weights=mended)
    world = microtome.open_data("world:shift@400?seed=7")
    chosen = [image for image in map(world.read, range(400)) if world.classes[image.label or 0] == "landbird"]
    names = [{world.concepts[v - 1].name for v in np.unique(image.planes) if v > 0} for image in chosen]
    misled = [image for image, held in zip(chosen, names, strict=True) if "water" in held]
    right = [
        float((model.logits(model.preprocess([i.pixels for i in misled])).argmax(1) == misled[0].label).float().mean())
        for model in (before, after)
    ]
    assert right[0] < 0.4
    assert right[1] > right[0] + 0.2


def test_cases_are_written_with_their_true_class(scenes_audit: Audit) -> None:
    folder = scenes_audit.path.parent / "cases"
    lines = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines()]
    assert len(lines) == sum(f["cases"] for f in scenes_audit.proved)
    assert all(line["label"] != line["answer_if_fooled"] for line in lines)
    with Image.open(folder / lines[0]["file"]) as picture:
        assert picture.size == (96, 96)
    assert Path(lines[0]["file"]).parent.name == lines[0]["label"]
    assert Counter(line["fooled"] for line in lines)[True] > len(lines) / 3


def test_the_same_model_is_misled_alike(scenes_audit: Audit) -> None:
    rates = {row["number"]: row["rate"] for row in scenes_audit.rows("transfer")}
    for finding in scenes_audit.proved:
        assert rates[finding["number"]] == pytest.approx(finding["rate"])


def test_directions_beat_single_units_and_chance(scenes_audit: Audit) -> None:
    for row in scenes_audit.rows("concept_directions"):
        assert row["iou"] > row["chance"]
        assert row["iou"] >= row["iou_best_unit"] - 0.05


def test_an_innocent_concept_is_not_proved_and_runs_repeat(scenes_run: Dissection, tmp_path: Path) -> None:
    settings = AuditSettings(
        concept="cloud", target="farm", source="village", images=320, directions=0, repair=False, cases=20
    )
    inputs = AuditInputs(run=scenes_run.path)
    found = [
        audit(data="world@320", out=tmp_path / name, inputs=inputs, settings=settings).findings for name in ("a", "b")
    ]
    assert found[0][0]["verdict"] != "proved"
    assert found[0][0]["rate"] <= 0.2
    assert found[0] == found[1]


@pytest.mark.parametrize("name", list(ARTEFACTS))
def test_every_planted_artefact_of_text_is_proved(nli_audit: Audit, name: str) -> None:
    mine = [f for f in nli_audit.proved if f["target"] == ARTEFACTS[name].label and name in (f["how"] or "")]
    assert mine, [(f["verdict"], f["sentence"]) for f in nli_audit.findings]
    assert all(f["without"] is not None for f in mine)


def test_text_repairs_are_compared_with_balanced_retraining(nli_audit: Audit) -> None:
    rows = nli_audit.rows("repairs")
    assert {row["kind"] for row in rows} == {"none", "ablate", "erase", "retrain", "DFR"}
    chosen = [row for row in rows if row["best"]]
    assert any(row["worst"] > row["worst_before"] for row in chosen)
    said = [f["repair"] for f in nli_audit.proved if f["repair"]]
    assert said
    lines = (nli_audit.path.parent / "cases" / "cases.jsonl").read_text().splitlines()
    assert {"premise", "hypothesis", "label", "fooled"} <= set(json.loads(lines[0]))
