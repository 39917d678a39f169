"""The eleven basic colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from microtome.core.concept import Concept
from microtome.core.errors import DataError
from microtome.data.coco import CocoPanoptic
from microtome.data.colours import COLOURS, Coloured, colour_names, oklch
from microtome.data.folders import ImageFolder
from tests.support.pictures import coco_set, write_picture


def name_of(rgb: tuple[int, ...]) -> str:
    return COLOURS[colour_names(np.array([[rgb]], dtype=np.uint8))[0, 0]]


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((25, 25, 30), "black"),
        ((128, 128, 128), "grey"),
        ((255, 255, 255), "white"),
        ((250, 248, 240), "white"),
        ((255, 0, 0), "red"),
        ((150, 20, 30), "red"),
        ((255, 165, 0), "orange"),
        ((255, 255, 0), "yellow"),
        ((0, 255, 0), "green"),
        ((20, 70, 30), "green"),
        ((0, 0, 255), "blue"),
        ((135, 206, 235), "blue"),
        ((128, 0, 128), "purple"),
        ((255, 192, 203), "pink"),
        ((139, 69, 19), "brown"),
        ((90, 60, 35), "brown"),
    ],
)
def test_clear_cases(rgb: tuple[int, int, int], name: str) -> None:
    assert name_of(rgb) == name


def test_most_colours_that_the_web_names_get_their_own_word() -> None:
    """An outside judge: the CSS names that end in a basic colour (`darkgreen`, `palevioletred`)."""
    judged = {
        css: word
        for css, value in ImageColor.colormap.items()
        for word in COLOURS
        if css.replace("gray", "grey").endswith(word) and len(ImageColor.getrgb(value)) == 3
    }
    right = [css for css, word in judged.items() if name_of(ImageColor.getrgb(css)) == word]
    assert len(judged) > 60
    assert len(right) / len(judged) > 0.85


def test_oklch_of_the_published_examples() -> None:
    """White is L = 1 without chroma; the hues of sRGB's primaries as the paper's space gives them."""
    lightness, chroma, hue = oklch(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    assert lightness == pytest.approx([1.0, 0.628, 0.452], abs=1e-3)
    assert chroma == pytest.approx([0.0, 0.2577, 0.3132], abs=1e-3)
    assert hue[1:] == pytest.approx([29.23, 264.05], abs=0.1)


def test_every_name_is_used_and_neighbours_mostly_agree() -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    named = colour_names(cube.reshape(len(levels), -1, 3)).reshape(cube.shape[:3])
    assert set(np.unique(named)) == set(range(len(COLOURS)))
    same = np.mean([np.mean(np.diff(named.astype(int), axis=axis) == 0) for axis in range(3)])
    assert same > 0.9


def test_the_plane_follows_the_concepts_that_were_there(tmp_path: Path) -> None:
    data = Coloured(CocoPanoptic(coco_set(tmp_path)))
    assert data.concepts[:3] == CocoPanoptic(tmp_path).concepts
    assert len(data.concepts) == 14
    # The fruit keeps its word; the colour says which sort of word it is.
    assert Concept("orange", "object") in data.concepts
    assert Concept("color:orange", "color") in data.concepts
    image = data.read(0)
    assert image.planes.shape == (2, 2, 3)
    expected = [[COLOURS[v] for v in row] for row in colour_names(image.pixels)]
    got = [[data.concepts[v - 1].name.removeprefix("color:") for v in row] for row in image.planes[1]]
    assert got == expected
    assert data.labels(0) >= {"color"}
    assert image.void is not None


def test_a_smaller_label_grid_sees_averaged_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((600, 1200, 3), dtype=np.uint8)
    pixels[:, :600] = (255, 0, 0)
    pixels[:, 600:] = (0, 0, 255)
    write_picture(tmp_path / "a.png", pixels)
    plane = Coloured(ImageFolder(tmp_path)).read(0).planes[0]
    assert plane.shape == (256, 512)
    assert (plane[:, :256] == COLOURS.index("red") + 1).all()
    assert (plane[:, 256:] == COLOURS.index("blue") + 1).all()


def test_a_cell_sees_its_own_pixels_alone(tmp_path: Path) -> None:
    """Columns two pixels wide, cells two pixels wide: a wider filter would lift the grey to white."""
    pixels = np.zeros((1024, 1024, 3), dtype=np.uint8)
    pixels[:, np.arange(1024) // 2 % 2 == 0] = 215
    pixels[:, np.arange(1024) // 2 % 2 == 1] = 255
    write_picture(tmp_path / "a.png", pixels)
    plane = Coloured(ImageFolder(tmp_path)).read(0).planes[0]
    assert (plane[:, ::2] == COLOURS.index("grey") + 1).all()
    assert (plane[:, 1::2] == COLOURS.index("white") + 1).all()


def test_colours_are_not_added_twice(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    once = Coloured(ImageFolder(tmp_path))
    with pytest.raises(DataError, match="of its own"):
        Coloured(once)
    assert once.fingerprint() != ImageFolder(tmp_path).fingerprint()
