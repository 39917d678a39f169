"""From the answers of properties to a list of concepts and, for each element, the indices of those that hold."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from microtome.core.concept import Concept
from microtome.core.errors import DataError, OptionError
from microtome.data.text.views import Property, values_of

Pair = tuple[str, str]
"""Category and value; the value is "" for a bare yes."""

_USER_FAULTS = (ArithmeticError, LookupError, AttributeError, TypeError, ValueError, RuntimeError, OSError)


@dataclass(frozen=True)
class Limit:
    """Which values of a category may become concepts.

    Attributes
    ----------
    most:
        Keep this many of the most frequent values, counted over all categories of one group.
    group:
        Category to the name of its group: categories of one group share their values. Others are not limited.
    stop_words:
        Values that never become concepts of a limited category.
    """

    most: int
    group: Mapping[str, str]
    stop_words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Assembled:
    """Concepts and the elements' sets of them."""

    concepts: tuple[Concept, ...]
    sets: tuple[tuple[int, ...], ...]


def name_of(category: str, value: str) -> str:
    """A concept's name: `category:value`, the bare category for a plain yes."""
    return f"{category}:{value}" if value else category


class Elements:
    """The answers of properties at each element, kept as numbers: a text has many elements, and few different answers.

    Parameters
    ----------
    properties:
        Category and function, in the order of the concepts.
    """

    def __init__(self, properties: Sequence[tuple[str, Property[Any]]]) -> None:
        self._properties = tuple(properties)
        self._numbers: dict[Pair, int] = {}
        self._flat = array("i")
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the properties."""
        return tuple(name for name, _ in self._properties)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every different answer, in the order met."""
        return tuple(self._numbers)

    def counts(self) -> list[int]:
        """How often each of `pairs` was given; a word that comes twice in an element counts twice."""
        return np.bincount(np.asarray(self._flat, dtype=np.int64), minlength=len(self._numbers)).tolist()

    def add(self, view: object, place: Callable[[], str]) -> None:
        """Ask all properties about one element.

        Parameters
        ----------
        view:
            What the functions are given.
        place:
            Names the element, for messages.

        Raises
        ------
        OptionError
            When a function fails or answers with something else, naming it and the element.
        """
        numbers, flat = self._numbers, self._flat
        for category, ask in self._properties:
            try:
                values = values_of(ask(view))
            except _USER_FAULTS as error:
                raise OptionError(
                    f"The property '{category}' failed at {place()}: {type(error).__name__}: {error}.",
                    expected="a function that gives True or False, a text, or several texts",
                    next_step="mend the function",
                ) from error
            for value in values:
                flat.append(numbers.setdefault((category, value), len(numbers)))
        self._ends.append(len(flat))

    def sets(self, index: Mapping[Pair, int]) -> tuple[tuple[int, ...], ...]:
        """For each element the indices of its answers, ascending; answers without an index are left out."""
        table = [index.get(pair, -1) for pair in self._numbers]
        flat, ends = self._flat, self._ends
        return tuple(
            tuple(sorted({found for k in flat[start:end] if (found := table[k]) >= 0})) for start, end in pairwise(ends)
        )


def assemble(elements: Elements, limit: Limit) -> Assembled:
    """Concepts of all elements' answers: each that holds somewhere, categories in the order of the properties.

    Values of a limited category come by frequency, others by number and name.

    Raises
    ------
    DataError
        When two categories make the same name, or none holds anywhere.
    """
    kept = _frequent(elements, limit)
    place = {category: index for index, category in enumerate(elements.categories)}

    def order(pair: Pair) -> tuple[int, int, tuple[tuple[int, str], ...], str]:
        category, value = pair
        group = limit.group.get(category)
        return place[category], 0 if group is None else kept[group][value], _natural(value), value

    pairs = sorted(
        (
            (category, value)
            for category, value in elements.pairs
            if category not in limit.group or value in kept[limit.group[category]]
        ),
        key=order,
    )
    if not pairs:
        raise DataError("No concept holds anywhere.", expected="at least one", next_step="look at the stop list")
    names = [name_of(*pair) for pair in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f"Two properties give the concept '{twice}'.", expected="different names")
    index = {pair: k for k, pair in enumerate(pairs)}
    concepts = tuple(Concept(name, pair[0]) for name, pair in zip(names, pairs, strict=True))
    return Assembled(concepts, elements.sets(index))


def assemble_like(elements: Elements, concepts: tuple[Concept, ...]) -> Assembled:
    """The elements' sets over a given list of concepts; answers that are not among them are left out."""
    index = {
        (concept.category, concept.name.removeprefix(concept.category).removeprefix(":")): k
        for k, concept in enumerate(concepts)
    }
    return Assembled(concepts, elements.sets(index))


def _frequent(elements: Elements, limit: Limit) -> dict[str, dict[str, int]]:
    """For each group its values by rank: most frequent first, ties by name."""
    totals: dict[str, Counter[str]] = {group: Counter() for group in limit.group.values()}
    for (category, value), count in zip(elements.pairs, elements.counts(), strict=True):
        if category in limit.group and value not in limit.stop_words:
            totals[limit.group[category]][value] += count
    ranked = {
        group: sorted(total, key=lambda value, total=total: (-total[value], value)) for group, total in totals.items()
    }
    return {group: {value: rank for rank, value in enumerate(values[: limit.most])} for group, values in ranked.items()}


def _natural(value: str) -> tuple[tuple[int, str], ...]:
    """Sorts `4-10` before `11+`: runs of digits by their number."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", value))
