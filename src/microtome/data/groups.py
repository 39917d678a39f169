"""Images with a class and an attribute that goes with it too often: the groups that worst-group accuracy is about.

    group = (class, attribute): waterbird on water, waterbird on land, landbird on water, landbird on land

Source: Sagawa, Koh, Hashimoto & Liang 2020, Distributionally robust neural networks for group shifts, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from microtome.core.errors import DataError, OptionError
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.dice import Dice, mix
from microtome.data.world.graph import SceneGraph
from microtome.data.world.render import render
from microtome.data.world.scenes import compose
from microtome.data.world.shortcuts import ALL_SHORTCUTS, SHORTCUTS, Split, rates, shows_first_cue, split_named
from microtome.data.world.varied import full_caption
from microtome.data.world.vocabulary import CONCEPTS, concept_index


@dataclass(frozen=True)
class Groups:
    """Class and attribute of every image of a set, in its order.

    Attributes
    ----------
    labels, attribute:
        Indices into `classes` and `values`.
    classes, values:
        Names of the classes and of what the attribute can be.
    """

    labels: Int[np.ndarray, "image"]
    attribute: Int[np.ndarray, "image"]
    classes: tuple[str, ...]
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        for word, numbers, names in (
            ("label", self.labels, self.classes),
            ("attribute", self.attribute, self.values),
        ):
            if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(names)):
                raise DataError(
                    f"A {word} of {int(numbers.min())} to {int(numbers.max())} has no name.",
                    expected=f"0 to {len(names) - 1} ({', '.join(names)})",
                )
        if len(self.labels) != len(self.attribute):
            raise DataError(
                f"{len(self.labels)} images have a label and {len(self.attribute)} an attribute.",
                expected="both for every image",
            )

    def name(self, label: int, attribute: int) -> str:
        """`waterbird, land`."""
        return f"{self.classes[label]}, {self.values[attribute]}"

    @property
    def counts(self) -> Int[np.ndarray, "label attribute"]:
        """How many images each group has, int64."""
        counts = np.zeros((len(self.classes), len(self.values)), np.int64)
        np.add.at(counts, (self.labels, self.attribute), 1)
        return counts


@runtime_checkable
class Grouped(Protocol):
    """An image set whose images are in groups; `WaterBirds` and `WorldBirds` are."""

    @property
    def groups(self) -> Groups:
        """Class and attribute of every image."""
        ...


class WorldBirds(ImageData):
    """The planted world's birds alone: a gull or a robin before water or grass.

    A waterbird is a gull; 95 of 100 stand before water, but for the split `shift`, where the ground says nothing.
    Of every two images one shows each class, in random order. Image i depends only on (`WORLD_VERSION`, seed, split,
    i, size); pixels, planes and concepts are as of `World`.

    Parameters
    ----------
    split:
        `train`, `validation`, `heldout` or `shift`.
    count:
        Number of images, at least 1.
    size:
        Height and width in pixels, 16 to 1024.
    seed:
        Another seed, other pictures.

    Raises
    ------
    OptionError
        For a value outside its range or an unknown split.
    """

    concepts = CONCEPTS
    classes = ("landbird", "waterbird")
    values = ("grass", "water")

    def __init__(self, split: Split, *, count: int, size: int = 64, seed: int = 0) -> None:
        if count < 1:
            raise OptionError(f"A set of {count} birds is empty.", expected="count of at least 1")
        if not 16 <= size <= 1024:
            raise OptionError(f"Size {size} is out of range.", expected="16 to 1024 pixels")
        self.split: Split = split_named(split)
        self.count = count
        self.size = size
        self.seed = seed
        self._rates = rates(split, ALL_SHORTCUTS)
        self._base = mix("birds before their ground", WORLD_VERSION, seed, split)
        agreement = self._rates.agreement["bird-background"]
        self.card = DataCard(
            name=f"birds of the planted world, {split}",
            reader="world birds",
            source=f"generated, version {WORLD_VERSION}, seed {seed}, {size} pixels",
            notes=(f"{agreement:.0%} of birds stand before their own ground ({SHORTCUTS['bird-background'].truth}).",),
        )

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"{self.split}-bird-{self._checked(index):06d}"

    def read(self, index: int) -> LabelledImage:
        scene = self.scene(index)
        pixels, planes = render(scene, self.size)
        return LabelledImage(
            key=self.key(index),
            pixels=pixels,
            planes=planes,
            whole=(concept_index("scene", scene.scene),),
            label=self.classes.index(scene.scene),
        )

    def caption(self, index: int) -> str:
        """Everything that image `index` shows, worded as the captions that the shipped CLIP was trained on."""
        return full_caption(self.scene(index), Dice(mix(self._base, "caption", index)))

    def scene(self, index: int) -> SceneGraph:
        """The scene graph of image `index`."""
        pair, place = divmod(self._checked(index), 2)
        order = Dice(mix(self._base, "pair", pair)).shuffled(self.classes)
        return compose(order[place], Dice(mix(self._base, "image", index)), self._rates)

    @cached_property
    def groups(self) -> Groups:
        """Class and ground of every image; the first look composes every scene."""
        scenes = [self.scene(index) for index in range(self.count)]
        labels = [self.classes.index(scene.scene) for scene in scenes]
        water = [int(shows_first_cue("bird-background", scene)) for scene in scenes]
        return Groups(np.array(labels, np.int64), np.array(water, np.int64), self.classes, self.values)

    def fingerprint(self) -> str:
        return hash_of(("world birds", WORLD_VERSION, self.split, self.count, self.size, self.seed))

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise DataError(f"There is no bird {index}.", expected=f"an index from 0 to {self.count - 1}")
        return index


def world_birds(count: int, split: Split = "heldout", size: int = 64, seed: int = 0) -> WorldBirds:
    """The planted world's version of Waterbirds; see `WorldBirds`."""
    return WorldBirds(split, count=count, size=size, seed=seed)
