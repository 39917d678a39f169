"""A concept: something people have a word for, true or false of each element (pixel, token, image)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from microtome.core.errors import DataError


@dataclass(frozen=True, order=True)
class Concept:
    """A named yes/no property of an element.

    Attributes
    ----------
    name:
        The word shown to people, unique within a data set (`water`). Where two categories share a word the
        second and later ones carry their category in front (`scene:water`); see `unique_concepts`.
    category:
        What sort of word it is: color, object, part, material, surface, scene, texture, class ...
    """

    name: str
    category: str


def unique_concepts(pairs: Iterable[tuple[str, str]]) -> tuple[Concept, ...]:
    """Concepts of (name, category) pairs, in the order given; a name used before gets `category:` in front.

    Raises
    ------
    DataError
        If a name is empty, or the same (name, category) comes twice.
    """
    seen: set[str] = set()
    concepts: list[Concept] = []
    for name, category in pairs:
        clean = " ".join(name.split())
        if not clean:
            raise DataError(
                f"A concept of category '{category}' has an empty name.",
                expected="every concept has a name",
                next_step="name it in the label list, or drop its index",
            )
        unique = clean if clean not in seen else f"{category}:{clean}"
        if unique in seen:
            raise DataError(
                f"The concept '{clean}' of category '{category}' is listed twice.",
                expected="one index for each concept",
                next_step="merge the two entries or rename one",
            )
        seen.add(unique)
        concepts.append(Concept(unique, category))
    return tuple(concepts)
