"""The items of a run (images, or texts) in one row: those to search on, then those held out, with one vocabulary."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from microtome.core.concept import Concept
from microtome.core.errors import DataError
from microtome.data.base import ImageData, ItemData, LabelledImage
from microtome.data.text.base import LabelledText, TextData


@dataclass(frozen=True)
class Items:
    """Items numbered through all their data sets. What holds of images below holds of texts.

    Attributes
    ----------
    sets:
        One data set whose items are halved, or two: searched, held out.
    heldout:
        bool [image].
    """

    sets: tuple[ItemData, ...]
    heldout: Bool[np.ndarray, "image"]

    def __len__(self) -> int:
        return len(self.heldout)

    @cached_property
    def concepts(self) -> tuple[Concept, ...]:
        """Concepts of the searched set in order of name.

        Those of a second set count as `_places` matches them.
        """
        return tuple(sorted(self.sets[0].concepts, key=lambda concept: concept.name))

    @cached_property
    def _renumber(self) -> tuple[Int[np.ndarray, "value"], ...]:
        return tuple(
            np.array([0, *(place + 1 for place in _places(self.concepts, data.concepts))], np.int32)
            for data in self.sets
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names of all sets: those of the first, then what the second adds."""
        return tuple(dict.fromkeys(name for data in self.sets for name in data.classes))

    def class_of(self, index: int, label: int | None) -> int:
        """An image's own class number as one of `classes`; -1 where it has none. Without names the number stays."""
        which, _ = self._locate(index)
        names = self.sets[which].classes
        if label is None or (self.classes and not 0 <= label < len(names)):
            return -1
        return self.classes.index(names[label]) if self.classes else label

    def _locate(self, index: int) -> tuple[int, int]:
        first = len(self.sets[0])
        return (0, index) if index < first else (1, index - first)

    def key(self, index: int) -> str:
        which, inner = self._locate(index)
        return self.sets[which].key(inner)

    def read(self, index: int) -> tuple[LabelledImage, Int[np.ndarray, "value"]]:
        """The image, and for each of its plane values 0..n the value in the run's vocabulary (0 = none)."""
        which, inner = self._locate(index)
        data = self.sets[which]
        assert isinstance(data, ImageData)
        return data.read(inner), self._renumber[which]

    def read_text(self, index: int) -> tuple[LabelledText, Int[np.ndarray, "value"]]:
        """The text, and for each of its concepts plus one the value in the run's vocabulary (0 = none)."""
        which, inner = self._locate(index)
        data = self.sets[which]
        assert isinstance(data, TextData)
        return data.read(inner), self._renumber[which]

    def text_set(self, index: int) -> TextData:
        """The data set of a text."""
        data = self.sets[self._locate(index)[0]]
        assert isinstance(data, TextData)
        return data

    def own_concept(self, index: int, concept: int) -> int:
        """A concept of the run's vocabulary as a number in the data set of an item; -1 where that has it not."""
        found = np.flatnonzero(self._renumber[self._locate(index)[0]] == concept + 1)
        return int(found[0]) - 1 if len(found) else -1

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """What NEIGHBOURS of each concept stands for, by the searched set; () without word vectors."""
        data = self.sets[0]
        if not isinstance(data, TextData) or not data.neighbours:
            return ()
        place = self._renumber[0]
        groups: list[tuple[int, ...]] = [()] * len(self.concepts)
        for own, group in enumerate(data.neighbours):
            groups[int(place[own + 1]) - 1] = tuple(sorted(int(place[member + 1]) - 1 for member in group))
        return tuple(groups)


def halve(data: ItemData, *, seed: int) -> Items:
    """Search on a random half of the images, hold out the other. Raises DataError on fewer than two images."""
    if len(data) < 2:
        raise DataError(
            f"'{data.card.name}' has {len(data)} {_word(data)}{'s' if len(data) != 1 else ''}.",
            expected="at least two: one half to search on, one to test on",
            next_step=f"add {_word(data)}s, or name other data with --heldout",
        )
    heldout = np.zeros(len(data), bool)
    order = np.random.default_rng([seed, 1]).permutation(len(data))
    heldout[order[: len(data) // 2]] = True
    return Items((data,), heldout)


def beside(data: ItemData, heldout: ItemData) -> Items:
    """Search on `data`, test on `heldout`.

    Raises
    ------
    DataError
        If either is empty, both are the same, or they share no concept.
    """
    for one in (data, heldout):
        if not len(one):
            raise DataError(f"'{one.card.name}' has no {_word(one)}s.", expected=f"at least one {_word(one)}")
    if data.fingerprint() == heldout.fingerprint():
        raise DataError(
            f"'{heldout.card.name}' is both searched and held out.",
            expected=f"{_word(data)}s to test on that were not searched",
            next_step="leave --heldout out to hold out a random half, or name other data",
        )
    if max(_places(data.concepts, heldout.concepts), default=-1) < 0:
        raise DataError(
            f"'{data.card.name}' and '{heldout.card.name}' have no concept in common.",
            expected="the same concept names in both",
            next_step="see them with `microtome data check`",
        )
    return Items((data, heldout), np.repeat([False, True], [len(data), len(heldout)]))


def _word(data: ItemData) -> str:
    return "text" if isinstance(data, TextData) else "image"


def _places(searched: tuple[Concept, ...], others: tuple[Concept, ...]) -> list[int]:
    """For each other concept the index of the searched one that it is, -1 for none.

    Name and category decide; a prefix that only tells two categories apart (`color:orange`) is no part of the name.
    Where the categories differ the name alone does, if each set uses it once.
    """
    exact = {(concept.category, _bare(concept)): index for index, concept in enumerate(searched)}
    by_name: dict[str, list[int]] = {}
    for index, concept in enumerate(searched):
        by_name.setdefault(_bare(concept), []).append(index)
    used = Counter(_bare(concept) for concept in others)
    places = []
    for concept in others:
        name = _bare(concept)
        alone = by_name[name][0] if len(by_name.get(name, ())) == 1 and used[name] == 1 else -1
        places.append(exact.get((concept.category, name), alone))
    return places


def _bare(concept: Concept) -> str:
    """The name without the prefix that `unique_concepts` may have put in front."""
    return concept.name.removeprefix(f"{concept.category}:")
