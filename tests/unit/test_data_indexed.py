"""Images with one indexed label picture each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from microtome.core.errors import DataError
from microtome.data.indexed import IndexedImages, is_indexed
from tests.support.pictures import indexed_set, photo, write_broken_picture, write_picture

LABEL = np.array([[0, 1, 2], [9, 9, 1]], dtype=np.uint8)


def names(data: IndexedImages) -> list[str]:
    return [concept.name for concept in data.concepts]


def test_planes_void_and_pixels(tmp_path: Path) -> None:
    data = IndexedImages(indexed_set(tmp_path, {"a": LABEL, "b": LABEL[::-1]}))
    image = data.read(0)
    assert names(data) == ["sky", "road", "car"]
    assert data.key(0) == image.key == "images/a.png"
    assert image.planes.tolist() == [[[1, 2, 3], [0, 0, 2]]]
    assert image.void is not None
    assert image.void.tolist() == [[False] * 3, [True, True, False]]
    assert np.array_equal(image.pixels, photo(2, 3, seed=0))
    assert "9" in data.card.notes[0]


def test_an_image_without_void_pixels_has_none(tmp_path: Path) -> None:
    data = IndexedImages(indexed_set(tmp_path, {"a": np.zeros((2, 2))}))
    assert data.read(0).void is None


def test_palette_and_wide_labels(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL, "b": LABEL})
    picture = Image.fromarray(LABEL).convert("P")
    picture.putdata([int(v) for v in LABEL.ravel()])
    picture.putpalette(list(np.random.default_rng(0).integers(0, 256, 768)))
    picture.save(root / "labels" / "a.png")
    Image.fromarray(LABEL.astype(np.uint16)).save(root / "labels" / "b.png")
    data = IndexedImages(root)
    assert np.array_equal(data.read(0).planes, data.read(1).planes)
    assert data.read(0).planes.tolist() == [[[1, 2, 3], [0, 0, 2]]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.csv", "index,name\n0,sky\n1,road\n2,car\n9,void\n"),
        ("classes.json", json.dumps(["sky", "road", "car", *[None] * 6, "unlabelled"])),
        ("classes.json", json.dumps({"0": "sky", "1": "road", "2": "car", "9": "Ignore"})),
        ("classes.txt", "sky\nroad\ncar\nbackground\nb\nc\nd\ne\nf\nvoid\n"),
    ],
)
def test_class_lists_of_every_kind(tmp_path: Path, name: str, text: str) -> None:
    root = indexed_set(tmp_path, {"a": LABEL}, classes=False)
    (root / name).write_text(text)
    image = IndexedImages(root).read(0)
    assert image.planes.tolist() == [[[1, 2, 3], [0, 0, 2]]]
    assert image.void is not None
    assert image.void.sum() == 2


def test_categories_and_background(tmp_path: Path) -> None:
    classes = {"classes": ["background", {"name": "road", "category": "stuff"}, "car"], "void": [9]}
    data = IndexedImages(indexed_set(tmp_path, {"a": LABEL}, classes=classes))
    assert [(c.name, c.category) for c in data.concepts] == [("road", "stuff"), ("car", "object")]
    assert data.read(0).planes.tolist() == [[[0, 1, 2], [0, 0, 1]]]


def test_sub_folders_are_mirrored_and_chosen(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"train/a": LABEL, "val/a": LABEL[:, ::-1]})
    assert len(IndexedImages(root)) == 2
    only = IndexedImages(root, split="val")
    assert [only.key(i) for i in range(len(only))] == ["images/val/a.png"]
    with pytest.raises(DataError, match="test"):
        IndexedImages(root, split="test")


def test_parts_below_one_class_list(tmp_path: Path) -> None:
    for part in ("train", "val"):
        indexed_set(tmp_path / part, {part[0]: LABEL}, classes=False)
    (tmp_path / "classes.json").write_text('{"classes": ["sky", "road", "car"], "void": 9}')
    assert is_indexed(tmp_path)
    both = IndexedImages(tmp_path)
    assert [both.key(i) for i in range(2)] == ["train/images/t.png", "val/images/v.png"]
    assert "train, val" in both.card.notes[0]
    # The class list of the parent serves one part alone, and both ways of asking give the same pixels.
    alone, asked = IndexedImages(tmp_path / "val"), IndexedImages(tmp_path, split="val")
    assert np.array_equal(alone.read(0).planes, asked.read(0).planes)
    assert len(alone) == len(asked) == 1


def test_voc_layout_reads_the_images_with_masks(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_picture(tmp_path / "JPEGImages" / f"{name}.jpg", photo(2, 3))
    for name in ("a", "b"):
        write_picture(tmp_path / "SegmentationClass" / f"{name}.png", LABEL)
    listed = tmp_path / "ImageSets" / "Segmentation" / "val.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("b\n")
    (tmp_path / "classes.json").write_text('{"classes": ["background", "road", "car"], "void": 9}')
    data = IndexedImages(tmp_path)
    assert len(data) == 2
    assert any("1 images" in note for note in data.card.notes)
    assert [IndexedImages(tmp_path, split="val").key(0)] == ["JPEGImages/b.jpg"]


def test_each_hostile_file_is_named(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, dict.fromkeys("abcde", LABEL))
    write_broken_picture(root / "images" / "a.png")
    write_picture(root / "labels" / "b.png", LABEL + 40)
    write_picture(root / "labels" / "c.png", LABEL[:, :2])
    (root / "labels" / "d.png").unlink()
    write_picture(root / "labels" / "e.png", photo(2, 3))
    data = IndexedImages(root)
    for i, (file, words) in enumerate(
        [
            ("images/a.png", "cannot be read"),
            ("labels/b.png", "40, 41, 42, 49"),
            ("labels/c.png", "2 x 2"),
            ("labels/d.png", "no label file"),
            ("labels/e.png", "colours"),
        ]
    ):
        with pytest.raises(DataError) as caught:
            data.read(i)
        assert file in str(caught.value)
        assert words in str(caught.value)


def test_two_problems_of_one_image_come_together(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL})
    write_broken_picture(root / "images" / "a.png")
    write_picture(root / "labels" / "a.png", LABEL + 40)
    with pytest.raises(DataError) as caught:
        IndexedImages(root).read(0)
    assert "images/a.png" in str(caught.value)
    assert "labels/a.png" in str(caught.value)


def test_a_picture_over_the_safety_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = IndexedImages(indexed_set(tmp_path, {"a": np.zeros((20, 20))}))
    data.read(0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(DataError, match="safety limit"),
    ):
        data.read(0)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="too large"):
        data.read(0)


def test_class_list_problems_come_together(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL}, classes={"classes": ["sky", "sky", "", "car", "car"]})
    with pytest.raises(DataError) as caught:
        IndexedImages(root)
    for words in ("'sky' is both index 0 and 1", "Index 2 has an empty name", "'car' is both index 3 and 4"):
        assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "[]", '{"classes": 3}', '{"x": "sky"}', "[" * 100_000])
def test_bad_class_files_are_data_errors(tmp_path: Path, text: str) -> None:
    root = indexed_set(tmp_path, {"a": LABEL}, classes=False)
    (root / "classes.json").write_text(text)
    with pytest.raises(DataError, match=r"classes\.json"):
        IndexedImages(root)


def test_no_class_list_no_images_no_folder(tmp_path: Path) -> None:
    root = indexed_set(tmp_path / "x", {"a": LABEL}, classes=False)
    with pytest.raises(DataError, match="no class list"):
        IndexedImages(root)
    (root / "classes.json").write_text('["sky"]')
    (root / "images" / "a.png").unlink()
    with pytest.raises(DataError, match="no image"):
        IndexedImages(root)
    with pytest.raises(DataError, match="does not exist"):
        IndexedImages(tmp_path / "absent")


def test_fingerprint_follows_files_and_classes(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL, "b": LABEL})
    first = IndexedImages(root).fingerprint()
    assert IndexedImages(root).fingerprint() == first
    assert IndexedImages(root, void=(2,)).fingerprint() != first
    write_picture(root / "labels" / "a.png", np.tile(LABEL, (50, 50)))
    assert IndexedImages(root).fingerprint() != first
