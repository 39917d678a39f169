"""The images in which a unit peaks highest, ties by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.stats.kernels import peaks_of
from microtome.stats.top_images import TopImages
from tests.support.shards import KINDS, activations


@pytest.mark.parametrize("kind", KINDS)
def test_peaks_are_the_first_largest_cells(kind: str) -> None:
    values = activations(kind, seed=6, side=(3, 4))
    peaks, cells = peaks_of(values)
    flat = values.reshape(*values.shape[:2], -1)
    assert np.array_equal(peaks, flat.max(axis=2))
    assert np.array_equal(cells, flat.argmax(axis=2))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 1000), images=st.integers(1, 15), k=st.integers(1, 20))
def test_the_list_equals_a_sort_of_all_images(kind: str, seed: int, images: int, k: int) -> None:
    values = activations(kind, seed=seed, images=images)
    peaks, cells = peaks_of(values)
    top = TopImages(values.shape[1], k)
    cut = images // 2
    top.add(cut, peaks[cut:], cells[cut:])
    top.add(0, peaks[:cut], cells[:cut])
    for unit in range(values.shape[1]):
        order = sorted(range(images), key=lambda image, unit=unit: (-peaks[image, unit], image))[:k]
        padding = [-1] * (k - len(order))
        assert top.images[unit].tolist() == order + padding
        assert top.values[unit, : len(order)].tolist() == peaks[order, unit].tolist()
        assert top.cells[unit, : len(order)].tolist() == cells[order, unit].tolist()


def test_images_keep_their_numbers() -> None:
    top = TopImages(1, 2)
    top.add(100, np.array([[1.0], [3.0]], np.float32), np.array([[4], [5]], np.int32))
    assert top.images.tolist() == [[101, 100]]
    assert top.cells.tolist() == [[5, 4]]
