"""`microtome data check`: everything that is wrong, at once, and the counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from microtome.cli.data import app
from microtome.core.concept import Concept
from microtome.data.base import DataCard, ImageData, LabelledImage
from microtome.data.check import check_data
from tests.support.pictures import broden_set, indexed_set, write_broken_picture, write_picture

LABEL = np.array([[0, 1, 2], [9, 9, 1]], dtype=np.uint8)


def test_counts_leave_void_out(tmp_path: Path) -> None:
    report = check_data(indexed_set(tmp_path, {"a": LABEL, "b": np.ones((2, 3))}))
    assert report.ok
    counted = {c.name: (c.images, c.pixels) for c in report.concepts if c.category == "object"}
    assert counted == {"sky": (1, 1), "road": (2, 8), "car": (1, 1)}
    colours = sum(c.pixels for c in report.concepts if c.category == "color")
    assert colours == 10
    assert (report.void_pixels, report.pixels, report.images, report.readable) == (2, 12, 2, 2)


def test_counts_of_planes_that_share_a_concept_and_of_whole_images(tmp_path: Path) -> None:
    report = check_data(broden_set(tmp_path))
    counted = {c.name: (c.images, c.pixels) for c in report.concepts}
    # Two part planes of image 0 cover five distinct pixels; scenes cover whole images of 2 x 3.
    assert counted["wheel"] == (1, 5)
    assert counted["street"] == (2, 12)
    assert counted["sky"] == (2, 4)
    assert counted["red"] == (1, 6)


def test_all_problems_at_once(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, dict.fromkeys("abcdef", LABEL))
    write_broken_picture(root / "images" / "a.png")
    write_picture(root / "labels" / "b.png", LABEL + 40)
    write_picture(root / "labels" / "c.png", LABEL[:, :2])
    (root / "labels" / "d.png").unlink()
    write_picture(root / "labels" / "a.png", LABEL + 90)
    report = check_data(root)
    assert not report.ok
    assert (report.images, report.readable) == (6, 2)
    said = "\n".join(report.problems)
    assert len(report.problems) == 5
    for words in ("images/a.png", "90", "40, 41", "2 x 2", "no label file"):
        assert words in said
    assert next(c for c in report.concepts if c.name == "sky").images == 2


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"classes": ["sky", "sky", "car", "car"]}, ("'sky' is both", "'car' is both")),
        ({"classes": [None, "background"]}, ("names no class",)),
    ],
)
def test_a_set_that_cannot_be_opened(tmp_path: Path, classes: dict, words: tuple[str, ...]) -> None:
    report = check_data(indexed_set(tmp_path, {"a": LABEL}, classes=classes))
    assert report.card is None
    for i, word in enumerate(words):
        assert word in report.problems[i]


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    assert "does not exist" in check_data(tmp_path / "absent").problems[0]
    assert "nothing that a reader knows" in check_data(tmp_path).problems[0]


class Faulty(ImageData):
    """A reader that breaks every rule."""

    card = DataCard("faulty", "own", "nowhere")
    concepts = (Concept("sky", "object"),)

    def __len__(self) -> int:
        return 2

    def key(self, index: int) -> str:
        return "same"

    def read(self, index: int) -> LabelledImage:
        planes = np.full((1, 2, 2), 7, dtype=np.int32)
        pixels = np.zeros((2, 2, 3), dtype=np.uint8)
        image = LabelledImage("same", pixels, planes, whole=(5,), label=0)
        # Past the shape checks, which are on in tests alone.
        object.__setattr__(image, "void", np.zeros((1, 2), dtype=bool))
        return image

    def fingerprint(self) -> str:
        return "x"


def test_readers_of_other_people_are_checked() -> None:
    report = check_data(Faulty())
    said = "\n".join(report.problems)
    for words in ("occurs 2 times", "plane value 7", "whole-image concepts (5,)", "void of (1, 2)", "class 0 of 0"):
        assert words in said
    assert report.readable == 0


def test_command_prints_counts(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL}, classes={"classes": ["[red]sky", "road", "car"], "void": 9})
    result = CliRunner().invoke(app, ["check", str(root)])
    assert result.exit_code == 0, result.output
    # Names are text, not markup.
    assert "[red]sky" in result.output
    assert "No problem." in result.output
    assert "33.3% of the label pixels are void" in result.output


def test_command_lists_problems_and_exits_with_2(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL, "b": LABEL})
    (root / "labels" / "a.png").unlink()
    write_broken_picture(root / "images" / "b.png")
    result = CliRunner().invoke(app, ["check", str(root)])
    assert result.exit_code == 2
    assert "2 problems" in result.output
    assert "no label file" in result.output
    assert "cannot be read" in result.output


def test_command_json(tmp_path: Path) -> None:
    root = indexed_set(tmp_path, {"a": LABEL})
    result = CliRunner().invoke(app, ["check", str(root), "--reader", "indexed", "--json"])
    content = json.loads(result.stdout)
    assert content["ok"]
    assert content["card"]["reader"] == "indexed"
    assert content["concepts"][0] == {"name": "sky", "category": "object", "images": 1, "pixels": 1}
    (root / "labels" / "a.png").unlink()
    failed = CliRunner().invoke(app, ["check", str(root), "--json"])
    assert failed.exit_code == 2
    assert len(json.loads(failed.stdout)["problems"]) == 1


def test_the_reader_of_the_how_to_keeps_the_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-data.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict = {}
    exec(compile(code, str(page), "exec"), names)
    report = check_data(names["Halves"]())
    assert report.ok
    assert [(c.name, c.images, c.pixels) for c in report.concepts] == [("left", 3, 96)]
