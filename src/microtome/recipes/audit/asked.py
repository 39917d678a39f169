"""The face of a model of images that an audit asks, whatever its parts are: channels of a layer, heads of a CLIP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from microtome.core.formula import Formula
from microtome.recipes.audit.nouns import NO_CHANGE, Change, LastLayer, Named

Pixels = UInt8[np.ndarray, "height width 3"]


@runtime_checkable
class Detector(Protocol):
    """What a part detects, by its name and what it was seen to fire on."""

    def formulas(self, barred: frozenset[str]) -> list[Formula]:
        """Concepts that the part detects, best first; none is made of a word of `barred`."""
        ...


@runtime_checkable
class AskedModel(Protocol):
    """A model of images, read once and asked with changes.

    Attributes
    ----------
    kind:
        `units`, `heads` or `neurons`.
    classes:
        Names of its outputs.
    names:
        Of every part.
    detectors:
        What each part detects.
    erasable:
        Whether a direction over parts can be taken out.
    notes:
        Sentences that a reader should know.
    """

    kind: str
    classes: tuple[str, ...]
    names: Mapping[int, Named]
    detectors: Mapping[int, Detector]
    erasable: bool
    notes: list[str]

    def read(self, pixels: Sequence[Pixels]) -> Any:
        """What is kept of images at the model's input size."""
        ...

    def take(self, held: Any, rows: Int[np.ndarray, " row"]) -> Any:
        """Some of what was read."""
        ...

    def answer(self, held: Any, change: Change = NO_CHANGE) -> Float[np.ndarray, "item klass"]:
        """Logits of the model, changed."""
        ...

    def features(self, held: Any) -> Float[np.ndarray, "item feature"] | None:
        """What a last linear layer reads."""
        ...

    def last(self) -> LastLayer | None:
        """That layer."""
        ...

    def values(self, held: Any) -> Float[np.ndarray, "item part"]:
        """One number a part and image."""
        ...

    def speaks(self, held: Any, truth: Int[np.ndarray, " item"], target: int) -> Float[np.ndarray, " part"]:
        """What each part adds to a class beyond what it adds to the others, on the class's own images; if there are
        none, on all."""
        ...

    def carried(
        self, before: Any, after: Any, truth: Int[np.ndarray, " item"], target: int
    ) -> Float[np.ndarray, " part"]:
        """Growth of `target`'s logit over the true class's from `before` to `after`, part by part; mean over items."""
        ...

    def mass(self, held: Any) -> Float[np.ndarray, " part"]:
        """Mean magnitude of each part over items, by which control sets are matched."""
        ...

    def settle(self, held: Any, rows: Bool[np.ndarray, " item"]) -> None:
        """Take the means that ablated parts are set to from these items."""
        ...
