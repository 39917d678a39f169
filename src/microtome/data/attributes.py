"""What is known of each image besides its pixels: its class, and properties such as colour, count or place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from microtome.data.base import ImageData
from microtome.data.groups import Grouped
from microtome.data.restrict import Subset


@dataclass(frozen=True, eq=False)
class Attribute:
    """One property of every image.

    Attributes
    ----------
    name:
        `color`, `class`, `place` ...
    values:
        What it can be.
    of:
        The value of each image as an index into `values`, -1 = unknown.
    """

    name: str
    values: tuple[str, ...]
    of: Int[np.ndarray, " image"]


@runtime_checkable
class Attributed(Protocol):
    """A data set that knows properties of its images."""

    def attributes(self) -> tuple[Attribute, ...]:
        """Its properties, over all images."""
        ...


def attributes_of(
    data: ImageData, index: Int[np.ndarray, " read"], labels: Int[np.ndarray, " read"]
) -> dict[str, Attribute]:
    """Properties of the images `index`, by name; the class is one of them where images have one.

    Parameters
    ----------
    data:
        The data set.
    index, labels:
        Numbers of the images that were read, and their classes (-1 = none).
    """
    found: dict[str, Attribute] = {}
    if data.classes and (labels >= 0).any():
        found["class"] = Attribute("class", data.classes, labels)
    where, inner = unwrapped(data, index)
    if isinstance(inner, Grouped):
        groups = inner.groups
        found["place"] = Attribute("place", groups.values, groups.attribute[where])
    if isinstance(inner, Attributed):
        for attribute in inner.attributes():
            found[attribute.name] = Attribute(attribute.name, attribute.values, attribute.of[where])
    return found


@runtime_checkable
class Captioned(Protocol):
    """A data set with a caption for each image."""

    def caption(self, index: int) -> str:
        """What image `index` shows, in words."""
        ...


def captions_of(data: ImageData, index: Int[np.ndarray, " read"]) -> list[str] | None:
    """Captions of the images `index`; None where the data has none."""
    where, inner = unwrapped(data, index)
    return [inner.caption(int(n)) for n in where] if isinstance(inner, Captioned) else None


def unwrapped(data: ImageData, index: Int[np.ndarray, " read"]) -> tuple[Int[np.ndarray, " read"], ImageData]:
    """The data set that some images were drawn from, and their numbers there."""
    while isinstance(data, Subset):
        index, data = data.numbers[index], data.whole
    return index, data


def codes(values: Sequence[str], of: Sequence[str]) -> Int[np.ndarray, " image"]:
    """Each word as an index into `values`, -1 where it is none of them."""
    place = {value: number for number, value in enumerate(values)}
    return np.array([place.get(word, -1) for word in of], np.int64)
