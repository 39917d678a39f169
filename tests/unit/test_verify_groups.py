"""Worst-group accuracy in closed form, and what the segmentation scores promise."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.verify.groups import group_accuracy
from microtome.verify.proportions import wilson
from microtome.verify.segmentation import SegmentationScores, foreground

LABELS = np.array([0] * 10 + [1] * 10)
PLACE = np.array([0] * 8 + [1] * 2 + [0] * 4 + [1] * 6)


def test_groups_have_their_shares_and_the_worst_is_found() -> None:
    right = np.ones(20, bool)
    right[[8, 10, 11, 12]] = False
    found = group_accuracy(right, LABELS, PLACE, classes=("landbird", "waterbird"), values=("land", "water"))
    assert [(g.name, g.right, g.count) for g in found.groups] == [
        ("landbird, land", 8, 8), ("landbird, water", 1, 2), ("waterbird, land", 1, 4), ("waterbird, water", 6, 6),
    ]  # fmt: skip
    assert (found.worst.name, found.worst.accuracy) == ("waterbird, land", 0.25)
    assert (found.worst.low, found.worst.high) == wilson(1, 4)
    assert found.mean == 0.8
    assert (found.low, found.high) == wilson(16, 20)
    assert found.balanced == pytest.approx((1 + 0.5 + 0.25 + 1) / 4)
    assert found.weighted(np.array([[1, 0], [3, 0]])) == pytest.approx((1 + 3 * 0.25) / 4)


def test_empty_groups_are_left_out_and_ties_go_to_the_larger() -> None:
    found = group_accuracy(np.zeros(3, bool), np.array([0, 1, 1]), np.array([1, 0, 0]))
    assert [(g.name, g.count) for g in found.groups] == [("0, 1", 1), ("1, 0", 2)]
    assert found.worst.count == 2
    with pytest.raises(DataError, match="no weight"):
        found.weighted(np.zeros((2, 2)))
    nothing = np.zeros(0, np.int64)
    with pytest.raises(DataError, match="0 answers"):
        group_accuracy(np.zeros(0, bool), nothing, nothing)


def some(count: int, *, seed: int = 0) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Heatmaps that go with their masks, of several sizes."""
    generator = np.random.default_rng([seed, 3])
    found = []
    for number in range(count):
        mask = generator.random((6 + number % 3, 9)) < 0.35
        found.append((f"{number:03d}", mask + generator.normal(size=mask.shape), mask))
    return found


def test_shards_in_any_order_equal_one_pass() -> None:
    images = some(30)
    whole, shards = SegmentationScores(), [SegmentationScores() for _ in range(3)]
    for number, image in enumerate(images):
        whole.add(*image)
        shards[2 - number % 3].add(*image)
    merged = SegmentationScores.load(shards[0].state())
    merged.merge(shards[1])
    merged.merge(shards[2])
    assert merged.images() == whole.images()
    assert merged.result(seed=4) == whole.result(seed=4)
    assert merged.result(seed=4) != whole.result(seed=5)
    with pytest.raises(DataError, match="10 images are in both shards"):
        whole.merge(shards[1])
    with pytest.raises(DataError, match="cannot be merged"):
        whole.merge(SegmentationScores("zero"))


def test_a_perfect_an_opposite_and_a_constant_heatmap() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1:3, 1:3] = True

    def scored(heatmap: np.ndarray):
        scores = SegmentationScores()
        scores.add("a", heatmap, mask)
        return scores.images()[0]

    good, bad, flat = scored(mask * 1.0), scored(-1.0 * mask), scored(np.full((4, 4), 0.1))
    assert (good.pixel_accuracy, good.mean_iou, good.average_precision) == (1.0, 1.0, 1.0)
    assert (bad.pixel_accuracy, bad.mean_iou) == (0.0, 0.0)
    assert bad.average_precision == 0.5
    assert (flat.true_positive, flat.false_positive, flat.average_precision) == (0, 0, 0.5)


def test_intervals_cover_the_truth() -> None:
    """The mean accuracy of very many images lies in about 95 % of the intervals from 40."""
    truth = SegmentationScores()
    for image in some(3000, seed=99):
        truth.add(*image)
    expected = np.mean([image.pixel_accuracy for image in truth.images()])
    inside = 0
    for seed in range(60):
        scores = SegmentationScores()
        for image in some(40, seed=seed):
            scores.add(*image)
        result = scores.result(seed=seed)
        inside += result.image_accuracy.low <= expected <= result.image_accuracy.high
        assert result.mean_iou.low < result.mean_iou.mean < result.mean_iou.high
    assert 50 <= inside <= 60


def test_threshold_rules() -> None:
    heatmap = np.array([[-1.0, 0.0, 0.0, 0.2, 3.0]])
    assert foreground(heatmap).tolist() == [[False, False, False, False, True]]
    assert foreground(heatmap - 0.25, "zero").tolist() == [[False, False, False, False, True]]
    assert foreground(heatmap, "zero").tolist() == [[False, False, False, True, True]]
    assert foreground(heatmap, "middle").tolist() == [[False, False, False, False, True]]
    assert foreground(heatmap, 0.5).tolist() == [[False, False, False, True, True]]
    assert foreground(1e6 * heatmap + 5.0).tolist() == foreground(heatmap).tolist()
    with pytest.raises(OptionError, match=r"no 1\.5-quantile"):
        SegmentationScores(1.5)


def test_void_pixels_do_not_count() -> None:
    (key, heatmap, mask), void = some(1)[0], np.zeros((6, 9), bool)
    void[:2] = True
    scores, wrong = SegmentationScores("zero"), SegmentationScores("zero")
    scores.add(key, heatmap, mask, void)
    wrong.add(key, heatmap, mask ^ void, void)
    assert scores.images() == wrong.images()
    image = scores.images()[0]
    assert sum((image.true_positive, image.false_positive, image.false_negative, image.true_negative)) == 36
    assert image.true_positive == int(((heatmap > 0) & mask & ~void).sum())
    assert image.false_positive == int(((heatmap > 0) & ~mask & ~void).sum())
    with pytest.raises(DataError, match="No pixel of 'b'"):
        scores.add("b", heatmap, mask, np.ones_like(void))


def test_bad_heatmaps_are_named() -> None:
    scores = SegmentationScores()
    mask = np.eye(3) > 0
    scores.add("a", np.eye(3), mask)
    with pytest.raises(DataError, match="'a' was scored twice"):
        scores.add("a", np.eye(3), mask)
    with pytest.raises(DataError, match="heatmap of 'b' holds NaN"):
        scores.add("b", np.full((3, 3), np.nan), mask)
    assert len(scores) == 1
    assert np.isnan(SegmentationScores().result().mean_iou.mean)
