"""Signature maps of a block: void, whole-image concepts, image-level presence, held-out data of other concepts."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.data.base import LabelledImage
from microtome.record.items import Items, beside, halve
from microtome.record.labels import LabelBlock, read_block
from microtome.record.settings import RecordSettings
from microtome.record.signatures import concept_keys
from tests.reference.overlap import concepts_at
from tests.support.listed import CONCEPTS, Listed, random_images


def block_of(images: Items, settings: RecordSettings) -> LabelBlock:
    keys = concept_keys(len(images.concepts))
    return read_block(images, 0, len(images), settings=settings, keys=keys)[0]


def names_of(images: Items, block: LabelBlock, signature: int) -> set[str]:
    return {images.concepts[c].name for c in block.sets[signature]}


@pytest.mark.parametrize("grid", [(6, 5), (12, 12), (3, 7), (1, 1)])
def test_maps_equal_the_literal_reading_of_the_planes(grid: tuple[int, int]) -> None:
    data = Listed(random_images(7))
    images = halve(data, seed=0)
    block = block_of(images, RecordSettings("x", grid=grid))
    for index, signatures in enumerate(block.maps):
        cells = concepts_at(data.images[index], CONCEPTS, grid)
        for (y, x), signature in np.ndenumerate(signatures):
            if signature < 0:
                assert (y, x) not in cells
            else:
                assert names_of(images, block, signature) == cells[y, x]
    assert (block.maps == -1).any() or grid == (1, 1)
    assert block.labels.tolist() == [i % 3 for i in range(7)]


def test_heldout_images_use_the_concepts_of_the_searched_ones() -> None:
    names = (CONCEPTS[3], Concept("lava", "object"), CONCEPTS[0])
    first, second = Listed(random_images(3)), Listed(random_images(4, seed=5, concepts=3), names)
    images = beside(first, second)
    block = block_of(images, RecordSettings("x", grid=(6, 5)))
    for index in range(4):
        cells = concepts_at(second.images[index], names, (6, 5))
        for (y, x), signature in np.ndenumerate(block.maps[3 + index]):
            if signature >= 0:
                assert names_of(images, block, signature) == cells[y, x] - {"lava"}


def test_a_block_is_the_same_after_a_trip_to_disk() -> None:
    images = halve(Listed(random_images(5)), seed=0)
    block = block_of(images, RecordSettings("x", grid=(4, 4)))
    again = LabelBlock.of(block.arrays())
    assert again.sets == block.sets
    assert np.array_equal(again.maps, block.maps)
    assert np.array_equal(again.labels, block.labels)


def one_image(plane: np.ndarray, **more: object) -> Listed:
    planes = np.atleast_3d(plane).astype(np.int32) if plane.ndim == 3 else plane[None].astype(np.int32)
    image = LabelledImage("one", np.zeros((8, 8, 3), np.uint8), planes, **more)  # type: ignore[arg-type]
    return Listed([image, image])


def present(data: Listed, share: float) -> set[str]:
    images = halve(data, seed=0)
    block = block_of(images, RecordSettings("x", grid=(1, 1), image_level=True, present_share=share))
    assert block.maps.shape == (2, 1, 1)
    return names_of(images, block, block.maps[0, 0, 0]) if block.maps[0, 0, 0] >= 0 else {"void"}


def test_an_image_has_the_concepts_that_cover_the_share() -> None:
    plane = np.zeros((8, 8))
    plane[:2], plane[2, :4] = 1, 2
    data = one_image(plane)
    assert present(data, 0.05) == {"water", "blue"}
    assert present(data, 4 / 64) == {"water", "blue"}
    assert present(data, 5 / 64) == {"water"}
    assert present(data, 0.5) == set()


def test_the_share_is_of_what_is_annotated() -> None:
    plane = np.zeros((8, 8))
    plane[0] = 1
    void = np.zeros((8, 8), bool)
    assert present(one_image(plane, void=void), 0.2) == set()
    void[4:] = True
    assert present(one_image(plane, void=void), 0.2) == {"water"}
    void[:] = True
    assert present(one_image(plane, void=void), 0.2) == {"void"}


def test_two_planes_do_not_cover_an_element_twice() -> None:
    planes = np.zeros((3, 8, 8))
    planes[:, 0] = 1
    data = one_image(planes)
    assert present(data, 9 / 64) == set()
    assert present(data, 8 / 64) == {"water"}


def test_concepts_of_the_whole_image_are_present_however_little_is_labelled() -> None:
    assert present(one_image(np.zeros((8, 8)), whole=(5,)), 0.9) == {"coast"}
