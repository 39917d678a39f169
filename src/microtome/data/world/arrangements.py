"""Arrangements as a data set: one group of objects a picture, every factor drawn apart, each changeable alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from microtome.core.errors import DataError, OptionError, nearest
from microtome.data.attributes import Attribute, codes
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.world.arranged import Arrangement, arrange, draw_arrangement, is_bird
from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES, Factor
from microtome.data.world.graph import SceneGraph
from microtome.data.world.render import render
from microtome.data.world.shortcuts import Split, split_named
from microtome.data.world.varied import full_caption
from microtome.data.world.vocabulary import CONCEPTS, PLANES


class Arrangements(ImageData):
    """Rendered arrangements with exact truth for every pixel and every factor.

    Image i depends only on (`WORLD_VERSION`, seed, split, i, size). No picture of a split is drawn from the numbers
    that the training pictures of the shipped CLIP are drawn from. There are no classes and no whole-image concepts:
    what a picture shows is `shown`.

    Parameters
    ----------
    split:
        `train`, `validation` and `heldout` have one distribution and different seeds: 19 of 20 birds stand on their
        own ground. In `shift` birds stand anywhere, and so all factors are independent.
    count:
        Number of images, at least 1.
    size:
        Height and width in pixels, 16 to 1024. Time grows with its square.
    seed:
        Another seed, other arrangements.

    Raises
    ------
    OptionError
        For a value outside its range or an unknown split.

    Examples
    --------
    >>> data = Arrangements("heldout", count=100)
    >>> data.read(0).pixels.shape
    (64, 64, 3)
    >>> before, after = data.scene(0), data.changed(0, "color", "red")
    """

    concepts = tuple(concept for concept in CONCEPTS if concept.category in PLANES)

    def __init__(self, split: Split, *, count: int, size: int = 64, seed: int = 0) -> None:
        if count < 1:
            raise OptionError(f"A set of {count} arrangements is empty.", expected="count of at least 1")
        if not 16 <= size <= 1024:
            raise OptionError(f"Size {size} is out of range.", expected="16 to 1024 pixels")
        self.split: Split = split_named(split)
        self.count = count
        self.size = size
        self.seed = seed
        self._base = mix("arrangements to look at", WORLD_VERSION, seed, split)
        birds = "birds stand anywhere" if split == "shift" else "19 of 20 birds stand on their own ground"
        self.card = DataCard(
            name=f"arrangements, {split}",
            reader="arranged",
            source=f"generated, version {WORLD_VERSION}, seed {seed}, {size} pixels",
            notes=(
                "One to four objects alike on one surface; object, colour, material, count, surface and side are "
                f"drawn independently, but {birds}.",
            ),
        )

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"{self.split}-{self._checked(index):06d}"

    def read(self, index: int) -> LabelledImage:
        pixels, planes = render(self.scene(index), self.size)
        return LabelledImage(key=self.key(index), pixels=pixels, planes=planes)

    def caption(self, index: int) -> str:
        """Everything that image `index` shows, worded as the captions that the shipped CLIP was trained on."""
        return full_caption(self.scene(index), Dice(mix(self._base, "caption", index)))

    def attributes(self) -> tuple[Attribute, ...]:
        """Every factor of every image."""
        shown = [self.shown(index) for index in range(len(self))]
        return tuple(
            Attribute(factor, values, codes(values, [one.value(factor) for one in shown]))
            for factor, values in FACTOR_VALUES.items()
        )

    def shown(self, index: int) -> Arrangement:
        """What image `index` shows."""
        dice = self._dice(index)
        drawn = draw_arrangement(dice)
        if self.split == "shift" and is_bird(drawn):
            return drawn.with_value("surface", dice.fork("anywhere").pick(FACTOR_VALUES["surface"]))
        return drawn

    def scene(self, index: int) -> SceneGraph:
        """The scene graph of image `index`."""
        return arrange(self.shown(index), self._dice(index))

    def changed(self, index: int, factor: Factor, value: str) -> SceneGraph:
        """The scene of image `index` with one factor changed and every other draw (places, sky, light ...) kept.

        Parameters
        ----------
        factor, value:
            Which one, and its new value ('3' for a count); the value that it has gives `scene(index)`.

        Raises
        ------
        OptionError
            For an unknown factor or value.
        """
        return arrange(self.shown(index).with_value(_known(factor), _valid(factor, value)), self._dice(index))

    def other_value(self, index: int, factor: Factor) -> str:
        """A random value of a factor that image `index` does not show; the same each time."""
        now = self.shown(index).value(_known(factor))
        others = [value for value in FACTOR_VALUES[factor] if value != now]
        return self._dice(index).fork("other value", factor).pick(others)

    def pairs(self, factor: Factor, count: int) -> Iterator[tuple[SceneGraph, SceneGraph]]:
        """Scenes before and after a change of one factor alone: images 0 to count - 1, each to its `other_value`.

        Parameters
        ----------
        factor:
            What changes.
        count:
            How many pairs, 1 to the number of images.

        Raises
        ------
        OptionError
            For an unknown factor, or where there are not so many images.
        """
        _known(factor)
        if not 1 <= count <= self.count:
            raise OptionError(
                f"{count} pairs of {self.count} arrangements cannot be made.", expected=f"1 to {self.count} pairs"
            )
        return ((self.scene(i), self.changed(i, factor, self.other_value(i, factor))) for i in range(count))

    def changed_pairs(
        self, attribute: str, count: int, seed: int
    ) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]]:
        """Pixels before and after a change of one factor alone, of arrangements that are not among these.

        A change of surface leaves out wood, which would change what stands behind too. Nothing for what is no factor.
        """
        if attribute not in FACTOR_VALUES:
            return
        factor: Factor = next(name for name in FACTOR_VALUES if name == attribute)
        others = Arrangements(self.split, count=10 * count, size=self.size, seed=mix("changed", self.seed, seed))
        made = 0
        for index in range(len(others)):
            value = others.other_value(index, factor)
            if factor == "surface" and "wood" in (value, others.shown(index).surface):
                continue
            before, after = others.scene(index), others.changed(index, factor, value)
            yield render(before, self.size)[0], render(after, self.size)[0]
            made += 1
            if made == count:
                return

    def fingerprint(self) -> str:
        return hash_of(("arranged", WORLD_VERSION, self.split, self.count, self.size, self.seed))

    def _dice(self, index: int) -> Dice:
        return Dice(mix(self._base, "image", self._checked(index)))

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise DataError(f"There is no arrangement {index}.", expected=f"an index from 0 to {self.count - 1}")
        return index


def _known(factor: Factor) -> Factor:
    if factor not in FACTOR_VALUES:
        raise OptionError(
            f"An arrangement has no factor '{factor}'.",
            expected=f"one of {', '.join(FACTOR_VALUES)}",
            next_step=f"did you mean {nearest(factor, FACTOR_VALUES, most=1)}?",
        )
    return factor


def _valid(factor: Factor, value: str) -> str:
    values = FACTOR_VALUES[factor]
    if value not in values:
        raise OptionError(
            f"An arrangement has no {factor} '{value}'.",
            expected=f"one of {', '.join(values)}",
            next_step=f"did you mean {nearest(value, values, most=1)}?",
        )
    return value
