"""Arrangements: reproducible, apart from training pictures, and one factor changes alone."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.masks import ConceptMasks, MaskedImages, SceneMasks, Scenes, resized
from microtome.data.world.arrangements import Arrangements
from microtome.data.world.dataset import World
from microtome.data.world.factors import FACTOR_VALUES, Factor
from microtome.data.world.families import family
from microtome.data.world.objects import KINDS
from microtome.data.world.render import render

FACTORS: tuple[Factor, ...] = get_args(Factor)


@pytest.fixture(scope="module")
def data() -> Arrangements:
    return Arrangements("heldout", count=400, size=48)


def test_an_image_depends_on_its_number_alone(data: Arrangements) -> None:
    fewer = Arrangements("heldout", count=8, size=48)
    assert np.array_equal(data.read(7).pixels, fewer.read(7).pixels)
    assert data.scene(7) == fewer.scene(7)
    others = [Arrangements("heldout", count=8, seed=1), Arrangements("validation", count=8)]
    assert all(data.scene(7) != other.scene(7) for other in others)
    prints = {one.fingerprint() for one in (data, fewer, *others, Arrangements("heldout", count=8, size=32))}
    assert len(prints) == 5


def test_the_truth_is_what_is_shown(data: Arrangements) -> None:
    names = [concept.name for concept in data.concepts]
    for index in range(12):
        image, shown = data.read(index), data.shown(index)
        assert image.pixels.shape == (48, 48, 3)
        assert (image.key, image.label, image.whole) == (f"heldout-{index:06d}", None, ())
        seen = {names[value - 1] for value in np.unique(image.planes) if value}
        assert {shown.object, shown.color, shown.material, shown.surface} <= seen
        assert len(data.scene(index).objects) == shown.count
    assert data.classes == ()
    assert "scene" not in {concept.category for concept in data.concepts} | data.labels(0)


def test_the_picture_holds_every_value_about_equally_often() -> None:
    data = Arrangements("heldout", count=2000)
    shown = [data.shown(index) for index in range(len(data))]
    for factor in FACTORS:
        counts = Counter(one.value(factor) for one in shown)
        assert set(counts) == set(FACTOR_VALUES[factor])
        if factor != "surface":
            expected = len(data) / len(FACTOR_VALUES[factor])
            assert all(abs(n - expected) < 5 * expected**0.5 for n in counts.values())


def test_birds_keep_to_their_ground_but_for_the_shift() -> None:
    def at_home(split) -> float:
        data = Arrangements(split, count=3000)
        gulls = [one for one in map(data.shown, range(3000)) if one.object == "gull"]
        return sum(one.surface == "water" for one in gulls) / len(gulls)

    assert at_home("heldout") > 0.88
    assert at_home("shift") < 0.3


@pytest.mark.parametrize("factor", FACTORS)
def test_one_factor_changes_and_all_else_stays(data: Arrangements, factor: Factor) -> None:
    for index, (before, after) in enumerate(data.pairs(factor, 10)):
        shown, value = data.shown(index), data.other_value(index, factor)
        assert before == data.scene(index)
        assert value != shown.value(factor)
        assert after == data.changed(index, factor, value)
        assert data.changed(index, factor, shown.value(factor)) == before
        assert not np.array_equal(render(before, 48)[0], render(after, 48)[0])
        assert before.light == after.light
        grounds = [(one.background[0], one.background[1].frame, one.background[1].seed) for one in (before, after)]
        if factor != "surface":
            assert before.background == after.background
        elif "wood" not in (value, shown.surface):
            assert grounds[0] == grounds[1]
        changing = {"color": {"color"}, "material": {"material"}, "surface": set(), "side": {"x"},
                    "object": {"kind", "size", "numeral", "mirrored"}}  # fmt: skip
        if factor == "count":
            assert len(after.objects) == int(value)
            continue
        for one, other in zip(before.objects, after.objects, strict=True):
            differing = {name for name in vars(one) if getattr(one, name) != getattr(other, name)}
            assert differing <= changing[factor]


def test_pairs_take_every_other_value() -> None:
    data = Arrangements("heldout", count=60)
    taken = {data.other_value(index, "count") for index in range(60)}
    assert taken == {"1", "2", "3", "4"}


def test_no_picture_is_a_training_picture(data: Arrangements) -> None:
    scenes = World("train", count=160)
    training = {repr(one.scene) for number in range(200) for one in family(number, seed=0, scenes=scenes)}
    train = Arrangements("train", count=200)
    assert not training & {repr(train.scene(index)) for index in range(200)}


def test_bad_options(data: Arrangements) -> None:
    with pytest.raises(OptionError, match="empty"):
        Arrangements("heldout", count=0)
    with pytest.raises(OptionError, match="Size 8"):
        Arrangements("heldout", count=1, size=8)
    with pytest.raises(DataError, match="no arrangement 400"):
        data.read(400)
    with pytest.raises(OptionError, match=r"no color 'redd'.*\n.*\n.*'red'"):
        data.changed(0, "color", "redd")
    with pytest.raises(OptionError, match="no count '5'"):
        data.changed(0, "count", "5")
    with pytest.raises(OptionError, match="401 pairs"):
        data.pairs("color", 401)


def test_masks_of_arrangements(data: Arrangements) -> None:
    few = Arrangements("heldout", count=20, size=48)
    assert isinstance(few, Scenes)
    main, every = SceneMasks(few), SceneMasks(few, "objects")
    assert isinstance(main, MaskedImages)
    assert len(main) == len(every) == 20
    plane = [concept.name for concept in few.concepts]
    for index in range(20):
        image, shown = main.read(index), few.shown(index)
        truth = few.read(index).planes[2] == plane.index(shown.object) + 1
        assert image.text == KINDS[shown.object].name
        assert np.array_equal(image.mask, truth)
        assert np.array_equal(image.mask, every.read(index).mask)
        assert np.array_equal(image.pixels, few.read(index).pixels)
        assert every.read(index).text is None
    assert len({main.fingerprint(), every.fingerprint()}) == 2


def test_masks_of_one_kind_and_of_a_concept_agree() -> None:
    world = World("heldout", count=32, size=48)
    gulls, labelled = SceneMasks(world, "gull"), ConceptMasks(world, "gull")
    assert len(gulls) == len(labelled) > 0
    for index in range(len(gulls)):
        assert gulls.key(index) == labelled.key(index)
        assert np.array_equal(gulls.read(index).mask, labelled.read(index).mask)
        assert labelled.read(index).text == "gull"
    with pytest.raises(OptionError, match=r"no kind of object 'gul'.*\n.*\n.*'gull'"):
        SceneMasks(world, "gul")


def test_a_mask_at_another_size_takes_the_cell_centres(data: Arrangements) -> None:
    image = SceneMasks(data).read(3)
    small = resized(image, (12, 24))
    assert small.pixels.shape == (12, 24, 3)
    assert np.array_equal(small.mask, image.mask[2::4, 1::2])
