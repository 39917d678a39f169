"""Waterbirds: the list, its damage, and the groups; the planted world's birds have the same groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.groups import Grouped, Groups, world_birds
from microtome.data.waterbirds import WaterBirds, is_waterbirds
from microtome.data.world.shortcuts import shows_first_cue
from tests.support.pictures import photo, write_broken_picture, write_picture

HEADER = "img_id,img_filename,y,split,place,place_filename"
LINES = (
    "1,001.A/one.jpg,0,0,0,/b/bamboo/1.jpg",
    '2,"001.A/two, too.png",1,0,1,/o/ocean/2.jpg',
    "3,002.B/three.png,1,1,0,/b/bamboo/3.jpg",
    "4,002.B/four.png,0,2,1,/o/ocean/4.jpg",
)


def birds(root: Path, *lines: str, header: str = HEADER) -> Path:
    """A small set in the real format, with all four pictures."""
    for number, name in enumerate(("001.A/one.jpg", "001.A/two, too.png", "002.B/three.png", "002.B/four.png")):
        write_picture(root / name, photo(5, 7, seed=number))
    (root / "metadata.csv").write_text("\n".join((header, *(lines or LINES))) + "\n", encoding="utf-8")
    return root


def test_images_classes_places_and_groups(tmp_path: Path) -> None:
    data = WaterBirds(birds(tmp_path))
    assert is_waterbirds(tmp_path)
    assert isinstance(data, Grouped)
    assert len(data) == 4
    image = data.read(1)
    assert (image.key, image.label, image.whole) == ("001.A/two, too.png", 1, (1, 3))
    assert np.array_equal(image.pixels, photo(5, 7, seed=1))
    assert image.planes.shape == (0, 5, 7)
    assert [(c.name, c.category) for c in data.concepts] == [
        ("landbird", "class"), ("waterbird", "class"), ("land", "place"), ("water", "place"),
    ]  # fmt: skip
    assert data.groups.labels.tolist() == [0, 1, 1, 0]
    assert data.groups.attribute.tolist() == [0, 1, 0, 1]
    assert data.groups.name(1, 0) == "waterbird, land"
    assert data.groups.counts.tolist() == [[1, 1], [1, 1]]
    assert "waterbird, water: 1" in data.card.notes[0]


def test_splits(tmp_path: Path) -> None:
    root = birds(tmp_path)
    assert [len(WaterBirds(root, split=split)) for split in ("train", "val", "test")] == [2, 1, 1]
    assert WaterBirds(root, split="test").key(0) == "002.B/four.png"
    assert WaterBirds(root, split="val").fingerprint() != WaterBirds(root).fingerprint()
    with pytest.raises(OptionError, match=r"no split 'tset'.*\n.*\n.*'test'"):
        WaterBirds(root, split="tset")


@pytest.mark.parametrize("column", ["img_filename", "y", "split", "place"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    root = birds(tmp_path, header=HEADER.replace(column, "other", 1))
    assert not is_waterbirds(root)
    with pytest.raises(DataError, match=rf"Line 1 of '.*metadata\.csv' lacks the columns {column};"):
        WaterBirds(root)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("9,a.jpg,2,0,0,", "has y '2'"),
        ("9,a.jpg,-1,0,0,", "has y '-1'"),
        ("9,a.jpg,waterbird,0,0,", "has y 'waterbird'"),
        ("9,a.jpg,0,3,0,", "has split '3'"),
        ("9,a.jpg,0,0,,", "has place ''"),
        ("9,a.jpg,0,0", "has place ''"),
        ("9,,0,0,0,", "has the img_filename ''"),
        ("9,../secret.jpg,0,0,0,", r"has the img_filename '\.\./secret\.jpg'"),
        ("9,/etc/passwd,0,0,0,", "has the img_filename '/etc/passwd'"),
        ("9,001.A/one.jpg,0,0,0,", "lists '001.A/one.jpg' again, after line 2"),
    ],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path: Path, line: str, said: str) -> None:
    root = birds(tmp_path, LINES[0], LINES[1], "", line, LINES[3])
    with pytest.raises(DataError, match=rf"Line 5 of '.*metadata\.csv' {said}"):
        WaterBirds(root)


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 problems:\n.*Line 2.*y '5'\.\n.*Line 2.*place 'x'\.\n.*Line 4"):
        WaterBirds(birds(tmp_path, "1,a.jpg,5,0,x,", LINES[1], "3,c.jpg,0,9,0,"))


def test_text_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    root = birds(tmp_path)
    (root / "metadata.csv").write_bytes(f"{HEADER}\n{LINES[0]}\n".encode() + b"2,\xff\xfe.jpg,0,0,0,\n")
    with pytest.raises(DataError, match=r"Line 3 of '.*metadata\.csv' is not UTF-8"):
        WaterBirds(root)


def test_a_missing_list_an_empty_one_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metadata\.csv' cannot be read"):
        WaterBirds(tmp_path)
    assert not is_waterbirds(tmp_path)
    (tmp_path / "metadata.csv").write_text(HEADER + "\n")
    with pytest.raises(DataError, match=r"lists no image\."):
        WaterBirds(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        WaterBirds(tmp_path / "none")


def test_missing_and_damaged_pictures_are_named_when_read(tmp_path: Path) -> None:
    root = birds(tmp_path)
    (root / "002.B" / "three.png").unlink()
    write_broken_picture(root / "002.B" / "four.png")
    data = WaterBirds(root)
    with pytest.raises(DataError, match=r"three\.png', line 4 of '.*metadata\.csv', is missing"):
        data.read(2)
    with pytest.raises(DataError, match=r"four\.png' cannot be read as a picture"):
        data.read(3)
    assert data.read(0).label == 0


def test_groups_are_checked() -> None:
    with pytest.raises(DataError, match="label of 0 to 2 has no name"):
        Groups(np.array([0, 2]), np.array([0, 0]), ("a", "b"), ("x", "y"))


def test_birds_of_the_world() -> None:
    data = world_birds(600, "heldout", 32)
    assert isinstance(data, Grouped)
    groups = data.groups
    assert groups.counts.sum(axis=1).tolist() == [300, 300]
    agree = float((groups.labels == groups.attribute).mean())
    assert 0.91 < agree < 0.99
    shifted = world_birds(600, "shift", 32).groups
    assert 0.42 < float((shifted.labels == shifted.attribute).mean()) < 0.58
    for index in range(6):
        image, scene = data.read(index), data.scene(index)
        assert image.label == groups.labels[index] == data.classes.index(scene.scene)
        assert groups.attribute[index] == shows_first_cue("bird-background", scene)
        kinds = {thing.kind for thing in scene.objects}
        assert ("gull" in kinds, "robin" in kinds) == (image.label == 1, image.label == 0)
        assert [data.concepts[i].category for i in image.whole] == ["scene"]
    assert data.scene(3) == world_birds(8, "heldout", 32).scene(3)
    assert data.scene(3) != world_birds(8, "heldout", 32, seed=1).scene(3)
    with pytest.raises(DataError, match="no bird 600"):
        data.read(600)
