"""What a recording tells of its concepts and images, against the label planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from microtome.data.base import LabelledImage
from microtome.record import settings as record_settings
from microtome.record.image_feed import thumbnail
from microtome.record.items import halve
from microtome.record.recording import Recording
from tests.reference.overlap import concepts_at
from tests.support.listed import CONCEPTS, Listed, random_images
from tests.support.passes import make_pass, record

GRID = (12, 10)


def with_one_wholly_void() -> list[LabelledImage]:
    """Eight images; one in the middle and the last have no annotated element at all."""
    images = random_images(8)
    for place in (3, 7):
        one = images[place]
        void = np.ones(one.planes.shape[1:], bool)
        images[place] = LabelledImage(one.key, one.pixels, one.planes, void=void)
    return images


@pytest.fixture(params=["plain", "void"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Listed, Recording]:
    monkeypatch.setattr(record_settings, "LARGEST_BLOCK", 3)
    data = Listed(random_images(8) if request.param == "plain" else with_one_wholly_void())
    return data, record(make_pass(tmp_path, images=halve(data, seed=0), grid=GRID))


def test_cover_counts_the_elements_of_each_concept_in_each_image(made: tuple[Listed, Recording]) -> None:
    data, recording = made
    cover = recording.concept_cover.toarray()
    for index, image in enumerate(data.images):
        cells = concepts_at(image, CONCEPTS, GRID)
        for column, concept in enumerate(recording.searched.concepts):
            assert cover[index, column] == sum(concept.name in names for names in cells.values())


def test_a_concept_is_local_where_it_covers_part_of_an_image(made: tuple[Listed, Recording]) -> None:
    data, recording = made
    for column, concept in enumerate(recording.searched.concepts):
        parts = False
        for image in data.images:
            cells = concepts_at(image, CONCEPTS, GRID)
            covered = sum(concept.name in names for names in cells.values())
            parts = parts or 0 < covered < len(cells)
        assert recording.local[column] == parts


def test_a_concept_of_whole_images_is_not_local(tmp_path: Path) -> None:
    recording = record(make_pass(tmp_path, images=halve(Listed(random_images(8, concepts=5), CONCEPTS[:5]), seed=0)))
    plain = {c.name: bool(x) for c, x in zip(recording.searched.concepts, recording.local, strict=True)}
    assert all(plain.values())
    images = [
        LabelledImage(i.key, i.pixels, np.where(i.planes == 5, 0, i.planes), whole=i.whole, void=i.void)
        for i in random_images(8, concepts=5)
    ]
    recording = record(make_pass(tmp_path / "whole", images=halve(Listed(images, CONCEPTS[:5]), seed=0)))
    whole = {c.name: bool(x) for c, x in zip(recording.searched.concepts, recording.local, strict=True)}
    assert not whole[CONCEPTS[4].name]
    assert recording.concept_cover.toarray()[:, recording.searched.by_name[CONCEPTS[4].name]].sum() > 0


def test_weights_of_both_halves_count_their_annotated_elements(made: tuple[Listed, Recording]) -> None:
    data, recording = made
    annotated = np.array([len(concepts_at(image, CONCEPTS, GRID)) for image in data.images])
    heldout = recording.items.heldout
    assert recording.searched.total == annotated[~heldout].sum()
    assert recording.heldout_weight.sum() == annotated[heldout].sum()
    per_image = [
        recording.image_counts[a:b].sum() for a, b in zip(recording.image_ptr, recording.image_ptr[1:], strict=False)
    ]
    assert per_image == annotated.tolist()


def test_signatures_are_distinct_and_sorted(made: tuple[Listed, Recording]) -> None:
    _, recording = made
    table = recording.searched
    sets = [tuple(table.indices[a:b]) for a, b in zip(table.indptr, table.indptr[1:], strict=False)]
    assert sets == sorted(set(sets))


def test_thumbnails_are_the_images(made: tuple[Listed, Recording]) -> None:
    data, recording = made
    for index, image in enumerate(data.images):
        assert np.array_equal(recording.thumbnail(index), thumbnail(image.pixels))


def test_labels_are_those_of_the_images(made: tuple[Listed, Recording]) -> None:
    data, recording = made
    assert recording.labels.tolist() == [-1 if image.label is None else image.label for image in data.images]
