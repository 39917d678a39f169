"""Bad models, weights and images for decompose: an error that says so, and nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from microtome.core.errors import DataError, MicrotomeError, ModelError, RunError
from microtome.data.base import LabelledImage
from microtome.data.folders import ImageFolder
from microtome.models.model import Model
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.direct_pass import PassSettings
from microtome.record.one_pass import silent
from tests.support.commands import nothing_new, photos
from tests.support.decompose_worlds import Spoilt, labelled, small_pool, spoil, tiny_clip
from tests.support.listed import Listed, small_model
from tests.support.pictures import photo, write_broken_picture, write_picture

SETTINGS = HeadSettings(texts=3, chance_draws=19, pairs=0, shown_texts=1, shown_images=2)


def refuse(
    tmp_path: Path, kind: type[MicrotomeError], *said: str, model: Model | None = None, data: Any = None,
    texts: Any = None, strict: bool = False, out: str = "run", progress: Any = silent,
) -> None:  # fmt: skip
    """Assert that heads are refused with a message that holds all of `said`, and that nothing new stands there."""
    settings = replace(SETTINGS, images=PassSettings(strict=strict))
    with nothing_new(tmp_path), pytest.raises(kind) as error:
        decompose_heads(
            model or tiny_clip(), labelled() if data is None else data, texts=small_pool() if texts is None else texts,
            out=tmp_path / out, settings=settings, progress=progress,
        )  # fmt: skip
    for words in said:
        assert words in str(error.value)


def test_a_model_without_attention(tmp_path: Path) -> None:
    refuse(tmp_path, ModelError, "cannot be decomposed", "SiglipModel", model=small_model())


def test_a_model_without_texts(tmp_path: Path) -> None:
    refuse(tmp_path, ModelError, "has no text side", model=replace(tiny_clip(), texts=None))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "name", ["vision.patches.weight", "vision.blocks.1.attention.value.weight", "vision.project.weight"]
)
def test_weights_that_are_no_numbers(tmp_path: Path, name: str, value: float) -> None:
    def change(net: Any) -> None:
        net.get_parameter(name).view(-1)[3] = value

    refuse(tmp_path, ModelError, "do not add up", "NaN", model=spoil(tiny_clip(), change))


def test_a_text_tower_that_is_no_number(tmp_path: Path) -> None:
    def change(net: Any) -> None:
        net.text.project.weight[0, 0] = np.nan

    refuse(tmp_path, ModelError, "text tower", "NaN", model=spoil(tiny_clip(), change))


def nan_from(model: Model, image: int) -> Model:
    """The model whose first norm gives NaN for one image of the pass."""
    seen = [0]

    def hook(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        first = seen[0]
        seen[0] += len(output)
        if first <= image < seen[0]:
            output = output.clone()
            output[image - first] = np.nan
        return output

    model.module.get_submodule("vision.norm_before").register_forward_hook(hook)
    return model


@pytest.mark.parametrize("image", [3, 40])
def test_one_image_that_the_model_makes_no_number_of(tmp_path: Path, image: int) -> None:
    """The sum is checked on the first batch; what is no number later is an error all the same."""
    refuse(tmp_path, ModelError, model=nan_from(tiny_clip(), image))


def test_terms_that_are_too_large_to_sum(tmp_path: Path) -> None:
    """Weights a million times too large: an error of the user's or a run, but no traceback."""

    def change(net: Any) -> None:
        net.vision.blocks[1].attention.value.weight.mul_(1e6)

    model = spoil(tiny_clip(), change)
    try:
        found = decompose_heads(model, labelled(), texts=small_pool(), out=tmp_path / "run", settings=SETTINGS)
    except MicrotomeError:
        assert list(tmp_path.iterdir()) == []
    else:
        assert all(np.isfinite(row["variance"]) for row in found.rows("heads"))


@pytest.mark.parametrize("count", [1, 3, 19])
def test_too_few_images(tmp_path: Path, count: int) -> None:
    refuse(tmp_path, MicrotomeError, "too few", "at least 20", data=labelled(count))


@pytest.mark.parametrize("readable", [1, 3, 19])
def test_too_few_images_that_can_be_read(tmp_path: Path, readable: int) -> None:
    """Those that were skipped do not count: names from one image are none."""
    refuse(tmp_path, MicrotomeError, "too few", data=Spoilt(labelled(), lambda n: n >= readable))


def test_no_image_that_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for n in range(25):
        write_broken_picture(folder / f"{n}.png")
    refuse(tmp_path, DataError, "None of the 25 images can be read", "and 20 more", data=ImageFolder(folder))


def test_a_broken_picture_among_good_ones(tmp_path: Path) -> None:
    folder = photos(tmp_path / "data", count=25)
    write_broken_picture(folder / "7.png")
    (folder / "8.png").write_bytes(b"")
    (folder / "9.png").write_bytes(b"no picture at all")
    refuse(tmp_path, DataError, "7.png", data=ImageFolder(folder), strict=True)
    found = decompose_heads(
        tiny_clip(), ImageFolder(folder), texts=small_pool(), out=tmp_path / "run", settings=SETTINGS
    )
    assert found.manifest["data"]["skipped"] == 3
    assert any("3 images could not be read" in note and "7.png" in note for note in found.manifest["notes"])


def test_a_picture_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    folder = photos(tmp_path / "data", count=25)
    data = ImageFolder(folder)
    (folder / "3.png").unlink()
    found = decompose_heads(tiny_clip(), data, texts=small_pool(), out=tmp_path / "run", settings=SETTINGS)
    assert found.manifest["data"]["skipped"] == 1


def test_strict_is_asked_for_after_a_run_that_was_not(tmp_path: Path) -> None:
    """A draft that skipped an image is not taken up by a run that must not skip any."""

    def killed(stage: str, done: int, total: int) -> None:
        if stage == "naming heads":
            raise KeyboardInterrupt

    data = Spoilt(labelled(), lambda n: n == 4)
    with pytest.raises(KeyboardInterrupt):
        decompose_heads(tiny_clip(), data, texts=small_pool(), out=tmp_path / "run", settings=SETTINGS, progress=killed)
    strict = replace(SETTINGS, images=PassSettings(strict=True))
    with pytest.raises(DataError, match="004"):
        decompose_heads(tiny_clip(), data, texts=small_pool(), out=tmp_path / "run", settings=strict)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_odd_sizes_and_modes(tmp_path: Path) -> None:
    from PIL import Image

    folder = photos(tmp_path / "data", count=20)
    write_picture(folder / "grey.png", photo(8, 8)[:, :, 0])
    write_picture(folder / "dot.png", photo(1, 1))
    write_picture(folder / "line.png", photo(1, 400))
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(folder / "clear.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).convert("P").save(folder / "palette.png")
    data = ImageFolder(folder)
    found = decompose_heads(tiny_clip(), data, texts=small_pool(), out=tmp_path / "run", settings=SETTINGS)
    assert found.manifest["summary"]["images"] == 25


def test_pictures_all_alike(tmp_path: Path) -> None:
    one = LabelledImage("same", photo(32, 32), np.zeros((0, 2, 2), np.int32), label=0)
    data = Listed([replace(one, key=str(n)) for n in range(30)], (), classes=("tree", "car"))
    found = decompose_heads(tiny_clip(), data, texts=small_pool(), out=tmp_path / "run", settings=SETTINGS)
    assert found.manifest["summary"]["above_chance"] == 0
    assert all(row["variance"] < 1e-9 for row in found.rows("heads"))


def test_a_run_stands_there_already(tmp_path: Path) -> None:
    def go(*, overwrite: bool = False, model: Model | None = None) -> None:
        decompose_heads(
            model or tiny_clip(), labelled(20), texts=small_pool(), out=tmp_path / "run", settings=SETTINGS,
            overwrite=overwrite,
        )  # fmt: skip

    go()
    with nothing_new(tmp_path), pytest.raises(RunError, match="holds a run already"):
        go()
    with nothing_new(tmp_path), pytest.raises(ModelError):
        go(overwrite=True, model=nan_from(tiny_clip(), 0))
    go(overwrite=True)


@pytest.mark.parametrize("kind", ["file", "folder", "partial"])
def test_something_else_stands_there(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "run").write_text("mine")
    else:
        folder = tmp_path / ("run" if kind == "folder" else "run.partial")
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
    refuse(tmp_path, RunError, "in the way" if kind == "partial" else "no run of microtome")


@pytest.mark.parametrize("stage", ["reading", "naming heads", "predicting heads from their texts", "drawing heads"])
def test_an_error_at_any_stage_leaves_nothing(tmp_path: Path, stage: str) -> None:
    def failing(now: str, done: int, total: int) -> None:
        if now == stage:
            raise DataError("my own")

    refuse(tmp_path, DataError, "my own", progress=failing)


ERRORS = {
    "texts": ({"texts": 0}, "texts is 0"),
    "many texts": ({"texts": 201}, "texts is 201"),
    "draws": ({"chance_draws": 18}, "chance_draws"),
    "pairs": ({"pairs": -1}, "pairs"),
    "fdr": ({"fdr": 1.0}, "fdr"),
    "nan": ({"fdr": float("nan")}, "fdr"),
    "pictures": ({"shown_images": 0}, "shown_images"),
    "layer": ({"layers": (0, 2)}, "no layer 2"),
    "no layer": ({"layers": ()}, "No layer"),
    "batch": ({"images": PassSettings(batch_size=0)}, "batch size is 0"),
    "classes": ({"classes": ("a tree",)}, "1 class texts and 3 classes"),
    "template": ({"template": "a tree"}, "no place for the class"),
    "an unknown word": ({"template": "a {} {name}"}, "no word 'name'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_settings_out_of_range_leave_nothing(tmp_path: Path, case: str) -> None:
    changes, said = ERRORS[case]
    with nothing_new(tmp_path), pytest.raises(MicrotomeError, match=said):
        decompose_heads(
            tiny_clip(), labelled(), texts=small_pool(), out=tmp_path / "run", settings=replace(SETTINGS, **changes)
        )
