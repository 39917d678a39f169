"""Plain images; folder names as classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from microtome.core.errors import DataError
from microtome.data.folders import ImageFolder
from tests.support.pictures import photo, write_broken_picture, write_picture


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    write_picture(tmp_path / "zebra" / "1.png", photo(seed=1))
    write_picture(tmp_path / "zebra" / "deep" / "2.png", photo(seed=2))
    write_picture(tmp_path / "ant" / "1.png", photo(seed=3))
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    data = ImageFolder(tmp_path)
    assert data.classes == ("ant", "zebra")
    assert [(c.name, c.category) for c in data.concepts] == [("ant", "class"), ("zebra", "class")]
    read = [(data.read(i).key, data.read(i).label, data.read(i).whole) for i in range(3)]
    assert read == [("ant/1.png", 0, (0,)), ("zebra/1.png", 1, (1,)), ("zebra/deep/2.png", 1, (1,))]
    assert np.array_equal(data.read(1).pixels, photo(seed=1))
    assert data.read(1).planes.shape == (0, 6, 8)


def test_images_without_folders_have_no_class(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "images"):
        write_picture(place / "a.jpg", photo())
        data = ImageFolder(place)
        assert data.classes == ()
        assert data.concepts == ()
        assert data.read(0).label is None
        assert data.labels(0) == frozenset()
    # One sub-folder alone is a container.
    assert ImageFolder(tmp_path).classes == ()


def test_loose_images_do_not_label_the_class(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png", "loose.png"):
        write_picture(tmp_path / name, photo())
    data = ImageFolder(tmp_path)
    assert [data.labels(i) for i in range(3)] == [{"class"}, {"class"}, frozenset()]
    assert "1 images" in data.card.notes[0]


def test_parts_of_a_data_set_are_no_classes(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "val/a/1.png"):
        write_picture(tmp_path / name, photo())
    with pytest.raises(DataError, match="not classes"):
        ImageFolder(tmp_path)


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo(4, 10)).save(tmp_path / "phone.png", exif=exif)
    assert ImageFolder(tmp_path).read(0).pixels.shape == (10, 4, 3)


def test_large_images_get_a_small_label_grid(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", np.zeros((600, 1200, 3)))
    assert ImageFolder(tmp_path).read(0).planes.shape == (0, 256, 512)


def test_no_image_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image"):
        ImageFolder(tmp_path)
    write_broken_picture(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png"):
        ImageFolder(tmp_path).read(0)


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    write_picture(tmp_path / "a" / "1.png", photo())
    write_picture(tmp_path / "b" / "1.png", photo())
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(ImageFolder(tmp_path)) == 2
