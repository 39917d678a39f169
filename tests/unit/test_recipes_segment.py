"""Segmentation by heat: scores by hand, controls, resumption, where masks come from, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from microtome.core.errors import DataError, MicrotomeError, ModelError, OptionError
from microtome.data.mask_sources import open_masks, read_names
from microtome.data.masks import MaskedImage, SceneMasks, resized
from microtome.data.world.arrangements import Arrangements
from microtome.methods.decompose.heatmap import heatmaps
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.texts import text_directions
from microtome.models.towers.find import tower_of
from microtome.recipes import segment_scores
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.heat_settings import SegmentSettings, rule_named
from microtome.recipes.heat_views import upsampled
from microtome.recipes.segment_pictures import threshold
from microtome.recipes.segment_run import segment_images
from microtome.recipes.segment_scores import CENTRE, CONSTANT, MISMATCHED, centre_blob
from microtome.verify.segmentation import Rule, SegmentationScores, foreground
from tests.support.commands import microtome
from tests.support.pictures import indexed_set, write_broken_picture
from tests.support.towers import SMALL, shaken
from tests.unit.test_data_gtsegs import segmentations

QUICK = SegmentSettings(methods=("decomposition", "raw-attention"), score_size=32, shown=2)


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("world:clip", device="cpu")


def by_name(found: Decomposition) -> dict[tuple[str, str | None], dict]:
    return {(row["method"], row["direction"]): row for row in found.rows("segmentation")}


def test_the_decompositions_row_is_what_one_gets_by_hand(clip: Model, tmp_path: Path) -> None:
    masks = SceneMasks(Arrangements("heldout", count=5))
    found = segment_images(clip, masks, out=tmp_path / "run", settings=QUICK)
    scores, tower = SegmentationScores(), tower_of(clip)
    for number in range(5):
        image = masks.read(number)
        t = text_directions(clip.texts, [f"a {image.text}"], spec="clip")
        heat = heatmaps(tower, clip.preprocess([image.pixels]), t)[:, 0]
        scores.add(image.key, upsampled(heat, 32)[0], resized(image, 32).mask)
    wanted = scores.result(seed=0)
    row = by_name(found)["decomposition", "text"]
    assert row["miou"] == pytest.approx(wanted.mean_iou.mean, abs=1e-3)
    assert row["map"] == pytest.approx(wanted.mean_ap.mean, abs=1e-3)
    assert row["pixel_accuracy"] == pytest.approx(wanted.pixel_accuracy.mean, abs=1e-3)
    assert row["miou_low"] <= row["miou"] <= row["miou_high"]


def test_controls_know_nothing_of_the_image(clip: Model, tmp_path: Path) -> None:
    masks = SceneMasks(Arrangements("heldout", count=5))
    table = by_name(segment_images(clip, masks, out=tmp_path / "run", settings=QUICK))
    truths = [resized(masks.read(n), 32) for n in range(5)]
    background = float(np.mean([~truth.mask for truth in truths]))
    constant, centre = table[CONSTANT, None], table[CENTRE, None]
    assert constant["pixel_accuracy"] == pytest.approx(background)
    assert (constant["miou"], constant["map"]) == pytest.approx((background / 2, 0.5))
    blob = SegmentationScores()
    for truth in truths:
        blob.add(truth.key, centre_blob(32), truth.mask)
    assert centre["miou"] == pytest.approx(blob.result().mean_iou.mean)
    assert centre["gain"] is None
    assert constant["gain"] == pytest.approx(constant["image_iou"] - centre["image_iou"])
    assert table[MISMATCHED, "text - neutral"]["control"]
    assert table[MISMATCHED, "text - neutral"]["images"] == 5
    assert table[MISMATCHED, "text - neutral"]["miou"] != table["decomposition", "text - neutral"]["miou"]
    assert not table["raw-attention", None]["control"]


def test_the_planted_worlds_things_are_what_others_means(clip: Model, tmp_path: Path) -> None:
    found = segment_images(clip, "arranged@6", out=tmp_path / "run", settings=QUICK)
    directions = [row["direction"] for row in found.rows("segmentation") if row["method"] == "decomposition"]
    assert directions == ["text - others", "text - neutral", "text"]
    assert len({row["map"] for row in found.rows("segmentation") if row["method"] == "decomposition"}) == 3
    pictures = found.rows("segment_images")
    assert {row["place"] for row in pictures} == {0, 1}
    assert len(pictures) == 2 * 4
    ious = [row["iou"] for row in pictures if row["direction"] == "text - others"]
    assert ious == sorted(ious)
    assert all((found.path / row["sprite"]).is_file() for row in pictures)


def test_a_run_that_was_stopped_goes_on(clip: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_scores, "BLOCK", 3)
    settings = SegmentSettings(methods=("decomposition",), score_size=32, shown=0)
    whole = segment_images(clip, "arranged@8", out=tmp_path / "whole", settings=settings)

    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_images(clip, "arranged@8", out=tmp_path / "run", settings=settings, progress=stop)
    seen: list[int] = []
    reads = SceneMasks.read
    monkeypatch.setattr(SceneMasks, "read", lambda self, n: (seen.append(n), reads(self, n))[1])
    run = segment_images(clip, "arranged@8", out=tmp_path / "run", settings=settings)
    assert run.rows("segmentation") == whole.rows("segmentation")
    # The first three are read once more, to check the sum and the texts; their block is kept.
    assert [seen.count(n) for n in range(8)] == [1, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("rule", ["mean", "middle", "zero", 0.3, 0.9])
def test_pictures_turn_warm_where_the_foreground_begins(rule: Rule) -> None:
    heat = np.random.default_rng(0).normal(size=(9, 9))
    np.testing.assert_array_equal(foreground(heat, rule), heat > threshold(heat, rule))


def test_rules_by_name() -> None:
    assert [rule_named(word) for word in ("mean", "zero", "0.8")] == ["mean", "zero", 0.8]
    for word in ("median", "1.2", "nan"):
        with pytest.raises(OptionError, match="unknown"):
            rule_named(word)


class Slides:
    """Four squares, one of them unreadable, one without its thing."""

    def __init__(self) -> None:
        self.card = Arrangements("heldout", count=1).card

    def __len__(self) -> int:
        return 4

    def key(self, index: int) -> str:
        return f"slide {index}"

    def read(self, index: int) -> MaskedImage:
        if index == 1:
            raise DataError("'slide 1' is scratched.")
        mask = np.zeros((40, 40), bool)
        mask[:20, :20] = index != 2
        return MaskedImage(self.key(index), np.full((40, 40, 3), 60 * index, np.uint8), mask, "gull")

    def fingerprint(self) -> str:
        return "slides"


def test_what_cannot_be_read_or_shows_nothing_is_left_out_and_told(clip: Model, tmp_path: Path) -> None:
    found = segment_images(clip, Slides(), out=tmp_path / "run", settings=QUICK)
    assert {row["images"] for row in found.rows("segmentation")} == {2}
    notes = " ".join(found.manifest["notes"])
    assert "slide 1: 'slide 1' is scratched." in notes
    assert "1 images show no pixel of their mask" in notes
    strict = SegmentSettings(methods=("decomposition",), images=PassSettings(strict=True))
    with pytest.raises(DataError, match="scratched"):
        segment_images(clip, Slides(), out=tmp_path / "strict", settings=strict)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_damaged_picture_of_a_labelled_folder(tmp_path: Path) -> None:
    labels = {str(n): np.full((6, 8), n % 2, np.uint8) for n in range(4)}
    folder = indexed_set(tmp_path / "set", labels)
    write_broken_picture(folder / "images" / "1.png")
    opened = open_masks(folder, concept="road")
    assert [opened.masks.key(n) for n in range(len(opened.masks))] == ["images/3.png"]
    assert len(opened.problems) == 1
    assert "images/1.png" in opened.problems[0]
    assert opened.things == ("sky", "road", "car")
    with pytest.raises(DataError, match=r"1\.png"):
        open_masks(folder, concept="road", strict=True)
    with pytest.raises(OptionError, match=r"none of them is chosen[\s\S]*sky, road, car"):
        open_masks(folder)
    with pytest.raises(OptionError, match=r"no concept 'raod'[\s\S]*road"):
        open_masks(folder, concept="raod")
    for number in (0, 2, 3):
        write_broken_picture(folder / "images" / f"{number}.png")
    with pytest.raises(DataError, match="None of the 4 images"):
        open_masks(folder, concept="road")


def test_imagenet_segmentation_with_names(clip: Model, tmp_path: Path) -> None:
    file = segmentations(tmp_path / "gtsegs_ijcv.mat")
    with pytest.raises(OptionError, match=r"Nothing says what[\s\S]*--names"):
        segment_images(clip, file, out=tmp_path / "run", settings=QUICK)
    names = tmp_path / "names.txt"
    names.write_text("n02056570 gull, Larus\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no words for 1 [\s\S]*n02814533"):
        open_masks(file, names=names)
    names.write_text("n02056570 gull, Larus\nn02814533 lighthouse\n", encoding="utf-8")
    assert read_names(names) == {"n02056570": "gull", "n02814533": "lighthouse"}
    found = segment_images(clip, tmp_path, names=names, out=tmp_path / "run", settings=QUICK)
    assert [row["images"] for row in found.rows("segmentation")] == [3] * 7
    assert {row["text"] for row in found.rows("segment_images")} <= {"gull", "lighthouse"}
    with pytest.raises(OptionError, match="no concepts"):
        open_masks(file, concept="gull")
    with pytest.raises(OptionError, match="Names are for"):
        open_masks("arranged@3", names=names)


def test_a_classifier_without_texts_by_its_classes(tmp_path: Path) -> None:
    made, size = SMALL["ViT"]
    model = wrap(shaken(made()), size=size, classes=("gull", "hen", "wall", "sea", "sky"), device="cpu")
    settings = SegmentSettings(methods=("all",), score_size=32, shown=0)
    found = segment_images(model, Slides(), out=tmp_path / "run", settings=settings)
    rows = by_name(found)
    assert ("decomposition", "text - neutral") in rows
    assert ("gradcam", "text") in rows
    assert ("rollout", None) in rows
    assert not any(direction == "text - others" for _, direction in rows)
    with pytest.raises(ModelError, match="no class 'gulls'"):
        segment_images(model, Slides(), text="gulls", out=tmp_path / "other", settings=settings)
    bare = wrap(shaken(made()), size=size, device="cpu")
    with pytest.raises(ModelError, match="neither a text side nor classes"):
        segment_images(bare, Slides(), out=tmp_path / "other", settings=settings)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        (SegmentSettings(score_size=8), "score_size"),
        (SegmentSettings(shown=99), "shown"),
        (SegmentSettings(against=("both",)), "against"),
        (SegmentSettings(against=("others",)), "Nothing is known to subtract as 'others'"),
        (SegmentSettings(methods=()), "No heatmap method"),
        (SegmentSettings(methods=("guess",)), "no heatmap method 'guess'"),
        (SegmentSettings(methods=("rollout",), layers=(5,)), "no method counts them"),
        (SegmentSettings(images=PassSettings(limit=0)), "leaves none"),
        (SegmentSettings(neutral="no such pool"), "no such pool"),
    ],
)
def test_bad_settings_leave_nothing(clip: Model, tmp_path: Path, settings: SegmentSettings, match: str) -> None:
    with pytest.raises(MicrotomeError, match=match):
        segment_images(clip, Slides(), out=tmp_path / "run", settings=settings)
    assert not list(tmp_path.iterdir())


def test_layers_are_the_decompositions_own(clip: Model, tmp_path: Path) -> None:
    settings = SegmentSettings(
        methods=("decomposition", "gradcam"), layers=(5,), against=("none",), score_size=32, shown=0
    )
    last = by_name(segment_images(clip, "arranged@4", out=tmp_path / "last", settings=settings))
    whole = SegmentSettings(methods=("decomposition", "gradcam"), against=("none",), score_size=32, shown=0)
    every = by_name(segment_images(clip, "arranged@4", out=tmp_path / "all", settings=whole))
    assert last["gradcam", "text"]["miou"] == every["gradcam", "text"]["miou"]
    assert last["decomposition", "text"]["map"] != every["decomposition", "text"]["map"]


def test_from_the_command_line(tmp_path: Path) -> None:
    words = [
        "decompose", "segment", "world:clip", "--data", "arranged@6", "--limit", "4", "--methods",
        "decomposition,raw_attention", "--score-size", "32", "--shown", "0",
    ]  # fmt: skip
    done = microtome(*words, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["segmentation"]
    assert [row["method"] for row in rows] == ["decomposition"] * 3 + ["raw-attention", MISMATCHED, CENTRE, CONSTANT]
    assert {row["images"] for row in rows} == {4}
    shown = microtome(*words, "--out", tmp_path / "run", "--overwrite")
    assert "mIoU" in shown.out
    bad = microtome(*words, "--rule", "most", "--out", tmp_path / "other")
    assert (bad.code, "threshold rule 'most'" in bad.err) == (2, True)
    assert not torch.is_inference_mode_enabled()
