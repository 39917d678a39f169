"""COCO panoptic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError
from microtome.data.coco import CocoPanoptic
from tests.support.pictures import coco_code, coco_set, write_picture


def test_segments_categories_and_void(tmp_path: Path) -> None:
    data = CocoPanoptic(coco_set(tmp_path))
    assert [(c.name, c.category) for c in data.concepts] == [
        ("person", "object"),
        ("floor", "stuff"),
        ("orange", "object"),
    ]
    image = data.read(0)
    assert image.planes.tolist() == [[[0, 1, 1], [2, 2, 1]]]
    assert image.void is not None
    assert image.void.tolist() == [[True, False, False], [False] * 3]
    assert data.key(1) == "1.jpg"
    assert data.read(1).planes.tolist() == [[[2, 2, 1], [0, 1, 1]]]


def test_several_parts_must_be_chosen(tmp_path: Path) -> None:
    coco_set(tmp_path)
    coco_set(tmp_path, name="train2017")
    with pytest.raises(DataError, match="split="):
        CocoPanoptic(tmp_path)
    assert CocoPanoptic(tmp_path, split="train2017").card.name.endswith("train2017")
    with pytest.raises(DataError, match="no part 'x'"):
        CocoPanoptic(tmp_path, split="x")


def test_hostile_files(tmp_path: Path) -> None:
    data = CocoPanoptic(coco_set(tmp_path))
    label = tmp_path / "annotations" / "panoptic_val2017" / "0.png"
    write_picture(label, coco_code(np.full((2, 3), 123456)))
    with pytest.raises(DataError, match="123456"):
        data.read(0)
    write_picture(label, coco_code(np.zeros((4, 3), dtype=int)))
    with pytest.raises(DataError, match="3 x 4"):
        data.read(0)
    (tmp_path / "val2017" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"1\.jpg' is missing"):
        data.read(1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("categories"), "no COCO panoptic"),
        (lambda c: c.update(annotations=[]), "annotates no image"),
        (lambda c: c.update(categories=[]), "names no category"),
        (lambda c: c["categories"].append({"id": 1, "name": "person"}), "'person' is listed 2 times"),
        (lambda c: c["annotations"][0].update(image_id=99), "no COCO panoptic"),
    ],
)
def test_bad_tables(tmp_path: Path, change, words: str) -> None:
    coco_set(tmp_path)
    path = tmp_path / "annotations" / "panoptic_val2017.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=words):
        CocoPanoptic(tmp_path)


def test_a_category_that_the_table_lacks(tmp_path: Path) -> None:
    coco_set(tmp_path)
    path = tmp_path / "annotations" / "panoptic_val2017.json"
    content = json.loads(path.read_text())
    content["categories"].pop(1)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"unnamed categories \[190\]"):
        CocoPanoptic(tmp_path).read(0)


def test_names_that_would_clash_keep_their_suffix(tmp_path: Path) -> None:
    coco_set(tmp_path)
    path = tmp_path / "annotations" / "panoptic_val2017.json"
    content = json.loads(path.read_text())
    content["categories"].append({"id": 7, "name": "floor-stuff", "isthing": 0})
    path.write_text(json.dumps(content))
    names = [c.name for c in CocoPanoptic(tmp_path).concepts]
    assert names == ["person", "floor-other-merged", "orange", "floor-stuff"]
