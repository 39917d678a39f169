"""Sums of float arrays that do not depend on the order or grouping of what is added.

    x = (a0 + a1 2^-40 + a2 2^-80) * unit        a0, a1, a2 whole numbers of x's sign, a1 and a2 below 2^40 in size

Whole numbers add exactly, so any split into shards gives the same bits, and the state does not grow with the number of
blocks. Each addend is kept to 2^-80 of the unit; up to 2^22 of them can be added.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

_LIMB = 2.0**40
_MOST = 2.0**40


class ExactSum:
    """Streaming sum of arrays of one shape; see `stats.base.Statistic`.

    Parameters
    ----------
    shape:
        Shape of what is added.
    unit:
        A power of two near the size of the addends: numbers above 2^40 units cannot be added.
    """

    def __init__(self, shape: tuple[int, ...], *, unit: float = 1.0) -> None:
        self.unit = unit
        self._limbs = np.zeros((3, *shape), np.int64)

    def add(self, values: Float[np.ndarray, "*shape"]) -> None:
        """Add an array. Raises ValueError where it is not finite or too large for the unit."""
        scaled = np.asarray(values, np.float64) / self.unit
        if not (np.abs(scaled) < _MOST).all():
            raise ValueError(f"a value is not finite, or above {_MOST * self.unit:g}")
        for limb in self._limbs:
            whole = np.trunc(scaled)
            limb += whole.astype(np.int64)
            scaled = (scaled - whole) * _LIMB

    def merge(self, other: ExactSum) -> None:
        if other.unit != self.unit or other._limbs.shape != self._limbs.shape:
            raise ValueError("sums of different units or shapes cannot be merged")
        self._limbs += other._limbs

    def state(self) -> dict[str, np.ndarray]:
        return {"limbs": self._limbs, "unit": np.array(self.unit)}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> ExactSum:
        made = cls(state["limbs"].shape[1:], unit=float(state["unit"]))
        made._limbs = np.array(state["limbs"], np.int64)
        return made

    def value(self) -> Float[np.ndarray, "*shape"]:
        """The sum, float64."""
        first, second, third = self._limbs
        carry = second >> 40
        low = (second - (carry << 40)).astype(np.float64) + third.astype(np.float64) / _LIMB
        return ((first + carry).astype(np.float64) + low / _LIMB) * self.unit

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._limbs.nbytes
