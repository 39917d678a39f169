"""What every image reader returns: images, and for each image which concepts hold where.

A label *plane* is an integer grid over the image; cell value k > 0 means `concepts[k - 1]` holds there, 0 means no
concept of this plane. Several planes lie on one another, so a pixel can be `red`, `car` and `road scene` at once.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from microtome.core.concept import Concept


@dataclass(frozen=True)
class LabelledImage:
    """One image with its truth.

    Attributes
    ----------
    key:
        Stable name of the image within its data set (a relative path, an index).
    pixels:
        RGB, uint8, [height, width, 3].
    planes:
        Label planes, int32 [plane, label_height, label_width]: 0 = none, k = `concepts[k - 1]`.
        The label grid may be smaller than the image, but covers the same field of view.
    whole:
        Concepts that hold of the whole image, as indices into `concepts` (0-based).
    void:
        True where nobody annotated: those elements are dropped, activity and all. None = nothing is void.
    label:
        The image's class as an index into `ImageData.classes`, or None.
    """

    key: str
    pixels: UInt8[np.ndarray, "height width 3"]
    planes: Int[np.ndarray, "plane label_height label_width"]
    whole: tuple[int, ...] = ()
    void: Bool[np.ndarray, "label_height label_width"] | None = None
    label: int | None = None


@dataclass(frozen=True)
class DataCard:
    """What a reader says of the data set as a whole, for reports."""

    name: str
    reader: str
    source: str
    notes: tuple[str, ...] = ()
    predicted: frozenset[str] = field(default_factory=frozenset)
    """Categories that a model predicted and nobody annotated."""
    spec: str = ""
    """What the data were opened by, where they can be opened so again."""
    settings: tuple[tuple[str, Any], ...] = ()
    """The settings that they were opened with, by name."""


class ItemData(ABC):
    """A list of items (images, texts) with concepts and classes: what every data set is, whatever it shows."""

    card: DataCard
    concepts: tuple[Concept, ...]
    classes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def key(self, index: int) -> str:
        """Stable name of item `index`, without reading it."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of what decides the data: file names and sizes, settings, seeds. Part of a run's manifest."""

    def labels(self, index: int) -> frozenset[str]:
        """Categories that item `index` labels. Default: every category of the data set."""
        return frozenset(concept.category for concept in self.concepts)


class ImageData(ItemData):
    """A list of labelled images that is read one at a time. Readers subclass it; nothing else does."""

    @abstractmethod
    def read(self, index: int) -> LabelledImage:
        """Image `index` with its label planes. Raises DataError naming the file when it cannot be read."""


def hash_of(parts: Iterable[object]) -> str:
    """SHA-256 (first 16 hex digits) of the parts' text, for fingerprints."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
