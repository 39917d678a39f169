"""What a pass shows a model and what it reads off it: images here, texts there, one face for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from microtome.core.site import Site
from microtome.record.batches import Batches
from microtome.record.labels import LabelBlock


@runtime_checkable
class Feed(Protocol):
    """Reads blocks of items and runs the model on them.

    Attributes
    ----------
    site:
        The layer that is recorded.
    batches:
        How items go through the model; its notes go into the manifest.
    spatial:
        Whether an item has several elements, laid out as `map_shape`.
    map_shape:
        Shape of one unit's activations on an item.
    padded:
        Items have different lengths: elements without labels are no part of them.
    """

    site: Site
    batches: Batches
    spatial: bool
    map_shape: tuple[int, ...]
    padded: bool

    def read(self, first: int, last: int) -> tuple[LabelBlock, Sequence[Any]]:
        """Labels of items first..last-1, and what the model is shown of each."""
        ...

    def run(
        self, inputs: Sequence[Any], names: Sequence[str]
    ) -> tuple[Float[np.ndarray, "item unit height width"], Int[np.ndarray, "item"]]:
        """Activations (as the settings store them) and answered classes (-1 = not asked)."""
        ...

    def kept(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """What the report needs of the items besides: small pictures, or nothing."""
        ...
