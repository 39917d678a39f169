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
_PART = 2**14


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
        if values.shape != self._limbs.shape[1:]:
            raise ValueError("an array of another shape cannot be added")
        flat, limbs = np.asarray(values, np.float64).reshape(-1), self._limbs.reshape(3, -1)
        if flat.size and not max(flat.max(), -flat.min()) < _MOST * self.unit:
            raise ValueError(f"a value is not finite, or above {_MOST * self.unit:g}")
        # Part by part: what is in between stays in the cache.
        for first in range(0, flat.size, _PART):
            rest = flat[first : first + _PART] / self.unit
            for limb in limbs[:, first : first + _PART]:
                whole = np.trunc(rest)
                limb += whole.astype(np.int64)
                rest -= whole
                rest *= _LIMB

    def merge(self, other: ExactSum) -> None:
        if other.unit != self.unit or other._limbs.shape != self._limbs.shape:
            raise ValueError("sums of different units or shapes cannot be merged")
        self._limbs += other._limbs

    def state(self) -> dict[str, np.ndarray]:
        return {"limbs": self._limbs, "unit": np.array(self.unit)}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> ExactSum:
        made = cls(state["limbs"].shape[1:], unit=float(state["unit"]))
        made._limbs = np.array(state["limbs"], np.int64, order="C")
        return made

    def value(self) -> Float[np.ndarray, "*shape"]:
        """The sum, float64."""
        # The sign comes off first: -1 beside a second limb near 2^40 would cancel.
        sign = np.where(_carried(self._limbs)[0] < 0, -1, 1)
        first, second, third = (limb.astype(np.float64) for limb in _carried(self._limbs * sign))
        return (first + (second + third / _LIMB) / _LIMB) * sign * self.unit

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._limbs.nbytes


def _carried(limbs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same number with its second and third limb in [0, 2^40)."""
    first, second, third = limbs
    second = second + (third >> 40)
    return first + (second >> 40), second & (2**40 - 1), third & (2**40 - 1)
