"""The pass: against a literal twin, in shards, in batches, cached or recomputed, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import DataError, ModelError, OptionError
from microtome.data.base import LabelledImage
from microtome.models.model import Model, wrap
from microtome.models.trace import trace
from microtome.record import settings as record_settings
from microtome.record.blocks import BlockCache
from microtome.record.counting import HalfCounter, Slot, positions_of
from microtome.record.items import beside, halve
from microtome.record.one_pass import Pass
from microtome.record.settings import RecordSettings, block_size, bytes_needed
from tests.reference.overlap import concepts_at, count_overlap
from tests.reference.thresholds import threshold
from tests.reference.upsample import active_cells, upsampled
from tests.support.listed import CONCEPTS, Listed, Slices, random_images, small_model
from tests.support.passes import arrays_of, make_pass, record
from tests.support.shards import same_bits


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three images a block, so that 14 images make five."""
    monkeypatch.setattr(record_settings, "LARGEST_BLOCK", 3)


def activations_literally(model: Model, data: Listed) -> np.ndarray:
    """[image, unit, h, w], one image at a time."""
    maps = []
    with trace(model, ["relu"]) as cache:
        for image in data.images:
            maps.append(cache.run(model.preprocess(image.pixels))["relu"].numpy())
    return np.concatenate(maps).astype(np.float64)


@pytest.mark.usefixtures("small_blocks")
def test_thresholds_and_overlaps_equal_the_literal_twins(tmp_path: Path) -> None:
    data, model = Listed(random_images(8)), small_model()
    images = halve(data, seed=0)
    recording = record(make_pass(tmp_path, images=images, model=model))
    values = activations_literally(model, data).astype(np.float32)
    searched = np.flatnonzero(~images.heldout)
    cells = [concepts_at(image, CONCEPTS, (12, 10)) for image in data.images]
    counter = HalfCounter(recording)
    for unit in range(5):
        low = threshold(values[searched, unit], 0.1)
        assert recording.thresholds[unit] == pytest.approx(low, abs=1e-6)
        wide = [upsampled(one, (12, 10)) for one in values[:, unit]]
        masks = [np.zeros((12, 10), bool) for _ in wide]
        for mask, one in zip(masks, wide, strict=True):
            mask.flat[active_cells(one, low=float(recording.thresholds[unit]))] = True
        (positions,) = positions_of(recording, [Slot(unit, 0, float(recording.thresholds[unit]), np.inf)])
        counts = counter(positions)
        for name in (concept.name for concept in CONCEPTS):
            held = np.zeros(recording.searched.n_signatures, bool)
            indptr, rows = recording.searched.columns
            index = recording.searched.by_name[name]
            held[rows[indptr[index] : indptr[index + 1]]] = True
            for half, (active, entries) in enumerate((counts.searched, counts.heldout)):
                which = np.flatnonzero(images.heldout == bool(half))
                expected = count_overlap([cells[i] for i in which], [masks[i] for i in which], name)
                weight = recording.heldout_weight if half else recording.searched.weight
                assert int(weight[held].sum()) == expected.concept
                assert int(entries.sum()) == expected.unit
                assert int(entries[held[active]].sum()) == expected.both


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shards", [[[0, 1], [2, 3, 4]], [[4, 2], [1], [3, 0]], [[0], [1], [2], [3], [4]]])
def test_shards_give_the_bits_of_a_single_run(tmp_path: Path, shards: list[list[int]]) -> None:
    single = record(make_pass(tmp_path / "single"))
    summaries = [make_pass(tmp_path / "shards").run(blocks) for blocks in shards]
    joined = summaries[-1]
    for other in summaries[:-1]:
        joined.merge(other)
    together = make_pass(tmp_path / "shards").recording(joined)
    assert single.blocks == 5
    assert same_bits(arrays_of(together), arrays_of(single))


@pytest.mark.usefixtures("small_blocks")
def test_a_run_goes_on_with_the_blocks_that_are_missing(tmp_path: Path) -> None:
    expected = arrays_of(record(make_pass(tmp_path / "whole", classify=True)))
    make_pass(tmp_path / "cache", classify=True).run([1, 3])
    cache = BlockCache(tmp_path / "cache")
    cache.path("labels", 3).unlink()
    written = cache.path("activations", 1).stat().st_mtime_ns
    assert same_bits(arrays_of(record(make_pass(tmp_path / "cache", classify=True))), expected)
    assert cache.path("activations", 1).stat().st_mtime_ns == written, "what is there is not made anew"


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(tmp_path: Path, batch_size: int) -> None:
    expected = arrays_of(record(make_pass(tmp_path / "8", batch_size=8)))
    found = arrays_of(record(make_pass(tmp_path / "other", batch_size=batch_size)))
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        if array.dtype.kind == "f":
            assert np.allclose(found[name], array, rtol=1e-6, atol=1e-6), name
        elif name != "summary.histogram.counts":
            assert np.array_equal(found[name], array), name


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_recomputed_equals_cached(tmp_path: Path, dtype: str) -> None:
    cached = record(make_pass(tmp_path / "cached", dtype=dtype))
    step = make_pass(tmp_path / "again", dtype=dtype, recompute=True)
    again = record(step)
    assert same_bits(arrays_of(again), arrays_of(cached))
    for block in range(cached.blocks):
        assert np.array_equal(again.activations(block, 1, 4), cached.activations(block, 1, 4))
        assert "values" not in step.cache.read("activations", block)
    resumed = make_pass(tmp_path / "again", dtype=dtype, recompute=True)
    assert same_bits(arrays_of(record(resumed)), arrays_of(cached))


def test_float16_thresholds_are_of_the_rounded_values(tmp_path: Path) -> None:
    half = record(make_pass(tmp_path / "half", dtype="float16"))
    full = record(make_pass(tmp_path / "full", dtype="float32"))
    assert np.array_equal(half.thresholds, half.thresholds.astype(np.float16).astype(np.float32))
    assert np.array_equal(half.peaks, full.peaks.astype(np.float16).astype(np.float32))
    assert not np.array_equal(half.thresholds, full.thresholds)


def test_some_units_are_those_of_all(tmp_path: Path) -> None:
    every = record(make_pass(tmp_path / "all"))
    some = record(make_pass(tmp_path / "some", units=(3, 1)))
    assert np.array_equal(some.thresholds, every.thresholds[[3, 1]])
    assert np.array_equal(some.peaks, every.peaks[:, [3, 1]])
    assert np.array_equal(some.activations(0, 0, 2), every.activations(0, 0, 5)[:, [3, 1]])


def test_heldout_images_play_no_part_in_thresholds(tmp_path: Path) -> None:
    data = Listed(random_images(6))
    one = record(make_pass(tmp_path / "one", images=beside(data, Listed(random_images(4, seed=1)))))
    other = record(make_pass(tmp_path / "other", images=beside(data, Listed(random_images(9, seed=2)))))
    assert np.array_equal(one.thresholds, other.thresholds)
    assert not np.array_equal(one.summary.moments.mean(), other.summary.moments.mean())


def test_image_level_elements_are_the_maxima_of_the_maps(tmp_path: Path) -> None:
    maps = record(make_pass(tmp_path / "maps"))
    pooled = record(make_pass(tmp_path / "pooled", grid=(1, 1), image_level=True))
    assert np.array_equal(pooled.peaks, maps.peaks)
    assert (pooled.elements, pooled.spatial) == (1, False)
    assert pooled.maps.shape == (14,)


def test_answers_are_those_of_the_model(tmp_path: Path) -> None:
    data, model = Listed(random_images(7)), small_model()
    found = record(make_pass(tmp_path / "asked", images=halve(data, seed=0), classify=True))
    expected = [int(model.logits(model.preprocess(image.pixels)).argmax()) for image in data.images]
    assert found.answers.tolist() == expected
    assert set(record(make_pass(tmp_path / "not asked")).answers.tolist()) == {-1}


class Greedy(Slices):
    """Takes no more than `most` images at a time."""

    def __init__(self, most: int, error: Callable[[], BaseException]) -> None:
        super().__init__()
        self.most, self.error, self.refused = most, error, 0

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most:
            self.refused += 1
            raise self.error()
        return super().forward(x)


def greedy(most: int, error: Callable[[], BaseException]) -> Model:
    module = Greedy(1000, error)
    module.load_state_dict(small_model().module.state_dict())
    model = wrap(module, preprocess=small_model().preprocess, device="cpu")
    model.sites()
    module.most = most
    return model


OUT_OF_MEMORY = {
    "torch": lambda: torch.OutOfMemoryError("no room"),
    "python": MemoryError,
    "old": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory"),
}


@pytest.mark.parametrize("kind", OUT_OF_MEMORY)
def test_a_batch_that_does_not_fit_is_halved_and_noted(tmp_path: Path, kind: str) -> None:
    model = greedy(4, OUT_OF_MEMORY[kind])
    step = make_pass(tmp_path / "greedy", model=model, batch_size=14)
    found = record(step)
    assert step.feed.batches.size == 3
    assert [note[-4:] for note in step.feed.batches.notes] == ["o 7.", "o 3."]
    assert isinstance(model.module, Greedy)
    assert model.module.refused == 2, "the smaller size is kept"
    expected = record(make_pass(tmp_path / "plain"))
    assert np.allclose(found.peaks, expected.peaks, rtol=1e-6, atol=1e-6)
    assert np.array_equal(found.maps, expected.maps)


def test_one_image_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="One image alone does not fit"):
        make_pass(tmp_path, model=greedy(0, OUT_OF_MEMORY["torch"])).run()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("the network broke"), RuntimeError("unsupported memory format"), ValueError("x"), IndexError("y")],
    ids=repr,
)
def test_another_failure_of_the_model_is_not_taken_for_a_lack_of_memory(tmp_path: Path, error: Exception) -> None:
    step = make_pass(tmp_path, model=greedy(4, lambda: error))
    with pytest.raises(ModelError, match=f"Greedy fails on a batch of 8: {type(error).__name__}: {error}") as caught:
        step.run()
    assert caught.value.__cause__ is error
    assert "--batch-size 1" in caught.value.next_step
    assert not step.feed.batches.notes


def test_a_failure_on_one_image_is_no_matter_of_the_batch(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fails on a batch of 1") as caught:
        make_pass(tmp_path, model=greedy(0, lambda: RuntimeError("broken")), batch_size=1).run()
    assert "--batch-size" not in caught.value.next_step


class Scaled(nn.Module):
    """One unit: the brightness times a factor, NaN where the picture is black."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.maps = factor, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        bright = x.mean(1, keepdim=True)
        return self.maps(self.factor * bright / (bright > 0)).mean((2, 3))


def scaled(tmp_path: Path, factor: float, *, black: int | None = None, dtype: str = "float16") -> Pass:
    images = random_images(6)
    if black is not None:
        images[black].pixels[:] = 0
    model = wrap(Scaled(factor), size=16, device="cpu")
    return make_pass(
        tmp_path, model=model, images=halve(Listed(images), seed=0), settings=RecordSettings("maps"), dtype=dtype
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_nan_is_an_error_that_names_layer_and_image(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(DataError, match=r"Layer 'maps' gives NaN .* 'image 4' \(1 of 6") as caught:
        scaled(tmp_path, 1.0, black=4, dtype=dtype).run()
    assert "--layer" in caught.value.next_step
    assert not list(tmp_path.glob("activations*"))


def test_overflow_of_float16_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exceeds 65504") as caught:
        scaled(tmp_path / "half", 1e6).run()
    assert "--cache-dtype float32" in caught.value.next_step
    assert scaled(tmp_path / "full", 1e6, dtype="float32").run().tail.thresholds()[0] > 65504


def test_an_image_that_cannot_be_read_stops_the_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Listed(random_images(6))
    whole = data.read

    def read(index: int) -> LabelledImage:
        if index == 5:
            raise DataError("image 5 is cut off.")
        return whole(index)

    monkeypatch.setattr(record_settings, "LARGEST_BLOCK", 2)
    monkeypatch.setattr(data, "read", read)
    with pytest.raises(DataError, match="image 5 is cut off"):
        make_pass(tmp_path, images=halve(data, seed=0)).run()


def test_a_layer_without_a_map_has_no_pixels(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'fc' has no map"):
        make_pass(tmp_path, settings=RecordSettings("fc"))
    found = record(make_pass(tmp_path, settings=RecordSettings("fc", grid=(1, 1), image_level=True)))
    assert found.peaks.shape == (14, 3)


def test_settings_out_of_range_are_named_together() -> None:
    bad = RecordSettings("x", quantile=0.6, batch_size=0, grid=(0, 5))
    object.__setattr__(bad, "dtype", "float64")
    with pytest.raises(OptionError) as caught:
        bad.check()
    for word in ("--quantile", "--batch-size", "--grid", "--cache-dtype"):
        assert word in str(caught.value)


def test_the_block_size_depends_on_the_layer_alone() -> None:
    assert block_size(512, 49) == 64
    assert block_size(512, 56 * 56) == 64 * 2**20 // (4 * 512 * 56 * 56)
    assert block_size(100_000, 10_000) == 1


def test_the_disk_announced_is_what_the_cache_takes(tmp_path: Path) -> None:
    images = halve(Listed(random_images(60)), seed=0)
    settings = RecordSettings("relu", grid=(112, 112))
    record(make_pass(tmp_path, images=images, settings=settings))
    taken = sum(path.stat().st_size for path in tmp_path.iterdir())
    announced = bytes_needed(settings, images=60, units=5, cells=64)
    assert taken == pytest.approx(announced, rel=0.05)
