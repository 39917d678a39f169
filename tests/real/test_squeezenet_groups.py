"""SqueezeNet's last maps against what whole pictures show: coarse groups of ImageNet's classes, and textures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from microtome.core.formula import leaves
from microtome.core.parse import parse
from microtome.recipes.dissect import dissect
from microtome.recipes.result import Dissection
from tests.real.groups import GROUPS, members
from tests.real.image_sets import GroupsAndTextures
from tests.real.runs import RUNS, squeezenet

PERMUTATIONS = 40
UNITS = tuple(range(0, 512, 2))


@pytest.fixture(scope="module")
def names(shared: Callable[[str], Path]) -> list[str]:
    index = json.loads((shared("imagenet_samples") / "index.json").read_text(encoding="utf-8"))
    return [entry["name"] for entry in index]


def _run(shared: Callable[[str], Path], name: str, out: Path) -> Dissection:
    data = GroupsAndTextures(shared("imagenet_samples"), shared("textures"))
    shared("models/squeezenet1_1_imagenet")
    # Without names of its answers the network need not see each picture a second time, on its own crop.
    model = squeezenet(shared("imagenet_samples").parent, named=False)
    settings = replace(RUNS[name].settings, permutations=PERMUTATIONS, units=UNITS)
    return dissect(model, "features.12", data, out=out, settings=settings)


@pytest.fixture(scope="module")
def by_iou(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    return _run(shared, "squeezenet-groups-iou", tmp_path_factory.mktemp("groups") / "iou")


@pytest.fixture(scope="module")
def by_auroc(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Dissection:
    return _run(shared, "squeezenet-groups-auroc", tmp_path_factory.mktemp("groups") / "auroc")


def test_every_group_holds_the_classes_that_it_names(names: list[str]) -> None:
    found = {group: members(group, names) for group in GROUPS}
    together = [klass for group in found.values() for klass in group]
    assert len(together) == len(set(together))
    assert 18 <= len(GROUPS) <= 28
    assert len(found["dog"]) == 118
    assert {"tabby, tabby cat", "Persian cat"} <= {names[klass] for klass in found["cat"]}
    assert min(len(group) for group in found.values()) >= 5


def test_a_wrong_index_does_not_pass(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "cat", "282 tabby - 285 Egyptian cat")
    with pytest.raises(ValueError, match="class 282 is 'tiger cat', not 'tabby'"):
        members("cat", names)


def test_the_image_set(shared: Callable[[str], Path]) -> None:
    data = GroupsAndTextures(shared("imagenet_samples"), shared("textures"))
    assert len(data) == 1400
    assert len(data.concepts) == len(GROUPS) + 10
    chihuahua, texture = data.read(151), data.read(1000)
    assert [data.concepts[i].name for i in chihuahua.whole] == ["dog"]
    assert data.labels(151) == {"group"}
    assert chihuahua.label is not None
    assert data.classes[chihuahua.label] == "Chihuahua"
    assert data.concepts[texture.whole[0]].category == "texture"
    assert data.labels(1000) == {"texture"}
    assert texture.label is None
    assert len(set(data.classes)) == 1000


@pytest.mark.slow
def test_many_units_name_a_group_by_iou(by_iou: Dissection) -> None:
    summary = by_iou.manifest["summary"]
    assert summary["units"] == len(UNITS)
    assert by_iou.manifest["elements"]["kind"] == "image"
    assert by_iou.manifest["elements"]["search"] == by_iou.manifest["elements"]["heldout"] == 700
    assert 100 < summary["named"] < 240
    _check_named(by_iou)
    assert {"dog", "bird", "road vehicle", "food"} <= _said(by_iou)
    assert summary["mean_iou"] > 2 * summary["mean_chance"]


@pytest.mark.slow
def test_many_units_name_a_group_by_auroc(by_auroc: Dissection) -> None:
    assert 100 < by_auroc.manifest["summary"]["named"] < 240
    _check_named(by_auroc)
    assert {"dog", "bird", "road vehicle", "boat", "primate"} <= _said(by_auroc)
    row = by_auroc.query("select avg(score_heldout) mean, max(score_heldout) top, avg(chance) chance from units")
    scores = row.to_pylist()[0]
    assert scores["chance"] == pytest.approx(0.5, abs=0.01)
    assert scores["mean"] > 0.65
    assert scores["top"] > 0.85
    # Searched scores are those of the best of many formulas and so lie above held-out ones.
    assert by_auroc.query("select avg(score) s from units").to_pylist()[0]["s"] > scores["mean"]


@pytest.mark.slow
def test_textures_are_found_as_well(by_iou: Dissection, by_auroc: Dissection) -> None:
    kinds = {row["concept"] for row in by_iou.table("concepts").to_pylist() if row["category"] == "texture"}
    assert len(kinds) == 10
    assert len(kinds & (_said(by_iou) | _said(by_auroc))) >= 3


@pytest.mark.slow
def test_the_highest_images_of_dog_and_bird_units_show_dogs_and_birds(by_auroc: Dissection, names: list[str]) -> None:
    rows = by_auroc.query(
        "select formula, image from units join exemplars using (unit) where units.named and formula in "
        "('dog', 'bird') and kind = 'top' and score_heldout > 0.85"
    ).to_pylist()
    assert len(rows) >= 30
    right = [
        row["image"].startswith("imagenet/") and int(Path(row["image"]).stem) in members(row["formula"], names)
        for row in rows
    ]
    # Dogs are a twelfth of the pictures, birds a twenty-fourth.
    assert sum(right) / len(right) > 0.5


def _said(run: Dissection) -> set[str]:
    formulas = run.query("select formula from units where named").to_pylist()
    return {leaf.name for row in formulas for leaf in leaves(parse(row["formula"]))}


def _check_named(run: Dissection) -> None:
    for row in run.query("select score_heldout, chance, chance_kind, fdr from units where named").to_pylist():
        assert row["score_heldout"] > row["chance"]
        assert row["chance_kind"] == "re-paired"
        assert row["fdr"] <= 0.05
