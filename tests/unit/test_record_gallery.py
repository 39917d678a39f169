"""Images in memory: pixels as the model sees them, labels cut as the pixels are, formulas looked up pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.core.concept import Concept
from microtome.core.errors import DataError, FormulaError
from microtome.core.parse import parse
from microtome.data.base import LabelledImage
from microtome.models.preprocess import Preprocess
from microtome.record.gallery import Gallery, read_gallery, resized
from tests.support.listed import CONCEPTS, Listed, random_images

WHOLE = Preprocess(16)
CENTRE = Preprocess(16, crop="center", resize_short=20)
WAYS: dict[str, Preprocess] = {
    "none": WHOLE,
    "centre": CENTRE,
    "oblong": Preprocess((12, 16), crop="center", resize_short=18),
    "squeezed first": Preprocess((16, 12), crop="center", resize_short=(20, 24)),
    "odd": Preprocess(15, crop="center", resize_short=20),
}


def gallery(images: list[LabelledImage], preprocess: Preprocess = WHOLE, *, limit: int = 99, **given: Any) -> Gallery:
    """The gallery of images that are given."""
    return read_gallery(Listed(images, **given), preprocess, limit=limit, seed=0)


@pytest.mark.parametrize("way", WAYS)
def test_pixels_are_what_the_model_sees(way: str) -> None:
    images = random_images(5, size=(40, 28))
    found = gallery(images, WAYS[way])
    assert len(found) == 5
    assert found.keys == tuple(image.key for image in images)
    for seen, image in zip(found.pixels, images, strict=True):
        assert np.array_equal(seen, WAYS[way].cropped(image.pixels))
    assert found.maps.shape == found.pixels.shape[:3]


def red_blocks(size: tuple[int, int], *, seed: int, cell: int, labels: tuple[int, int] | None = None) -> LabelledImage:
    """Blocks of red 40 or 240, and a plane that says which; the plane may be coarser than the image."""
    generator = np.random.default_rng(seed)
    rows, columns = -(-size[0] // cell), -(-size[1] // cell)
    blocks = generator.integers(0, 2, size=(rows, columns))
    large = blocks.repeat(cell, 0).repeat(cell, 1)[: size[0], : size[1]]
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[:, :, 0] = np.where(large == 1, 240, 40)
    plane = blocks if labels is not None else large
    return LabelledImage(f"blocks {seed}", pixels, plane[None].astype(np.int32))


RED = (Concept("bright", "color"),)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(64, 64), (64, 96), (120, 48)])
@pytest.mark.parametrize("coarse", [False, True])
def test_labels_stay_where_the_pixels_are(way: str, size: tuple[int, int], coarse: bool) -> None:
    """The label says which blocks are bright, and so must the cropped pixels, but for those beside a block's border."""
    cell = 24 if coarse and size[1] % 24 == 0 and size[0] % 24 == 0 else 16
    images = [red_blocks(size, seed=n, cell=cell, labels=size if coarse else None) for n in range(4)]
    found = gallery(images, WAYS[way], concepts=RED)
    checked = 0
    for number in range(4):
        said = found.holds(parse("bright"), number)
        shown = found.pixels[number, :, :, 0] > 140
        sure = inner(said)
        checked += int(sure.sum())
        assert np.array_equal(said[sure], shown[sure])
        assert 0 < said.sum() < said.size
    assert checked > 60


def inner(mask: np.ndarray) -> np.ndarray:
    """Pixels whose eight neighbours are in the image and like them."""
    rows, columns = mask.shape
    sure = np.zeros_like(mask)
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            around = mask[row - 1 : row + 2, column - 1 : column + 2]
            sure[row, column] = around.all() or not around.any()
    return sure


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(60, 60), (48, 60), (60, 36)])
def test_labels_are_those_of_the_pixels_to_less_than_a_pixel(way: str, size: tuple[int, int]) -> None:
    """Red and green grow with column and row, and a concept stands for each column and each row."""
    rows, columns = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    pixels = np.stack([4 * columns, 4 * rows, 0 * rows], axis=2).astype(np.uint8)
    names = tuple(Concept(f"{axis}{number:02d}", axis) for axis in ("column", "row") for number in range(60))
    planes = np.stack([columns + 1, rows + 61]).astype(np.int32)
    preprocess = WAYS[way]
    found = gallery([LabelledImage("ramp", pixels, planes)], preprocess, concepts=names)
    for axis, channel in (("column", 0), ("row", 1)):
        said = np.zeros(found.maps.shape[1:])
        for number in range(60):
            said[found.holds(parse(f"{axis}{number:02d}"), 0)] = number
        away = said - found.pixels[0, :, :, channel] / 4.0
        # At the frame of the image the filter of the resize reaches beyond it and is not centred.
        assert np.abs(away[1:-1, 1:-1]).max() <= 0.75
        assert np.ptp(said) > 15


def test_without_the_crop_they_would_not() -> None:
    """The control: the same plane, only squeezed, does not lie on pixels that were cropped."""
    image = red_blocks((64, 96), seed=1, cell=12)
    found, squeezed = gallery([image], CENTRE, concepts=RED), gallery([image], WHOLE, concepts=RED)
    shown = found.pixels[0, :, :, 0] > 140
    assert (squeezed.holds(parse("bright"), 0) == shown).mean() < 0.8


@pytest.mark.parametrize(("size", "expected"), [((40, 60), (20, 30)), ((60, 40), (30, 20)), ((30, 30), (20, 20))])
def test_before_the_crop_the_short_side_is_what_it_says(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert CENTRE.before_crop(*size) == expected
    assert Preprocess(16, crop="center", resize_short=(20, 33)).before_crop(*size) == (20, 33)


@pytest.mark.parametrize("formula", ["water", "water AND blue", "(river OR sky) AND NOT red", "NOT water", "coast"])
def test_formulas_hold_where_the_planes_say_and_never_on_void(formula: str) -> None:
    images = random_images(7, size=(24, 20))
    preprocess = Preprocess((12, 10))
    found = gallery(images, preprocess)
    names = {concept.name: number + 1 for number, concept in enumerate(CONCEPTS)}
    for number, image in enumerate(images):
        # The labels have exactly the input's size, so nothing is cut or resized.
        assert image.planes.shape[1:] == (12, 10)
        truth: dict[str, Any] = {
            name: (image.planes == value).any(axis=0) | (value - 1 in image.whole) for name, value in names.items()
        }
        expected = eval_formula(formula, truth)
        void = np.zeros((12, 10), bool) if image.void is None else image.void
        assert np.array_equal(found.holds(parse(formula), number), expected & ~void)
        annotated = int((~void).sum())
        assert found.share(parse(formula))[number] == pytest.approx((expected & ~void).sum() / annotated)
        assert found.counts[number].sum() == annotated
        assert ((found.maps[number] < 0) == void).all()
    assert any(image.void is not None and image.void.any() for image in images)
    assert np.array_equal(found.table.weight, found.counts.sum(axis=0))


def eval_formula(formula: str, truth: dict[str, np.ndarray]) -> np.ndarray:
    """A formula by Python's own operators."""
    text = formula.replace("AND NOT", "& ~").replace("NOT", "~").replace("AND", "&").replace("OR", "|")
    return eval(text, {}, truth)


def test_an_image_without_annotation_has_no_share() -> None:
    plane = np.ones((1, 8, 8), np.int32)
    pixels = np.zeros((8, 8, 3), np.uint8)
    images = [
        LabelledImage("void", pixels, plane, void=np.ones((8, 8), bool)),
        LabelledImage("seen", pixels, plane),
    ]
    found = gallery(images, Preprocess(8))
    assert found.share(parse("water")).tolist() == [0.0, 1.0]
    assert not found.holds(parse("water"), 0).any()
    assert found.holds(parse("water"), 1).all()


def test_local_are_concepts_with_something_to_cut_out() -> None:
    """Water covers all of each image, river a part of one, red nothing, coast holds of whole images."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    planes = np.ones((2, 8, 8), np.int32)
    planes[1] = 0
    part = planes.copy()
    part[1, :3] = 3
    images = [LabelledImage("a", pixels, planes, whole=(5,)), LabelledImage("b", pixels, part, whole=(5,))]
    assert gallery(images, Preprocess(8)).local == {"river"}
    void = np.zeros((8, 8), bool)
    void[3:] = True
    hidden = [LabelledImage("a", pixels, part, whole=(5,), void=void)]
    assert gallery(hidden, Preprocess(8)).local == frozenset(), "of what is annotated, the river covers all"


def test_images_without_planes_and_classes_are_taken() -> None:
    """A folder of pictures: no concept, so no formula; unlabelled images have the class -1."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    none = np.zeros((0, 8, 8), np.int32)
    images = [LabelledImage("a", pixels, none, label=1), LabelledImage("b", pixels, none)]
    found = gallery(images, CENTRE, concepts=(), classes=("no", "yes"))
    assert found.labels.tolist() == [1, -1]
    assert found.of_class(1).tolist() == [0]
    assert found.of_class(0).tolist() == []
    assert found.local == frozenset()
    assert (found.maps == 0).all()
    with pytest.raises(FormulaError, match="not in the data"):
        found.holds(parse("water"), 0)


def test_at_most_so_many_are_drawn_by_the_seed() -> None:
    data = Listed(random_images(20))
    one, again, other = (read_gallery(data, WHOLE, limit=6, seed=seed) for seed in (3, 3, 4))
    assert one.keys == again.keys
    assert len(one) == len(set(one.keys)) == 6
    assert one.keys != other.keys
    assert np.array_equal(one.pixels, again.pixels)
    numbers = [int(key.split()[1]) for key in one.keys]
    assert numbers == sorted(numbers), "in the order of the data"
    assert len(read_gallery(data, WHOLE, limit=50, seed=3)) == 20


class Damaged(Listed):
    """Some of its images cannot be read."""

    broken: frozenset[int] = frozenset({1, 4})

    def read(self, index: int) -> LabelledImage:
        if index in self.broken:
            raise DataError(f"The file of {self.key(index)}\n is cut off.")
        return super().read(index)


def test_images_that_cannot_be_read_are_left_out_and_named() -> None:
    seen: list[tuple[int, int]] = []
    data = Damaged(random_images(6))
    found = read_gallery(data, WHOLE, limit=9, seed=0, progress=lambda stage, done, of: seen.append((done, of)))
    assert found.keys == ("image 0", "image 2", "image 3", "image 5")
    assert found.problems == tuple(f"image {n}: The file of image {n} is cut off." for n in (1, 4))
    assert len(found.pixels) == len(found.maps) == len(found.counts) == len(found.labels) == 4
    assert seen[-1] == (6, 6)
    assert gallery(random_images(6)).problems == ()


def test_no_readable_image_is_an_error_that_names_one() -> None:
    data = Damaged(random_images(3))
    data.broken = frozenset(range(3))
    with pytest.raises(DataError, match="None of the 3 images of listed") as failed:
        read_gallery(data, WHOLE, limit=9, seed=0)
    assert "image 0: The file of image 0 is cut off" in failed.value.next_step
    with pytest.raises(DataError, match="None of the 0 images"):
        read_gallery(Listed([]), WHOLE, limit=9, seed=0)


def test_resized_is_bilinear_and_keeps_a_flat_image() -> None:
    flat = np.full((8, 6, 3), 91, np.uint8)
    assert resized(flat, 5, 9).shape == (5, 9, 3)
    assert (resized(flat, 5, 9) == 91).all()
    ramp = np.arange(0, 250, 10, dtype=np.uint8)[None, :, None].repeat(4, 0).repeat(3, 2)
    assert (np.diff(resized(ramp, 4, 50)[0, :, 0].astype(int)) >= 0).all()
