"""All statistics of a pass together: one object that shards can merge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.stats.histogram import Histogram
from microtome.stats.moments import Moments
from microtome.stats.tail import Tail
from microtome.stats.top_images import TopImages

_PARTS = {"tail": Tail, "histogram": Histogram, "moments": Moments, "top": TopImages}


class Summary:
    """Thresholds, histogram, moments and top images of every unit; see `stats.base.Statistic`.

    Tail and histogram, and so thresholds and ranges, are of the searched images alone: held-out ones play no part.
    """

    def __init__(self, *, units: int, tail: int, top_k: int) -> None:
        self.tail = Tail(units, tail)
        self.histogram = Histogram(units)
        self.moments = Moments(units)
        self.top = TopImages(units, top_k)

    def add(
        self,
        block: int,
        first_image: int,
        values: Float[np.ndarray, "element unit height width"],
        *,
        searched: Bool[np.ndarray, "element"],
        peaks: Float[np.ndarray, "image unit"],
        cells: Int[np.ndarray, "image unit"],
    ) -> None:
        """Take one block of float32 activations with the peak of each item's map and its cell.

        An element is an image with its map, or one token of the block's texts with a map of one cell.
        """
        self.tail.add(values if searched.all() else values[searched])
        self.histogram.add(values if searched.all() else values[searched])
        self.moments.add(block, values)
        self.top.add(first_image, peaks, cells)

    def merge(self, other: Summary) -> None:
        self.tail.merge(other.tail)
        self.histogram.merge(other.histogram)
        self.moments.merge(other.moments)
        self.top.merge(other.top)

    def state(self) -> dict[str, np.ndarray]:
        return {f"{part}.{name}": array for part in _PARTS for name, array in getattr(self, part).state().items()}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Summary:
        made = cls.__new__(cls)
        for part, kind in _PARTS.items():
            inner = {name.removeprefix(f"{part}."): a for name, a in state.items() if name.startswith(f"{part}.")}
            setattr(made, part, kind.load(inner))
        return made
