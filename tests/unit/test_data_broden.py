"""The Broden layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError
from microtome.data.broden import Broden
from tests.support.pictures import broden_code, broden_set, write_picture


def held(data: Broden, index: int) -> list[list[list[str]]]:
    """Names in every cell, plane by plane."""
    image = data.read(index)
    return [[[data.concepts[v - 1].name if v else "" for v in row] for row in plane] for plane in image.planes]


def test_concepts_take_their_most_frequent_category_and_lose_the_suffix(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    assert [(c.name, c.category) for c in data.concepts] == [
        ("sky", "object"),
        ("door", "object"),
        ("wheel", "part"),
        ("red", "color"),
        ("street", "scene"),
        ("beach", "scene"),
        ("grass", "object"),
    ]


def test_planes_of_several_categories_and_numbers_over_255(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    assert held(data, 0) == [
        [["sky", "sky", ""], ["grass", "door", ""]],
        [["", "wheel", "wheel"], ["", "", "wheel"]],
        [["wheel", "", "wheel"], ["wheel", "", ""]],
    ]
    image = data.read(0)
    assert [data.concepts[i].name for i in image.whole] == ["street"]
    assert image.pixels.shape == (4, 6, 3)
    assert image.void is None
    assert [data.concepts[i].name for i in data.read(1).whole] == ["street", "beach"]


def test_an_image_without_planes_keeps_its_grid(tmp_path: Path) -> None:
    assert Broden(broden_set(tmp_path)).read(2).planes.shape == (0, 2, 3)


def test_labelled_categories_and_the_note_on_gaps(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    assert data.labels(0) == {"object", "part", "scene"}
    assert data.labels(1) == {"color", "object", "scene"}
    assert data.labels(2) == {"scene"}
    notes = "\n".join(data.card.notes)
    assert "part is not labelled in 2 of 3 images and counts as absent there" in notes
    assert "scene" not in notes


def test_split(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path), split="val")
    assert [data.key(i) for i in range(len(data))] == ["1.jpg", "2.jpg"]
    with pytest.raises(DataError, match="'val'"):
        Broden(tmp_path, split="vall")


def test_hostile_pictures_are_named(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    write_picture(tmp_path / "images" / "0_object.png", broden_code(np.full((2, 3), 999)))
    (tmp_path / "images" / "0_part_2.png").unlink()
    write_picture(tmp_path / "images" / "0_part_1.png", broden_code(np.zeros((5, 5), dtype=int)))
    with pytest.raises(DataError) as caught:
        data.read(0)
    for words in ("0_object.png", "999", "0_part_2.png' is missing", "0_part_1.png", "5 x 5"):
        assert words in str(caught.value)
    write_picture(tmp_path / "images" / "1_object.png", np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"1_object\.png.*mode L"):
        data.read(1)


def test_table_problems_come_together(tmp_path: Path) -> None:
    broden_set(tmp_path)
    (tmp_path / "label.csv").write_text("number,name,category\nx,a,object(1)\n3,b,\n4,c,o(1)\n5,c,o(2)\n4,d,o(1)\n")
    with pytest.raises(DataError) as caught:
        Broden(tmp_path)
    for words in ("number 'x'", "Label 3", "'c' (o) is both label 4 and 5", "Label 4 is listed twice"):
        assert words in str(caught.value)


def test_index_problems(tmp_path: Path) -> None:
    broden_set(tmp_path)
    index = tmp_path / "index.csv"
    index.write_text("image,sh,sw,object\na.jpg,2,x,\nb.jpg,2,2,9999\nb.jpg,2,2,\n")
    with pytest.raises(DataError) as caught:
        Broden(tmp_path)
    assert "sw = 'x'" in str(caught.value)
    assert "'b.jpg' twice" in str(caught.value)
    index.write_text("image,sh,sw,object\n0.jpg,2,2,9999\n")
    with pytest.raises(DataError, match="label 9999"):
        Broden(tmp_path).read(0)
    index.write_text("image,sh,sw,object\n")
    with pytest.raises(DataError, match="lists no image"):
        Broden(tmp_path)
    index.write_text("picture\n0.jpg\n")
    with pytest.raises(DataError, match="lacks the columns image"):
        Broden(tmp_path)
