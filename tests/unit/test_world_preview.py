"""The preview sheet and the command that writes it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from microtome.cli.world import app
from microtome.core.errors import OptionError
from microtome.data.world.dataset import World
from microtome.data.world.palette import PAINT
from microtome.data.world.preview import paint_plane, preview_sheet


def test_the_sheet_shows_each_image_beside_its_masks() -> None:
    world = World("train", count=3, size=32)
    sheet = preview_sheet(world, columns=2, masks=("color",))
    first = world.read(0)
    assert np.array_equal(sheet[6:38, 6:38], first.pixels)
    assert np.array_equal(sheet[6:38, 40:72], paint_plane(first.planes[0]))
    shown = {tuple(color) for color in paint_plane(first.planes[0]).reshape(-1, 3).tolist()}
    assert shown <= {tuple(int(value) for value in paint) for paint in PAINT.values()}


def test_the_command_writes_a_picture(tmp_path) -> None:
    out = tmp_path / "new" / "sheet.png"
    result = CliRunner().invoke(app, ["preview", "--out", str(out), "--count", "2", "--size", "32", "--captions"])
    assert result.exit_code == 0, result.output
    assert "scene" in result.output
    with Image.open(out) as sheet:
        assert sheet.size[1] == 32 + 12


def test_the_command_refuses_what_is_no_picture(tmp_path) -> None:
    result = CliRunner().invoke(app, ["preview", "--out", str(tmp_path / "sheet.txt")])
    assert isinstance(result.exception, OptionError)
    result = CliRunner().invoke(app, ["preview", "--out", str(tmp_path / "a.png"), "--split", "test"])
    assert isinstance(result.exception, OptionError)
    assert not list(tmp_path.iterdir())


def test_masks_are_chosen_by_name() -> None:
    world = World("train", count=1, size=32)
    assert preview_sheet(world, columns=1, masks=()).shape == (44, 44, 3)
    with pytest.raises(ValueError, match="not in"):
        preview_sheet(world, masks=("mood",))
