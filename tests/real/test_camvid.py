"""Street scenes with pixel labels, read as a user would name them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from microtome.data.check import check_data
from microtome.data.geometry import to_grid
from microtome.data.open import open_data


def test_the_folder_is_recognised_and_sound(shared: Callable[[str], Path]) -> None:
    report = check_data(shared("camvid/val"))
    assert report.problems == ()
    assert report.images == report.readable == 101
    classes = json.loads((shared("camvid") / "classes.json").read_text())["classes"]
    assert [c.name for c in report.concepts if c.category == "object"] == classes
    colours = [c for c in report.concepts if c.category == "color"]
    assert len(colours) == 11
    # Every labelled pixel has one colour.
    assert sum(c.pixels for c in colours) == report.pixels - report.void_pixels
    assert {c.name: c.images for c in report.concepts}["road"] == 101
    by_area = {c.name: c.pixels for c in report.concepts}
    assert by_area["road"] > by_area["car"] > by_area["sign"] > 0


def test_labels_and_void_are_those_of_the_files(shared: Callable[[str], Path]) -> None:
    root = shared("camvid/train")
    data = open_data(root, colours=False)
    assert len(data) == 367
    for i in (0, 100, 366):
        image = data.read(i)
        stem = Path(image.key).stem
        raw = np.asarray(Image.open(root / "labels" / f"{stem}.png"))
        assert np.array_equal(image.planes[0], np.where(raw == 11, 0, raw.astype(int) + 1))
        assert image.void is not None
        assert np.array_equal(image.void, raw == 11)


def test_on_a_grid_the_shares_of_the_classes_stay(shared: Callable[[str], Path]) -> None:
    data = open_data(shared("camvid/val"), limit=30)
    whole = np.zeros(len(data.concepts) + 1)
    small = np.zeros(len(data.concepts) + 1)
    for i in range(len(data)):
        image = data.read(i)
        planes, void = to_grid(image, grid=(112, 112))
        assert planes.shape == (2, 112, 112)
        assert void.dtype == bool
        whole += np.bincount(image.planes.ravel(), minlength=len(whole)) / image.planes[0].size
        small += np.bincount(planes.ravel(), minlength=len(small)) / planes[0].size
    common = whole > 0.3
    assert common.sum() > 8
    assert np.abs(small[common] / whole[common] - 1).max() < 0.05


def test_the_sky_is_rarely_green_and_the_trees_are_not_orange(shared: Callable[[str], Path]) -> None:
    data = open_data(shared("camvid/val"), limit=30)
    number = {c.name: i + 1 for i, c in enumerate(data.concepts)}
    counts = np.zeros((len(data.concepts) + 1,) * 2)
    for i in range(len(data)):
        objects, colours = data.read(i).planes
        np.add.at(counts, (objects.ravel(), colours.ravel()), 1)

    def share(name: str, *colours: str) -> float:
        row = counts[number[name]]
        return float(sum(row[number[c]] for c in colours) / row.sum())

    assert share("sky", "white", "blue", "grey") > 0.95
    assert share("road", "grey", "black") > 0.8
    assert share("tree", "orange", "pink", "purple") < 0.05


def test_texture_folders_are_classes(shared: Callable[[str], Path]) -> None:
    data = open_data(shared("textures"))
    assert len(data) == 400
    assert len(data.classes) == 10
    image = data.read(45)
    assert image.label is not None
    assert image.key.startswith(data.classes[image.label])
    assert data.concepts[image.whole[0]].name == data.classes[image.label]
    assert data.concepts[image.whole[0]].category == "class"


def test_a_single_sub_folder_is_no_class(shared: Callable[[str], Path]) -> None:
    data = open_data(shared("imagenet_samples"))
    assert len(data) == 1000
    assert data.classes == ()
    assert {c.category for c in data.concepts} == {"color"}
