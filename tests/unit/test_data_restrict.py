"""Some categories alone, some images alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.broden import Broden
from microtome.data.restrict import Restricted, Subset
from tests.support.pictures import broden_set, indexed_set


def test_only_images_that_label_every_category_stay(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    assert [Restricted(data, ("object",)).key(i) for i in range(2)] == ["0.jpg", "1.jpg"]
    both = Restricted(data, ("part", "object"))
    assert [both.key(i) for i in range(len(both))] == ["0.jpg"]
    assert both.labels(0) == {"part", "object"}
    assert "1 of 3 images" in both.card.notes[-1]


def test_values_and_whole_are_renumbered(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    part = Restricted(data, ("part", "scene"))
    assert [c.name for c in part.concepts] == ["wheel", "street", "beach"]
    image = part.read(0)
    # The object plane holds nothing of these categories and goes.
    assert image.planes.tolist() == [[[0, 1, 1], [0, 0, 1]], [[1, 0, 1], [1, 0, 0]]]
    assert image.whole == (1,)
    assert np.array_equal(image.pixels, data.read(0).pixels)
    scene = Restricted(data, ("scene",))
    assert [scene.read(i).whole for i in range(3)] == [(0,), (0, 1), (1,)]
    assert scene.read(0).planes.shape == (0, 2, 3)


def test_nothing_left_and_unknown_categories(tmp_path: Path) -> None:
    data = Broden(broden_set(tmp_path))
    with pytest.raises(DataError, match="color, part"):
        Restricted(data, ("color", "part"))
    with pytest.raises(OptionError, match=r"'objects'.*\n.*object, part, color, scene"):
        Restricted(data, ("objects",))
    with pytest.raises(OptionError):
        Restricted(data, ())


def test_subset_is_drawn_by_seed_and_keeps_order(tmp_path: Path) -> None:
    labels = {f"{i:02d}": np.zeros((2, 2)) for i in range(20)}
    from microtome.data.indexed import IndexedImages

    data = IndexedImages(indexed_set(tmp_path, labels))
    some = Subset(data, count=5, seed=3)
    keys = [some.key(i) for i in range(len(some))]
    assert keys == sorted(keys)
    assert len(set(keys)) == 5
    assert [some.read(i).key for i in range(5)] == keys
    assert keys == [Subset(data, count=5, seed=3).key(i) for i in range(5)]
    assert keys != [Subset(data, count=5, seed=4).key(i) for i in range(5)]
    assert some.fingerprint() != Subset(data, count=5, seed=4).fingerprint()
    assert len(Subset(data, count=100, seed=0)) == 20
    with pytest.raises(OptionError):
        Subset(data, count=0, seed=0)
