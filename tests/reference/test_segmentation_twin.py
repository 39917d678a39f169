"""Segmentation scores against the published protocol written out with scikit-learn, pixel by pixel, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from microtome.verify.segmentation import SegmentationScores, average_precision


def literal(images: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
    """Pixel accuracy, mIoU and mAP, one pixel after the other."""
    right = pixels = 0
    intersections, unions = [0, 0], [0, 0]
    precisions = []
    for heatmap, mask in images:
        low, high = heatmap.min(), heatmap.max()
        scaled = (heatmap - low) / (high - low)
        threshold = scaled.mean()
        truth_of_both, score_of_both = [], []
        for level, true in zip(scaled.ravel().tolist(), mask.ravel().tolist(), strict=True):
            said = level > threshold
            right += said == true
            pixels += 1
            for kind in (False, True):
                intersections[kind] += said == kind and true == kind
                unions[kind] += said == kind or true == kind
                truth_of_both.append(true == kind)
                score_of_both.append(level if kind else 1.0 - level)
        precisions.append(average_precision_score(truth_of_both, score_of_both))
    shares = [intersections[kind] / unions[kind] for kind in (0, 1) if unions[kind]]
    return right / pixels, sum(shares) / len(shares), sum(precisions) / len(precisions)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_scores_equal_the_literal_protocol(seed: int, count: int, coarse: bool) -> None:
    generator = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        height, width = generator.integers(3, 12, size=2)
        mask = generator.random((height, width)) < generator.random()
        heatmap = generator.normal(size=mask.shape) + mask
        # Levels that are dyadic fractions of the range scale exactly: ties stay ties on both sides.
        heatmap = np.clip(np.round(4 * heatmap), -8, 8) / 4 if coarse else heatmap
        heatmap.flat[:2] = (-2.0, 2.0) if coarse else heatmap.flat[:2]
        images.append((heatmap, mask))
    scores = SegmentationScores()
    for number, image in enumerate(images):
        scores.add(str(number), *image)
    found = scores.result()
    assert (found.pixel_accuracy.mean, found.mean_iou.mean, found.mean_ap.mean) == pytest.approx(
        literal(images), rel=1e-12
    )


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 9))
def test_average_precision_equals_scikit_learn(seed: int, count: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, levels, count) / levels
    truth = generator.random(count) < 0.4
    if truth.any():
        assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores), rel=1e-12)
    else:
        assert np.isnan(average_precision(scores, truth))
