"""SqueezeNet's last maps against people's labels of street scenes: searched on the train frames, scored on val."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from microtome.core.formula import evaluate, leaves
from microtome.core.parse import parse
from microtome.data.geometry import to_grid
from microtome.data.open import open_data
from microtome.models.trace import trace
from microtome.recipes.result import Dissection
from tests.real.runs import RUNS, squeezenet

pytestmark = pytest.mark.slow

PERMUTATIONS = 40
UNITS = tuple(range(0, 512, 2))
GRID = (112, 112)


@pytest.fixture(scope="module")
def run(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    root = shared("camvid").parent
    shared("models/squeezenet1_1_imagenet")
    out = tmp_path_factory.mktemp("camvid") / "run"
    return RUNS["squeezenet-camvid"].run(root, out, permutations=PERMUTATIONS, units=UNITS)


@pytest.fixture(scope="module")
def heldout(shared: Callable[[str], Path]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of the concepts, and label planes and void of the held-out frames on the run's grid."""
    data = open_data(shared("camvid/val"))
    pairs = [to_grid(data.read(i), grid=GRID) for i in range(len(data))]
    names = tuple(concept.name for concept in data.concepts)
    return names, np.stack([planes for planes, _ in pairs]), np.stack([void for _, void in pairs])


def test_every_unit_has_a_verdict(run: Dissection) -> None:
    summary = run.manifest["summary"]
    assert summary["units"] == len(UNITS)
    assert summary["named"] + summary["not_named"] + summary["silent"] == len(UNITS)
    assert summary["beam"]["searched"] == len(UNITS)
    assert run.report.is_file()
    units = run.units.to_pylist()
    assert [row["unit"] for row in units] == list(UNITS)
    for row in units:
        assert row["named"] == (row["status"] == "named")
        assert row["named"] or row["reason"]


def test_units_follow_the_labels_beyond_their_own_chance(run: Dissection) -> None:
    for row in run.query("select * from units where named").to_pylist():
        assert row["score_heldout"] > row["chance"]
        assert row["fdr"] <= 0.05
    assert run.manifest["summary"]["named"] > 0.05 * len(UNITS)
    own = run.query(
        "select unit, any_value(score_heldout) score, max(chance.iou_heldout) highest, count(*) draws "
        "from units join chance using (unit) group by unit"
    ).to_pylist()
    assert len(own) > 200
    # With d draws of its own, a unit that follows nothing stands above all of them one time in d + 1.
    above = sum(row["score"] > row["highest"] for row in own)
    by_luck = sum(1 / (row["draws"] + 1) for row in own)
    assert above > 3 * by_luck
    means = run.query("select avg(score_heldout) heldout, avg(chance) chance from units").to_pylist()[0]
    # Re-paired frames of one drive still have their sky above their road, so chance is not nothing here.
    assert means["heldout"] > 1.5 * means["chance"] > 0


def test_the_best_units_find_what_street_scenes_are_made_of(run: Dissection) -> None:
    best = run.query("select formula from units order by score_heldout desc limit 30").to_pylist()
    said = {leaf.name for row in best for leaf in leaves(parse(row["formula"]))}
    assert {"car", "sky"} <= said
    assert said & {"pedestrian", "bicyclist"}
    top = run.query("select max(score_heldout) top from units").to_pylist()[0]["top"]
    assert 0.12 < top < 0.5


def test_longer_formulas_fit_better_where_they_were_searched(run: Dissection) -> None:
    rows = run.query("select unit, length, score, iou, p, precision, recall from explanations order by unit, length")
    scores = np.array([row["score"] for row in rows.to_pylist()]).reshape(len(UNITS), 3)
    assert (np.diff(scores, axis=1) >= 0).all()
    assert (scores[:, 2] > scores[:, 0]).mean() > 0.5
    for row in rows.to_pylist():
        assert row["score"] == row["iou"]
        # |F & U| / |F or U| from the two shares alone.
        both = row["precision"] * row["recall"]
        assert row["iou"] == pytest.approx(both / (row["precision"] + row["recall"] - both), rel=1e-9)


def test_counts_are_those_of_the_frames(
    run: Dissection, heldout: tuple[tuple[str, ...], np.ndarray, np.ndarray]
) -> None:
    names, planes, void = heldout
    stored = {row["concept"]: row for row in run.table("concepts").to_pylist()}
    assert set(stored) == set(names)
    assert run.manifest["elements"]["heldout"] == int((~void).sum())
    for number, name in enumerate(names, start=1):
        counted = ((planes == number).any(axis=1) & ~void).sum()
        assert stored[name]["elements_heldout"] == counted
    for row in run.table("overlaps").to_pylist():
        assert row["concept_count"] == stored[row["concept"]]["elements_search"]
        assert 0 < row["both_count"] <= min(row["concept_count"], row["unit_count"])
        assert row["recall"] == row["both_count"] / row["unit_count"]


def test_a_units_heldout_scores_follow_from_masks_made_by_hand(
    run: Dissection, heldout: tuple[tuple[str, ...], np.ndarray, np.ndarray], shared: Callable[[str], Path]
) -> None:
    names, planes, void = heldout
    units = run.query("select unit, formula, low from units order by score_heldout desc limit 5").to_pylist()
    model = squeezenet(shared("camvid").parent, named=False)
    data = open_data(shared("camvid/val"), colours=False)
    maps = []
    with torch.inference_mode(), trace(model, ["features.12"], stop=True) as cache:
        for i in range(len(data)):
            out = cache.run(model.preprocess(data.read(i).pixels))["features.12"]
            maps.append(out[:, [row["unit"] for row in units]].half().float())
    wide = torch.nn.functional.interpolate(torch.cat(maps), size=GRID, mode="bilinear", align_corners=False).numpy()
    columns = {name: (planes == number).any(axis=1) for number, name in enumerate(names, start=1)}
    for place, row in enumerate(units):
        active = (wide[:, place] > row["low"]) & ~void
        holds = evaluate(parse(row["formula"]), columns) & ~void
        both = (active & holds).sum()
        stored = run.query(f"select * from explanations where chosen and unit = {row['unit']}").to_pylist()[0]
        # A batch of one and a batch of many differ in the last bits, and so does an element at the threshold.
        assert stored["precision_heldout"] == pytest.approx(both / holds.sum(), rel=5e-3)
        assert stored["recall_heldout"] == pytest.approx(both / active.sum(), rel=5e-3)
        assert stored["iou_heldout"] == pytest.approx(both / (active | holds).sum(), rel=5e-3)
