"""Halves of one data set, and two data sets side by side under one vocabulary."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.core.errors import DataError
from microtome.record.items import beside, halve
from tests.support.listed import CONCEPTS, Listed, random_images


@pytest.mark.parametrize("count", [2, 3, 10, 41])
def test_halves_are_a_random_even_split(count: int) -> None:
    data = Listed(random_images(count))
    split = halve(data, seed=0).heldout
    assert len(split) == count
    assert split.sum() == count // 2
    assert np.array_equal(split, halve(data, seed=0).heldout)


def test_another_seed_splits_otherwise() -> None:
    data = Listed(random_images(30))
    assert not np.array_equal(halve(data, seed=0).heldout, halve(data, seed=1).heldout)


@pytest.mark.parametrize(("count", "words"), [(0, "0 images"), (1, "1 image.")])
def test_too_few_images_to_halve(count: int, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        halve(Listed(random_images(count)), seed=0)
    assert "--heldout" in caught.value.next_step


def test_concepts_stand_in_order_of_name_and_planes_are_renumbered() -> None:
    data = Listed(random_images(4))
    images = halve(data, seed=0)
    assert [c.name for c in images.concepts] == sorted(c.name for c in CONCEPTS)
    _, renumber = images.read(0)
    assert renumber[0] == 0
    for value, concept in enumerate(CONCEPTS, start=1):
        assert images.concepts[renumber[value] - 1] == concept


def test_heldout_data_is_matched_by_name_whatever_its_order() -> None:
    other_concepts = (Concept("sky", "thing"), Concept("lava", "object"), Concept("water", "object"))
    images = beside(Listed(random_images(2)), Listed(random_images(3, concepts=3), other_concepts))
    assert len(images) == 5
    assert images.heldout.tolist() == [False, False, True, True, True]
    image, renumber = images.read(4)
    assert image.key == "image 2" == images.key(4)
    assert images.concepts[renumber[1] - 1].name == "sky"
    assert renumber[2] == 0, "a concept that the searched data does not have is none"
    assert images.concepts[renumber[3] - 1].name == "water"


def test_data_beside_must_share_a_concept_and_have_images() -> None:
    data = Listed(random_images(2))
    with pytest.raises(DataError, match="no concept in common"):
        beside(data, Listed(random_images(2, concepts=1), (Concept("lava", "object"),)))
    with pytest.raises(DataError, match="'none' has no images"):
        beside(data, Listed([], name="none"))
    with pytest.raises(DataError, match="'none' has no images"):
        beside(Listed([], name="none"), data)
