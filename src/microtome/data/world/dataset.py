"""The planted world as a data set."""

from __future__ import annotations

from functools import lru_cache

from microtome.core.errors import DataError, OptionError
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.world.dice import Dice, mix
from microtome.data.world.graph import SceneGraph
from microtome.data.world.render import render
from microtome.data.world.scenes import SCENES, compose
from microtome.data.world.shortcuts import ALL_SHORTCUTS, Split, rates, split_named
from microtome.data.world.varied import full_caption
from microtome.data.world.vocabulary import CONCEPTS, concept_index

WORLD_VERSION = 1
"""Raised whenever a pixel of any image changes. Shipped weights name the version they were trained on."""

_CLASSES = tuple(SCENES)


class World(ImageData):
    """Rendered scenes with exact truth for every pixel.

    Image i depends only on (`WORLD_VERSION`, seed, split, i, size, shortcuts). Every sixteen images hold each
    of the sixteen scene classes once, in random order.

    Parameters
    ----------
    split:
        `train`, `validation` and `heldout` have one distribution and different seeds; in `shift` the
        shortcuts stop telling anything.
    count:
        Number of images, at least 1.
    size:
        Height and width in pixels, 16 to 1024. Time grows with its square: about 5 ms an image at 96.
    seed:
        Another seed, another world.
    shortcuts:
        Which planted shortcuts are on (see `shortcuts.SHORTCUTS`); default: all.

    Raises
    ------
    OptionError
        For a value outside its range, an unknown split or shortcut.
    """

    concepts = CONCEPTS
    classes = _CLASSES

    def __init__(
        self,
        split: Split,
        *,
        count: int,
        size: int = 96,
        seed: int = 0,
        shortcuts: frozenset[str] | None = None,
    ) -> None:
        if count < 1:
            raise OptionError(f"A world of {count} images is empty.", expected="count of at least 1")
        if not 16 <= size <= 1024:
            raise OptionError(f"Size {size} is out of range.", expected="16 to 1024 pixels")
        self.split: Split = split_named(split)
        self.count = count
        self.size = size
        self.seed = seed
        self.shortcuts = ALL_SHORTCUTS if shortcuts is None else frozenset(shortcuts)
        self._rates = rates(split, self.shortcuts)
        self._base = mix("microtome planted world", WORLD_VERSION, seed, split)
        self.card = self._describe()

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"{self.split}-{self._checked(index):06d}"

    def read(self, index: int) -> LabelledImage:
        scene = self.scene(index)
        pixels, planes = render(scene, self.size)
        return LabelledImage(
            key=self.key(index),
            pixels=pixels,
            planes=planes,
            whole=(concept_index("scene", scene.scene),),
            label=_CLASSES.index(scene.scene),
        )

    def caption(self, index: int) -> str:
        """Everything that image `index` shows, worded as the captions that the shipped CLIP was trained on."""
        return full_caption(self.scene(index), Dice(mix(self._base, "caption", index)))

    def scene(self, index: int) -> SceneGraph:
        """The scene graph of image `index`."""
        block, place = divmod(self._checked(index), len(_CLASSES))
        kind = _block_order(mix(self._base, "block", block))[place]
        return compose(kind, Dice(mix(self._base, "image", index)), self._rates)

    def fingerprint(self) -> str:
        return hash_of(
            (
                "world",
                WORLD_VERSION,
                self.split,
                self.count,
                self.size,
                self.seed,
                tuple(sorted(self.shortcuts)),
            )
        )

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise DataError(f"The world has no image {index}.", expected=f"an index from 0 to {self.count - 1}")
        return index

    def _describe(self) -> DataCard:
        on = ", ".join(sorted(self.shortcuts)) or "none"
        return DataCard(
            name=f"planted world, {self.split}",
            reader="world",
            source=f"generated, version {WORLD_VERSION}, seed {self.seed}, {self.size} pixels",
            notes=(f"planted shortcuts switched on: {on}",),
        )


@lru_cache(maxsize=64)
def _block_order(seed: int) -> tuple[str, ...]:
    return tuple(Dice(seed).shuffled(_CLASSES))
