"""Passes over texts: padding, batches, shards, pools, halves of two data sets, and what stops a pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from microtome.core.concept import Concept
from microtome.core.errors import DataError, OptionError
from microtome.core.formula import Leaf, Neighbours
from microtome.data.text.base import LabelledText, TextData
from microtome.models.encode import Pool
from microtome.models.text import TextModel, wrap_text
from microtome.record import settings as record_settings
from microtome.record.counting import HalfCounter, Slot, positions_of
from microtome.record.items import Items, beside, halve
from microtome.record.one_pass import Pass
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings
from tests.support.passes import arrays_of
from tests.support.text_worlds import (
    HUGE,
    LABELS,
    ListedTexts,
    PairNet,
    WordsEncoder,
    pair_model,
    pair_texts,
    passage,
    planted_recording,
    token_model,
    token_texts,
    word_names,
)

TOKENS = token_texts(40, seed=4)
SETTINGS = RecordSettings("sum", grid=(1, TOKENS.window), quantile=0.1, batch_size=8, top_k=3)


def token_pass(folder: Path, *, model: TextModel | None = None, items: Items | None = None, **changes: object) -> Pass:
    """A pass of the token network over 40 texts, with settings changed by name."""
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return Pass(model or token_model(), items or halve(TOKENS, seed=0), settings, folder=folder)


def record(step: Pass) -> Recording:
    return step.recording(step.run())


def assert_same(one: Recording, other: Recording) -> None:
    left, right = arrays_of(one), arrays_of(other)
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert np.array_equal(array, right[name]), name


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 40}, {"recompute": True}, {"grid": (1, 50)}])
def test_batches_windows_and_storage_change_nothing(changes: dict[str, Any], tmp_path: Path) -> None:
    plain, other = record(token_pass(tmp_path / "a")), record(token_pass(tmp_path / "b", **changes))
    if "grid" not in changes:
        assert_same(plain, other)
        return
    # A longer window is more padding and nothing else.
    for name in ("thresholds", "peaks", "cells", "image_rows", "image_counts", "heldout_weight"):
        assert np.array_equal(getattr(plain, name), getattr(other, name)), name
    assert np.array_equal(plain.summary.histogram.counts, other.summary.histogram.counts)
    assert np.array_equal(plain.summary.moments.mean(), other.summary.moments.mean())
    assert (np.asarray(other.maps) >= 0).sum() == (np.asarray(plain.maps) >= 0).sum()


def test_shards_and_a_second_start_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_settings, "LARGEST_BLOCK", 7)
    step = token_pass(tmp_path / "whole")
    assert step.blocks == 6
    whole = record(step)
    shards = token_pass(tmp_path / "shards")
    summary = shards.run([4, 1])
    for blocks in ([0, 5], [2, 3]):
        summary.merge(token_pass(tmp_path / "shards").run(blocks))
    assert_same(whole, shards.recording(summary))
    assert_same(whole, record(token_pass(tmp_path / "whole")))


def test_blocks_in_the_cache_are_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_settings, "LARGEST_BLOCK", 10)
    token_pass(tmp_path).run([0, 2])
    model = token_model()
    ran: list[int] = []
    model.module.get_submodule("own").register_forward_hook(lambda module, args, output: ran.append(len(output)))
    record(token_pass(tmp_path, model=model))
    # Two texts are the probe that finds the layers.
    assert sum(ran) == 2 + 20


def test_padding_and_special_tokens_are_nowhere(tmp_path: Path) -> None:
    recording = record(token_pass(tmp_path))
    lengths = np.array([len(TOKENS.read(k).sets) for k in range(len(TOKENS))])
    assert lengths.min() < TOKENS.window
    assert recording.padded
    assert recording.lengths is not None
    assert np.array_equal(recording.lengths, lengths)
    assert recording.searched.total + recording.heldout_weight.sum() == lengths.sum()
    assert recording.peaks.max() < HUGE
    assert (recording.cells < lengths[:, None]).all()
    maps = np.asarray(recording.maps).reshape(len(TOKENS), -1)
    assert np.array_equal((maps >= 0).sum(axis=1), lengths)


def test_above_zero_where_every_token_is(tmp_path: Path) -> None:
    """Padding holds the text's least value, which is above 0 here, and still counts nowhere."""
    model = token_model()
    with torch.no_grad():
        model.module.get_parameter("own.weight")[:, 4] = 3.0
        model.module.get_parameter("before.weight")[:, 4] = 0.0
    recording = record(token_pass(tmp_path, model=model, active="positive"))
    assert recording.positive
    assert not recording.thresholds.any()
    counts = HalfCounter(recording)(positions_of(recording, [Slot(4, 0, 0.0, np.inf)])[0])
    assert counts.searched[1].sum() == recording.searched.total
    assert counts.heldout[1].sum() == recording.heldout_weight.sum()


def test_chosen_units_are_columns_of_all(tmp_path: Path) -> None:
    every, some = record(token_pass(tmp_path / "a")), record(token_pass(tmp_path / "b", units=(5, 2)))
    assert some.units == (5, 2)
    assert np.array_equal(some.thresholds, every.thresholds[[5, 2]])
    assert np.array_equal(some.peaks, every.peaks[:, [5, 2]])
    assert np.array_equal(some.values_of(0), every.values_of(5))


def sentences() -> ListedTexts:
    """The same texts, each one element: its tokens' names are its concepts."""
    texts = []
    for k in range(len(TOKENS)):
        text = TOKENS.read(k)
        texts.append(LabelledText(text.key, text.sides, (tuple(sorted({c for own in text.sets for c in own})),)))
    return ListedTexts(texts, TOKENS.concepts, level="sentence")


@pytest.mark.parametrize("pool", get_args(Pool))
def test_sentences_are_pooled_as_told(pool: Pool, tmp_path: Path) -> None:
    data, model = sentences(), token_model()
    settings = RecordSettings("sum", grid=(1, 1), image_level=True, pool=pool, dtype="float32", active="auto")
    recording = record(Pass(model, halve(data, seed=0), settings, folder=tmp_path))
    for k in range(len(data)):
        values = model.tokens([TOKENS.read(k).pieces], "sum")[0].numpy()
        expected = {
            "max": values.max(axis=0), "any": (values > 0).any(axis=0), "last": values[-1],
            "class": np.full(8, HUGE),
        }[pool]  # fmt: skip
        assert np.array_equal(recording.peaks[k], np.asarray(expected, np.float32))
    # 0 or 1 is rectified; activations that go below 0 are not.
    assert recording.positive == (pool == "any")
    assert recording.elements == 1
    assert not recording.padded


def test_the_model_is_asked_for_pairs_only_when_told(tmp_path: Path) -> None:
    data, model = pair_texts(30), pair_model()
    settings = RecordSettings("relu", grid=(1, 1), image_level=True)
    asked = record_pairs(model, data, settings, tmp_path / "a", classify=True)
    expected = [int(model.logits([data.texts(k)])[0].argmax()) for k in range(len(data))]
    assert asked.answers.tolist() == expected
    assert asked.labels.tolist() == [-1 if (own := data.read(k).label) is None else own for k in range(len(data))]
    silent = record_pairs(model, data, settings, tmp_path / "b", classify=False)
    assert set(silent.answers.tolist()) == {-1}
    assert np.array_equal(silent.peaks, asked.peaks)


def record_pairs(
    model: TextModel, data: TextData, settings: RecordSettings, folder: Path, *, classify: bool
) -> Recording:
    return record(Pass(model, halve(data, seed=0), settings, folder=folder, classify=classify))


def test_neighbours_are_told_in_the_runs_order_of_concepts() -> None:
    data = pair_texts(60, seed=3)
    table = planted_recording(halve(data, seed=0), units=1).searched
    names = [concept.name for concept in data.concepts]
    assert names != sorted(names)
    assert [concept.name for concept in table.concepts] == sorted(names)
    for own, group in enumerate(data.neighbours):
        term = Neighbours(names[own])
        if group:
            assert {table.concepts[m].name for m in table.members(term)} == {names[m] for m in group}
        else:
            assert term not in table.terms
    told = sum(len(group) > 1 for group in data.neighbours)
    assert len(table.terms) == len(names) + told


def test_texts_held_out_with_a_vocabulary_of_their_own(tmp_path: Path) -> None:
    """Concepts are matched by name; what the searched texts do not know is left out; classes are joined."""
    searched, other = pair_texts(40, seed=1, words=24), pair_texts(30, seed=2, words=24)
    extra = (Concept("pre:tok:unheard", "pre:tok"), *other.concepts)
    moved = [
        LabelledText(t.key + "'", t.sides, ((0, *(c + 1 for c in t.sets[0])),), t.label)
        for t in other.listed
    ]  # fmt: skip
    heldout = ListedTexts(moved, extra, level="pair", classes=LABELS[::-1], name="other")
    items = beside(searched, heldout)
    recording = record(
        Pass(pair_model(), items, RecordSettings("relu", grid=(1, 1), image_level=True), folder=tmp_path)
    )
    known = {concept.name for concept in searched.concepts}
    for concept in recording.searched.concepts:
        own = [k for k, each in enumerate(other.concepts) if each.name == concept.name]
        expected = sum(bool(own) and own[0] in text.sets[0] for text in other.listed)
        column = recording.searched.column(Leaf(concept.name))
        assert recording.heldout_weight[column].sum() == expected
    assert "pre:tok:unheard" not in known
    assert recording.heldout_weight.sum() == len(heldout)
    labels = recording.labels[items.heldout]
    assert labels.tolist() == [-1 if t.label is None else len(LABELS) - 1 - t.label for t in other.listed]


def test_an_activation_that_is_no_number_names_the_text(tmp_path: Path) -> None:
    model = token_model()
    with torch.no_grad():
        model.module.get_parameter("own.weight")[-1, 6] = float("nan")
    last = len(word_names(20)) - 1
    first = next(t.key for t in TOKENS.listed if any(piece == 3 + last for piece in t.pieces))
    with pytest.raises(DataError, match=f"text '{first}'"):
        token_pass(tmp_path, model=model).run()


def test_what_float16_cannot_hold_names_the_text(tmp_path: Path) -> None:
    weight = np.zeros((1, 48), np.float32)
    weight[0, 0] = 1e5
    model = wrap_text(
        PairNet(weight, np.zeros(1, np.float32)), encoder=WordsEncoder(word_names(24), sides=2), classes=LABELS,
        device="cpu",
    )  # fmt: skip
    data = pair_texts(20)
    first = next(t.key for t in data.listed if "w00" in t.sides[0].text)
    settings = RecordSettings("relu", grid=(1, 1), image_level=True)
    with pytest.raises(DataError, match=f"largest float16, on text '{first}'"):
        record_pairs(model, data, settings, tmp_path / "a", classify=False)
    wide = record_pairs(model, data, replace(settings, dtype="float32"), tmp_path / "b", classify=False)
    assert wide.peaks.max() == np.float32(1e5)


def test_one_text_cannot_be_halved() -> None:
    with pytest.raises(DataError, match="has 1 text"):
        halve(ListedTexts(TOKENS.listed[:1], TOKENS.concepts, level="token"), seed=0)


@pytest.mark.parametrize("level", ["pair", "token"])
def test_texts_on_the_wrong_kind_of_layer(level: str, tmp_path: Path) -> None:
    if level == "pair":
        settings = RecordSettings("relu", grid=(1, TOKENS.window))
        with pytest.raises(OptionError, match="one value a text, so its elements cannot be tokens"):
            Pass(pair_model(), halve(TOKENS, seed=0), settings, folder=tmp_path)
    else:
        with pytest.raises(OptionError, match="--window is 65"):
            token_pass(tmp_path, grid=(1, 65))


def test_texts_of_one_word_are_whole_items(tmp_path: Path) -> None:
    """A window of one token: a map of a single cell, and still tokens."""
    texts = [
        LabelledText(f"t{k}", (passage([word]),), ((k % 3,),), None, (3 + k % 20,), ((0, 3),))
        for k, word in enumerate(word_names(20) * 2)
    ]  # fmt: skip
    data = ListedTexts(texts, tuple(Concept(name, "tok") for name in "abc"), level="token")
    recording = record(token_pass(tmp_path, items=halve(data, seed=0), grid=(1, 1)))
    assert recording.searched.total == 20
    assert recording.heldout_weight.sum() == 20
    expected = [token_model().tokens([text.pieces], "sum")[0][0].numpy() for text in texts]
    assert np.array_equal(recording.peaks, np.stack(expected).astype(np.float16).astype(np.float32))
