"""The counts that a run keeps are enough to find the same formulas again, without model and images."""

from __future__ import annotations

from pathlib import Path

import pytest

import microtome
from microtome.core.errors import RunError
from microtome.methods.dissect.exact import Exact


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> microtome.Dissection:
    settings = microtome.DissectSettings(units=(0, 5, 9), permutations=5)
    return microtome.dissect(data="world@48", out=tmp_path_factory.mktemp("counts") / "run", settings=settings)


def test_a_search_over_the_stored_counts_finds_the_same(result: microtome.Dissection) -> None:
    table, activity = result.signatures()
    find = Exact().prepare(table)
    for slot, unit in enumerate(result.units.column("unit").to_pylist()):
        rows = result.query(f"select length, iou from explanations where unit = {unit} order by length").to_pylist()
        assert [row["iou"] for row in rows] == [found.iou for found in find(*activity.unit(slot))]


def test_heldout_counts_give_the_heldout_iou(result: microtome.Dissection) -> None:
    from microtome.core.parse import parse
    from microtome.core.signatures import both_counts

    table, activity = result.signatures("heldout")
    for slot, row in enumerate(result.units.to_pylist()):
        holds = table.holds(parse(row["formula"]))
        counts = activity.unit(slot)
        both, union = both_counts(holds, *counts), int(table.weight[holds].sum()) + int(counts[1].sum())
        assert row["iou_heldout"] == pytest.approx(both / (union - both))


def test_other_halves_and_other_folders_are_errors(result: microtome.Dissection, tmp_path: Path) -> None:
    from microtome.recipes.counts import read_counts

    with pytest.raises(RunError, match="no counts of the half 'left'"):
        result.signatures("left")
    with pytest.raises(RunError, match="no counts"):
        read_counts(tmp_path, "search")
