"""The planted world's pictures: the same everywhere, with truth for every pixel."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from microtome.core.errors import DataError, OptionError
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.graph import SURFACES
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS
from microtome.data.world.render import render, render_full
from microtome.data.world.scenes import SCENES
from microtome.data.world.shortcuts import SPLITS, split_named
from microtome.data.world.vocabulary import CONCEPTS, PLANES

TEN_IMAGES = "a16b28f72d315a52"


def _hash_of_ten() -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        world = World(split, count=10)
        for index in range(10) if split == "train" else (0, 7):
            image = world.read(index)
            digest.update(image.pixels.tobytes() + image.planes.astype("<i4").tobytes())
    return digest.hexdigest()[:16]


def test_pixels_and_truth_are_those_of_this_version() -> None:
    # A change here means other images: raise WORLD_VERSION, train the shipped model anew, then renew the hash.
    assert (WORLD_VERSION, _hash_of_ten()) == (1, TEN_IMAGES)


def test_draws_are_the_same_everywhere() -> None:
    assert mix("planted", 1) == 8029613977686745467
    dice = Dice(7)
    assert [dice.whole(0, 9) for _ in range(8)] == [7, 4, 6, 3, 4, 5, 8, 2]
    assert sorted(Dice(3).shuffled(range(20))) == list(range(20))
    assert Dice(3).fork("a").seed() != Dice(3).fork("b").seed()


def test_an_image_depends_on_its_index_and_settings_alone() -> None:
    short, long = World("train", count=3), World("train", count=500)
    long.read(400)
    same, again = short.read(2), long.read(2)
    assert np.array_equal(same.pixels, again.pixels)
    assert np.array_equal(same.planes, again.planes)
    for other in (World("heldout", count=3), World("train", count=3, seed=1)):
        assert not np.array_equal(other.read(2).pixels, same.pixels)
        assert other.fingerprint() != short.fingerprint()


def test_every_pixel_has_its_truth() -> None:
    world = World("train", count=48)
    category = np.array(["none", *(concept.category for concept in CONCEPTS)])
    for index in range(len(world)):
        image = world.read(index)
        color, material, thing, part, surface = image.planes
        for plane, name in zip(image.planes, PLANES, strict=True):
            assert set(category[np.unique(plane)]) <= {"none", name}
        assert (color > 0).all()
        assert ((thing > 0) ^ (surface > 0)).all(), "a pixel shows an object or a surface"
        assert ((thing > 0) == (material > 0)).all()
        assert (part[thing > 0] > 0).all()
        assert image.label is not None
        assert CONCEPTS[image.whole[0]].name == world.classes[image.label] == world.scene(index).scene


def test_the_world_is_as_rich_as_promised() -> None:
    assert len(SCENES) >= 12
    assert len(KINDS) >= 16
    assert (len(COLORS), len(MATERIALS)) == (11, 5)
    assert len(SURFACES) >= 8
    world = World("train", count=240)
    seen = set()
    for index in range(len(world)):
        image = world.read(index)
        seen |= {int(value) - 1 for value in np.unique(image.planes)} | set(image.whole)
    unseen = {concept.name for index, concept in enumerate(CONCEPTS) if index not in seen}
    assert not unseen


def test_every_block_of_images_holds_every_class_once() -> None:
    world = World("shift", count=64)
    labels = [world.scene(index).scene for index in range(64)]
    for start in range(0, 64, 16):
        assert sorted(labels[start : start + 16]) == sorted(SCENES)
    assert labels[:16] != labels[16:32]


def test_objects_overlap_and_are_cut_by_the_frame() -> None:
    world = World("train", count=64)
    hidden = cut = 0
    for index in range(len(world)):
        scene = world.scene(index)
        seen = render_full(scene, 96).instances
        border = np.concatenate([seen[:, 0], seen[:, -1]])
        cut += bool((border >= 0).any())
        hidden += len(set(seen[seen >= 0].tolist())) > 1 and bool((np.diff(seen, axis=0)[seen[1:] >= 0] != 0).any())
    assert cut > 20
    assert hidden > 20


def test_truth_is_the_same_at_another_size() -> None:
    world = World("train", count=8)
    for index in range(len(world)):
        scene = world.scene(index)
        _, small = render(scene, 64)
        _, large = render(scene, 192)
        # The centre of a small pixel is the centre of the middle one of its nine.
        assert np.array_equal(small, large[:, 1::3, 1::3])


def test_light_changes_shades_and_not_truth() -> None:
    from dataclasses import replace

    from microtome.data.world.graph import Light

    scene = World("train", count=1).scene(0)
    dark = replace(scene, light=Light(brightness=0.7, warmth=-1.0, side=-scene.light.side))
    bright_pixels, truth = render(scene, 96)
    dark_pixels, same_truth = render(dark, 96)
    assert np.array_equal(truth, same_truth)
    assert dark_pixels.mean() < bright_pixels.mean()


def test_wrong_settings_are_told_apart() -> None:
    with pytest.raises(OptionError, match="split 'test'"):
        split_named("test")
    with pytest.raises(OptionError, match="0 images"):
        World("train", count=0)
    with pytest.raises(OptionError, match="Size 8"):
        World("train", count=1, size=8)
    with pytest.raises(OptionError, match="'clouds'"):
        World("train", count=1, shortcuts=frozenset({"clouds"}))
    with pytest.raises(DataError, match="no image 3"):
        World("train", count=3).read(3)
