"""The shipped CLIP: its network and words, its training script, its card's arithmetic, its files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from microtome.core.errors import DataError, ModelError
from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.factors import FACTOR_VALUES
from microtome.data.world.varied import caption_words
from microtome.models import clip_file
from microtome.models.clip_file import CARD, WEIGHTS, clip_card, clip_card_text, load_world_clip
from microtome.models.clip_words import END, PAD, START, ClipWords, words_in
from microtome.models.load import load
from microtome.models.world_clip import ClipSizes, WorldClip
from microtome.zoo import clip_training
from microtome.zoo.clip_card import Measured, prompts, recall
from microtome.zoo.clip_training import (
    ClipSettings,
    batch_of,
    contrast,
    make_pictures,
    members_of,
    rate,
    trained_words,
    worded,
)
from microtome.zoo.train_world_clip import CHECKPOINT, PICTURES, train_world_clip

TINY = ClipSizes(image=16, patch=8, width=16, layers=1, heads=2, text_width=16, text_layers=1, text_heads=2, shared=8)
SETTINGS = ClipSettings(families=12, steps=6, batch=4, warmup=2)
FEW = Measured(arrangements=12, retrieval=12, scenes=16, birds=8, signs=6)


def _train(out: Path, work: Path, settings: ClipSettings = SETTINGS) -> dict[str, Any]:
    return train_world_clip(settings, out=out, work=work, sizes=TINY, measured=FEW, note="a note", every=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Files and work folder of an uninterrupted run; all runs have one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("clip")
    _train(root / "out", root / "work")
    yield root / "out", root / "work"
    torch.set_num_threads(threads)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, work = whole

    def stop(*given: Any) -> Any:
        if given[-1] == 5:
            raise KeyboardInterrupt
        return batch_of(*given)

    with monkeypatch.context() as patched:
        patched.setattr(clip_training, "batch_of", stop)
        with pytest.raises(KeyboardInterrupt):
            _train(tmp_path / "out", tmp_path / "work")
    assert torch.load(tmp_path / "work" / CHECKPOINT)["step"] == 4
    card = _train(tmp_path / "out", tmp_path / "work")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (out / WEIGHTS).read_bytes()
    expected = json.loads((out / CARD).read_text())
    assert [point["step"] for point in card["curve"]] == [2, 4, 6]
    for one in (card, expected):
        one["training"].pop("seconds")
    assert json.loads(json.dumps(card)) == expected
    assert (work / CHECKPOINT).exists()


def test_a_run_at_its_end_is_measured_again(whole: tuple[Path, Path], tmp_path: Path) -> None:
    out, work = whole
    before = (work / CHECKPOINT).read_bytes()
    again = _train(tmp_path, work)
    assert (work / CHECKPOINT).read_bytes() == before
    assert (tmp_path / WEIGHTS).read_bytes() == (out / WEIGHTS).read_bytes()
    assert again["curve"] == json.loads((out / CARD).read_text())["curve"]


def test_weights_are_stored_in_16_bits_with_a_whole_card(whole: tuple[Path, Path]) -> None:
    out, _ = whole
    stored = load_file(out / WEIGHTS)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    card = json.loads((out / CARD).read_text())
    assert card["parameters"] == sum(value.numel() for value in stored.values())
    assert card["training"]["note"] == "a note"
    assert card["training"]["pictures"] == 48
    assert card["training"]["seconds"] >= 0
    net = WorldClip(ClipSizes(**card["sizes"]))
    net.load_state_dict({name: value.float() for name, value in stored.items()})


def test_a_run_can_begin_with_the_weights_of_another(whole: tuple[Path, Path], tmp_path: Path) -> None:
    """With a learning rate of nothing the weights stay those of the earlier run, whatever the seed."""
    out, work = whole
    still = ClipSettings(families=12, steps=2, batch=4, seed=3, learning_rate=0.0)
    card = train_world_clip(
        still, out=tmp_path / "out", work=tmp_path / "work", sizes=TINY, measured=FEW, start=work / CHECKPOINT
    )
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (out / WEIGHTS).read_bytes()
    assert card["training"]["earlier_curve"] == json.loads((out / CARD).read_text())["curve"]
    assert [point["step"] for point in card["curve"]] == [2]


def test_another_seed_gives_other_weights(whole: tuple[Path, Path], tmp_path: Path) -> None:
    _train(tmp_path / "out", tmp_path / "work", ClipSettings(families=12, steps=6, batch=4, warmup=2, seed=1))
    assert (tmp_path / "out" / WEIGHTS).read_bytes() != (whole[0] / WEIGHTS).read_bytes()


def test_batches_depend_on_seed_and_step_alone(whole: tuple[Path, Path]) -> None:
    words = ClipWords(caption_words(), context=40)
    pictures = make_pictures(SETTINGS, size=16, kept=whole[1] / PICTURES, workers=1)
    first = batch_of(pictures, words, SETTINGS, 3)
    batch_of(pictures, words, SETTINGS, 1)
    again = batch_of(pictures, words, ClipSettings(families=12, steps=99, batch=4), 3)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1][0], again[1][0])
    assert worded(pictures.members, SETTINGS, 3) != worded(pictures.members, SETTINGS, 4)
    other = ClipSettings(families=12, steps=6, batch=4, seed=1)
    assert worded(pictures.members, SETTINGS, 3) != worded(pictures.members, other, 3)


def test_mirrored_pictures_are_told_as_mirrored(whole: tuple[Path, Path]) -> None:
    pictures = make_pictures(SETTINGS, size=16, kept=whole[1] / PICTURES, workers=1)
    words = ClipWords(caption_words(), context=40)
    said = worded(pictures.members, SETTINGS, 0)
    pixels, _ = batch_of(pictures, words, SETTINGS, 0)
    assert 0 < sum(said.mirrored) < len(said.rows)
    for shown, row, mirror in zip(pixels, said.rows, said.mirrored, strict=True):
        kept = (torch.from_numpy(np.array(pictures.pixels[row])).permute(2, 0, 1).float() / 255 - 0.5) / 0.25
        assert torch.equal(shown, kept.flip(-1) if mirror else kept)


def test_numerals_are_never_mirrored() -> None:
    settings = ClipSettings(families=80, batch=80)
    members = members_of(settings)
    said = worded(members, settings, 0)
    signs = [
        mirror
        for row, mirror in zip(said.rows, said.mirrored, strict=True)
        if any(thing.numeral is not None for thing in members[row].scene.objects)
    ]
    assert len(signs) >= 8
    assert not any(signs)


def test_pictures_of_another_run_are_refused(whole: tuple[Path, Path]) -> None:
    with pytest.raises(SystemExit, match="remove it to render again"):
        make_pictures(ClipSettings(families=13), size=16, kept=whole[1] / PICTURES, workers=1)


def test_words_that_no_caption_holds_become_placeholders(whole: tuple[Path, Path]) -> None:
    pictures = make_pictures(SETTINGS, size=16, kept=whole[1] / PICTURES, workers=1)
    known = trained_words(pictures.members, SETTINGS, caption_words())
    assert len(known) == len(caption_words())
    met = {word for text in worded(pictures.members, SETTINGS, 0).captions for word in words_in(text)}
    for number, (word, kept) in enumerate(zip(caption_words(), known, strict=True)):
        assert kept == (word if word in met else f"#{number}")
    assert "seven" not in known


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [rate(SETTINGS, step) for step in range(SETTINGS.steps + 1)]
    assert rates[:2] == [pytest.approx(SETTINGS.learning_rate / 2), pytest.approx(SETTINGS.learning_rate)]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0.0)


def test_the_loss_leaves_out_repeated_texts() -> None:
    table = torch.tensor([[2.0, 1.0, 9.0], [0.5, 3.0, 0.0], [7.0, 0.0, 1.0]])
    ids = torch.tensor([[1, 5, 2], [1, 6, 2], [1, 5, 2]])

    def literal(rows: torch.Tensor, allowed: list[list[int]]) -> float:
        logs = [math.log(sum(math.exp(float(rows[i, j])) for j in row)) for i, row in enumerate(allowed)]
        return sum(log - float(rows[i, i]) for i, log in enumerate(logs)) / 3

    allowed = [[0, 1], [0, 1, 2], [1, 2]]
    expected = (literal(table, allowed) + literal(table.T, allowed)) / 2
    assert float(contrast(table, ids)) == pytest.approx(expected, rel=1e-5)
    plain = (functional.cross_entropy(table, torch.arange(3)) + functional.cross_entropy(table.T, torch.arange(3))) / 2
    assert float(contrast(table, torch.arange(3)[:, None])) == pytest.approx(float(plain))
    assert float(plain) > expected + 1


def test_recall_counts_ties_against_and_the_same_words_for() -> None:
    table = torch.tensor([[0.9, 0.1, 0.9], [0.5, 0.5, 0.0], [0.9, 0.2, 0.3]])
    assert recall(table, ["a", "b", "c"])["R@1"] == 0.0
    assert recall(table, ["a", "b", "a"])["R@1"] == pytest.approx(2 / 3, abs=1e-4)
    assert recall(table, ["a", "b", "c"])["R@5"] == 1.0


def test_a_later_word_changes_no_earlier_row_and_padding_nothing() -> None:
    torch.manual_seed(0)
    net = WorldClip(TINY).eval()
    words = ClipWords(("a", "boat", "red"), context=40)
    short, last = words.encode(["red boat"])
    both, lasts = words.encode(["red boat", "a red red boat"])
    assert short.tolist() == [[START, 5, 4, END]]
    assert both[0].tolist() == [START, 5, 4, END, PAD, PAD]
    assert lasts.tolist() == [3, 5]
    assert torch.allclose(net.text(short, last)[0], net.text(both, lasts)[0], atol=1e-6)
    assert not torch.allclose(net.text(both, lasts)[0], net.text(both, lasts)[1], atol=1e-3)


def test_texts_that_it_cannot_read_are_errors() -> None:
    words = ClipWords(("a", "boat", "#2", "image7"), context=6)
    with pytest.raises(DataError, match="knows no word 'boot'") as failed:
        words.encode(["a boot"])
    assert "'boat'" in str(failed.value)
    for unheard in ("2", "#2", "image"):
        with pytest.raises(DataError) as failed:
            words.encode([unheard])
        assert "#2" not in str(failed.value.expected)
    with pytest.raises(DataError, match="There is no word"):
        words.encode(["!"])
    words.encode(["a boat a boat"])
    with pytest.raises(DataError, match="has 5 words, too many"):
        words.encode(["a boat a boat a"])
    assert words.knows("A boat.")
    assert not words.knows("2")


def test_the_shipped_files_fit_their_card() -> None:
    net, texts, card = load_world_clip()
    folder = resources.files("microtome.models").joinpath("weights")
    assert len(folder.joinpath(WEIGHTS).read_bytes()) <= 12_000_000
    whole = json.loads(clip_card_text())
    assert whole["parameters"] == sum(value.numel() for value in net.parameters())
    assert 2_000_000 <= whole["parameters"] <= 4_000_000
    assert whole["world_version"] == WORLD_VERSION
    assert not net.training
    assert texts.context == card.sizes.context <= 70
    assert card.sizes.image == 64
    assert card.sizes.words == len(caption_words()) + 3


def test_the_card_is_complete() -> None:
    card, whole = clip_card(), json.loads(clip_card_text())
    assert set(card.zero_shot) == set(FACTOR_VALUES)
    for factor, values in FACTOR_VALUES.items():
        share = card.zero_shot[factor]
        assert share["chance"] == pytest.approx(1 / len(values), abs=1e-4)
        assert share["low"] <= share["accuracy"] <= share["high"]
        assert (share["accuracy"] >= 2 * share["chance"]) == (factor in card.learned)
    training = whole["training"]
    assert {name: training[name] for name in asdict(ClipSettings())} == asdict(ClipSettings())
    assert set(whole["not_learned"]) == set(FACTOR_VALUES) - set(card.learned)
    assert all(name in whole["in_words"] for name in FACTOR_VALUES)
    for split in ("heldout", "shift"):
        assert whole["birds"][split]["worst_group_accuracy"] <= whole["birds"][split]["accuracy"]
        assert 0 < whole["scenes"][split]["accuracy"] <= 1
    steps = [point["step"] for point in whole["curve"]]
    assert steps == sorted(set(steps))
    assert whole["curve"][-1]["loss"] < whole["curve"][0]["loss"]
    assert {"image to text", "text to image"} <= set(whole["retrieval"]["every property named"])


def test_words_that_were_never_trained_cannot_be_asked_for() -> None:
    card = clip_card()
    unmet = [word for word, kept in zip(caption_words(), card.words, strict=True) if word != kept]
    assert {"object", "image", "many", "behind", "seven"} <= set(unmet)
    assert not {"red", "boat", "striped", "three", "left", "water", "thing"} & set(unmet)
    _, texts, _ = load_world_clip()
    for word in unmet:
        with pytest.raises(DataError, match=f"knows no word '{word}'"):
            texts.lengths([f"a red {word}"])
    asked = [text for factor, values in FACTOR_VALUES.items() for value in values for text in prompts(factor, value)]
    assert max(texts.lengths(asked)) <= texts.context


def test_texts_are_rows_of_the_output_space() -> None:
    model = load("world:clip")
    assert model.texts is not None
    vectors = model.texts.encode(["a red boat", "three striped houses on the left on snow"])
    assert vectors.shape == (2, clip_card().sizes.shared)
    assert not torch.allclose(vectors[0], vectors[1], atol=0.1)


def test_a_damaged_card_or_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    card = json.loads(clip_card_text())
    del card["sizes"]
    with monkeypatch.context() as patched:
        patched.setattr(clip_file, "clip_card_text", lambda: json.dumps(card))
        with pytest.raises(ModelError, match=r"clip\.json of the shipped CLIP is damaged"):
            clip_card()
    with monkeypatch.context() as patched:
        patched.setattr(clip_file, "CARD", "nowhere.json")
        with pytest.raises(ModelError, match=r"no file models/weights/nowhere\.json"):
            clip_card()
    card = json.loads(clip_card_text())
    card["sizes"]["width"] = 80
    with monkeypatch.context() as patched:
        patched.setattr(clip_file, "clip_card_text", lambda: json.dumps(card))
        with pytest.raises(ModelError, match="do not fit the network"):
            load_world_clip()
