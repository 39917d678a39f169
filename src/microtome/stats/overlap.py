"""How many elements of each signature a unit fires on: the counts behind the table of signatures.

Integers, kept sparse: counts of shards add up to those of one pass, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from microtome.core.signatures import Activity


class Overlap:
    """Streaming counts of (unit, signature); see `stats.base.Statistic`.

    Parameters
    ----------
    units, signatures:
        Sizes; signature numbers must mean the same set in every shard.
    """

    def __init__(self, units: int, signatures: int) -> None:
        self.units, self.signatures = units, signatures
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def add(self, unit: int, rows: Int[np.ndarray, "active"], counts: Int[np.ndarray, "active"]) -> None:
        """Add counts of one unit; a row may come again in a later call."""
        self._keys.append(np.int64(unit) * self.signatures + rows.astype(np.int64))
        self._counts.append(counts.astype(np.int64))

    def merge(self, other: Overlap) -> None:
        self._keys += other._keys
        self._counts += other._counts

    def state(self) -> dict[str, np.ndarray]:
        keys, counts = self._summed()
        return {"keys": keys, "counts": counts, "shape": np.array([self.units, self.signatures], np.int64)}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Overlap:
        made = cls(int(state["shape"][0]), int(state["shape"][1]))
        made._keys, made._counts = [state["keys"]], [state["counts"]]
        return made

    def activity(self) -> Activity:
        """The counts as one sparse matrix, rows ascending within a unit."""
        keys, counts = self._summed()
        units = keys // max(self.signatures, 1)
        indptr = np.zeros(self.units + 1, np.int64)
        np.cumsum(np.bincount(units, minlength=self.units), out=indptr[1:])
        return Activity(indptr, (keys - units * self.signatures).astype(np.int32), counts)

    def _summed(self) -> tuple[np.ndarray, np.ndarray]:
        if not self._keys:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        keys, inverse = np.unique(np.concatenate(self._keys), return_inverse=True)
        counts = np.zeros(len(keys), np.int64)
        np.add.at(counts, inverse, np.concatenate(self._counts))
        return keys, counts
