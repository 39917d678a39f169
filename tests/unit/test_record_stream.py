"""The streaming pass: killed, sharded, with images that cannot be read, in batches of any size."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from microtome.core.errors import DataError, ModelError
from microtome.data.base import ImageData, LabelledImage
from microtome.models.model import Model, wrap
from microtome.models.preprocess import Preprocess
from microtome.models.towers.find import tower_of
from microtome.recipes.direct_pass import Opened, PassSettings, direct_pass
from microtome.record.stream import BLOCK, StreamPass, no_grad
from tests.support.decompose_worlds import Spoilt, labelled, tiny_clip
from tests.support.listed import Listed
from tests.support.shards import same_bits

COUNT = 150


def seen(model: Model) -> Callable[[Tensor], dict[str, Tensor]]:
    return no_grad(lambda x: {"output": model.module(x), "mean": x.mean((1, 2, 3))})


def stream(folder: Path, data: ImageData | None = None, **options: object) -> StreamPass:
    model = tiny_clip()
    return StreamPass(model, data or labelled(COUNT), seen(model), folder=folder, **options)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StreamPass:
    made = stream(tmp_path_factory.mktemp("whole"))
    made.run()
    return made


def test_blocks_in_order_with_index_and_label(whole: StreamPass) -> None:
    blocks = list(whole)
    assert [len(block.index) for block in blocks] == [64, 64, 22]
    assert whole.index().tolist() == list(range(COUNT))
    assert whole.labels().tolist() == [n % 3 for n in range(COUNT)]
    assert whole.whole("output").shape == (COUNT, 16)
    assert set(blocks[0].arrays) == {"output", "mean"}
    assert set(next(whole.take(["mean"])).arrays) == {"mean"}
    assert whole.problems() == []
    assert len(files(whole._cache.folder)) == whole.blocks == 3


def test_what_is_kept_is_what_the_function_returned(whole: StreamPass) -> None:
    model, data = whole.model, whole.data
    for number in (0, 63, 64, 149):
        x = model.preprocess(data.read(number).pixels, crop=True)
        with torch.no_grad():
            assert np.allclose(whole.whole("output")[number], model.module(x)[0].numpy(), rtol=0, atol=1e-5)
        assert whole.whole("mean")[number] == pytest.approx(float(x.mean()), abs=1e-6)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_pass_that_was_killed_goes_on_where_it_stopped(whole: StreamPass, tmp_path: Path, after: int) -> None:
    ran = []

    def killed(stage: str, done: int, total: int) -> None:
        ran.append(done)
        if len(ran) == after + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path).run(progress=killed)
    left = files(tmp_path)
    assert len(left) == after + 1
    # What lies there is taken as it is; the rest is computed.
    stamps = {name: (tmp_path / name).stat().st_mtime_ns for name in left}
    resumed = stream(tmp_path)
    resumed.run()
    assert files(tmp_path) == files(whole._cache.folder)
    assert stamps == {name: (tmp_path / name).stat().st_mtime_ns for name in left}


def test_a_pass_that_dies_within_a_block_leaves_whole_blocks_alone(whole: StreamPass, tmp_path: Path) -> None:
    model, calls = tiny_clip(), []

    def dying(x: Tensor) -> dict[str, Tensor]:
        calls.append(len(x))
        if sum(calls) > 100:
            raise KeyboardInterrupt
        return seen(model)(x)

    with pytest.raises(KeyboardInterrupt):
        StreamPass(model, labelled(COUNT), dying, folder=tmp_path).run()
    assert list(files(tmp_path)) == ["stream-000000.safetensors"]
    stream(tmp_path).run()
    assert files(tmp_path) == files(whole._cache.folder)


@pytest.mark.parametrize("seed", [0, 1])
def test_shards_in_any_order_leave_the_files_of_one_pass(whole: StreamPass, tmp_path: Path, seed: int) -> None:
    order = random.Random(seed).sample(range(3), 3)
    for block in order:
        stream(tmp_path).run([block])
    assert files(tmp_path) == files(whole._cache.folder)
    joined = stream(tmp_path)
    joined.run()
    for one, other in zip(joined, whole, strict=True):
        assert same_bits(one.arrays, other.arrays)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_batches_of_any_size_agree(whole: StreamPass, tmp_path: Path, size: int) -> None:
    other = stream(tmp_path, batch_size=size)
    other.run()
    expected = whole.whole("output")
    assert np.abs(other.whole("output") - expected).max() <= 1e-6 * np.abs(expected).max()
    assert other.batch_size <= BLOCK


def broken(number: int) -> bool:
    """The whole second block, and some of the others."""
    return 64 <= number < 128 or number in (3, 149)


def test_images_that_cannot_be_read_are_left_out_and_named(whole: StreamPass, tmp_path: Path) -> None:
    data = Spoilt(labelled(COUNT), broken)
    found = stream(tmp_path, data)
    found.run()
    kept = [n for n in range(COUNT) if not broken(n)]
    assert found.index().tolist() == kept
    assert found.labels().tolist() == [n % 3 for n in kept]
    assert np.allclose(found.whole("output"), whole.whole("output")[kept], rtol=0, atol=1e-5)
    assert len(found.problems()) == 66
    assert found.problems()[0] == "003: 003 is no picture."
    assert [block.index[0] for block in found] == [0, 128]
    # Killed and resumed, or in shards, the problems stay.
    again = stream(tmp_path, data)
    again.run()
    assert again.problems() == found.problems()


def test_a_strict_pass_ends_at_the_first_of_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="003 is"):
        stream(tmp_path, Spoilt(labelled(COUNT), broken), strict=True).run()
    clean = stream(tmp_path / "clean", strict=True)
    clean.run()
    assert len(clean.index()) == COUNT


def test_a_pass_without_a_readable_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="None of the 70 images") as error:
        stream(tmp_path, Spoilt(labelled(70), lambda n: True)).run()
    assert "000: 000 is no picture" in str(error.value)
    assert "and 65 more" in str(error.value)


def test_a_model_that_fails_on_a_batch_says_so(tmp_path: Path) -> None:
    def failing(x: Tensor) -> dict[str, Tensor]:
        raise RuntimeError("my own")

    with pytest.raises(ModelError, match="fails on a batch of 16 images: RuntimeError: my own"):
        StreamPass(tiny_clip(), labelled(20), failing, folder=tmp_path).run()


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, AssertionError])
def test_whatever_the_model_raises_is_an_error_of_the_model(tmp_path: Path, error: type[Exception]) -> None:
    def failing(x: Tensor) -> dict[str, Tensor]:
        raise error("my own")

    with pytest.raises(ModelError, match="my own"):
        StreamPass(tiny_clip(), labelled(20), failing, folder=tmp_path).run()


def test_images_are_cut_as_the_model_says(tmp_path: Path) -> None:
    """A wide picture: its middle alone is seen, at the size of the model."""
    pixels = np.zeros((48, 144, 3), np.uint8)
    pixels[:, 48:96] = 255
    data = Listed([LabelledImage("wide", pixels, np.zeros((0, 2, 2), np.int32))], ())
    preprocess = Preprocess(size=32, crop="center", resize_short=32)
    model = wrap(tiny_clip().module, preprocess=preprocess, device="cpu")
    found = StreamPass(model, data, lambda x: {"x": x}, folder=tmp_path)
    found.run()
    x = found.whole("x")
    assert x.shape == (1, 3, 32, 32)
    assert x[:, :, :, 2:-2].min() == 1.0, "the white middle"


def test_progress_counts_images(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    stream(tmp_path).run(progress=lambda *words: said.append(words))
    assert said == [("reading", 64, COUNT), ("reading", 128, COUNT), ("reading", COUNT, COUNT)]


def test_the_terms_of_a_pass_add_up_and_are_checked_on_the_first_batch(tmp_path: Path) -> None:
    model = tiny_clip()
    opened = Opened(model, tower_of(model), labelled(70))
    found = direct_pass(opened, tmp_path / "a", PassSettings(batch_size=32))
    found.run()
    block = next(iter(found))
    assert {name: array.shape[1:] for name, array in block.arrays.items()} == {
        "heads": (2, 4, 6), "mlps": (2, 16), "embedding": (16,), "output": (16,),
    }  # fmt: skip
    # The control: a tower that claims another network.
    other = Opened(model, tower_of(tiny_clip(seed=1)), labelled(70))
    wrong = Opened(model, type(other.tower)(**{**vars(opened.tower), "layers": other.tower.layers}), labelled(70))
    with pytest.raises(ModelError, match="do not add up"):
        direct_pass(wrong, tmp_path / "b", PassSettings()).run()
    assert not (tmp_path / "b").exists()
