"""The user's image generator: found by name, and held to what it returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from microtome.core.errors import ModelError
from microtome.recipes.adversary_generator import generate, load_generator


@pytest.mark.parametrize(
    "image", [np.full((5, 4, 3), 7, np.uint8), Image.new("RGB", (4, 5), (7, 7, 7)), Image.new("L", (4, 5), 7)]
)
def test_arrays_and_pictures_are_taken(image: Any):
    assert (generate(lambda prompt, seed: image, "a beach scene", 0) == np.full((5, 4, 3), 7, np.uint8)).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda prompt, seed: 1 / 0, "fails on"),
        (lambda prompt: None, "fails on"),
        (lambda prompt, seed: None, "returns NoneType"),
        (lambda prompt, seed: np.zeros((4, 4, 3)), "returns float64"),
        (lambda prompt, seed: np.zeros((4, 4), np.uint8), r"returns uint8 \[4, 4\]"),
        (lambda prompt, seed: np.zeros((0, 4, 3), np.uint8), "without a pixel"),
    ],
)
def test_a_generator_that_fails_is_named(wrong: Any, message: str):
    with pytest.raises(ModelError, match=message):
        generate(wrong, "a beach scene", 0)


def test_a_generator_is_found_by_file_and_name(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text("def paint(prompt, seed):\n    return seed\nnumber = 3\n")
    assert load_generator(f"{path}:paint")("x", 7) == 7
    for spec, message in (
        (f"{path}:pain", "no function 'pain'"), (f"{path}:number", "no function"), ("mine", "names no image generator"),
        (f"{tmp_path}/no.py:paint", "no file"), ("microtome_nowhere.at:all", "ModuleNotFoundError"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=message):
            load_generator(spec)
    path.write_text("1 / 0\n")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        load_generator(f"{path}:paint")
