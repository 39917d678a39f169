"""Mean and variance per unit.

    mean = sum(x) / n        variance = sum(x^2) / n - mean^2

Sums are float64 and kept per block; they are added in block order when read, so shards give the same bits as one pass.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float


class Moments:
    """Streaming mean and variance; see `stats.base.Statistic`.

    Parameters
    ----------
    units:
        Number of units.
    """

    def __init__(self, units: int) -> None:
        self.units = units
        self._blocks: dict[int, np.ndarray] = {}

    def add(self, block: int, values: Float[np.ndarray, "image unit height width"]) -> None:
        """Take one block of activations under its number. Raises ValueError on a number seen before."""
        from microtome.stats.kernels import sums_of_squares

        if block in self._blocks:
            raise ValueError(f"block {block} was added before")
        entry = np.empty((3, self.units))
        entry[0] = values.shape[0] * values.shape[2] * values.shape[3]
        entry[1:] = sums_of_squares(values)
        self._blocks[block] = entry

    def merge(self, other: Moments) -> None:
        twice = self._blocks.keys() & other._blocks.keys()
        if twice:
            raise ValueError(f"blocks {sorted(twice)} are in both shards")
        self._blocks.update(other._blocks)

    def state(self) -> dict[str, np.ndarray]:
        order = sorted(self._blocks)
        sums = np.stack([self._blocks[b] for b in order]) if order else np.zeros((0, 3, self.units))
        return {"blocks": np.array(order, np.int64), "sums": sums}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Moments:
        made = cls(state["sums"].shape[2])
        made._blocks = {int(b): entry for b, entry in zip(state["blocks"], state["sums"], strict=True)}
        return made

    def _totals(self) -> np.ndarray:
        total = np.zeros((3, self.units))
        for block in sorted(self._blocks):
            total += self._blocks[block]
        return total

    def mean(self) -> Float[np.ndarray, "unit"]:
        """Mean activation of each unit; 0 before anything was added."""
        count, first, _ = self._totals()
        return first / np.maximum(count, 1)

    def std(self) -> Float[np.ndarray, "unit"]:
        """Standard deviation of each unit (of all values, not of a sample)."""
        count, first, second = self._totals()
        mean = first / np.maximum(count, 1)
        return np.sqrt(np.maximum(second / np.maximum(count, 1) - mean**2, 0.0))
