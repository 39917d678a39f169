"""The largest values of each unit, and with them its exact threshold.

    T = the (m + 1)-th largest activation,  m = floor(quantile * number of activations)

so that P(a > T) <= quantile, with equality where values differ. Only the m + 1 largest have to be kept: the threshold
is exact whether activations are stored or not, and the largest of a union are the largest of the largest.

Source: Bau et al. 2017, section 2.2 (P(a > T) = 0.005).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from microtome.core.errors import OptionError

MOST_BYTES = 3 * 2**30


class Tail:
    """Streaming exact upper tail; see `stats.base.Statistic`.

    Parameters
    ----------
    units:
        Number of units.
    most:
        Values kept of each unit; `tail_size` says how many a quantile needs.

    Raises
    ------
    OptionError
        If the tail would need over 3 GiB.
    """

    def __init__(self, units: int, most: int) -> None:
        self.most = most
        size = 8 * units * (most + 1)
        if size > MOST_BYTES:
            raise OptionError(
                f"Exact thresholds of {units:,} units need {size / 2**30:.1f} GiB, "
                f"for the {most:,} largest values of each.",
                expected="at most 3 GiB",
                next_step="record fewer units at a time (--units 0-31), fewer images, or a smaller --quantile",
            )
        self._kept = np.full((units, 2 * most), -np.inf, np.float32)
        self._fill = np.zeros(units, np.int64)
        self._bound = np.full(units, -np.inf, np.float32)

    def add(self, values: Float[np.ndarray, "image unit height width"]) -> None:
        """Take a block of float32 activations without NaN."""
        from microtome.stats.kernels import add_tail

        add_tail(np.ascontiguousarray(values, np.float32), self._kept, self._fill, self._bound, self.most)

    def merge(self, other: Tail) -> None:
        for unit in range(len(self._fill)):
            theirs = other._kept[unit, : other._fill[unit]]
            self.add_unit(unit, theirs)

    def add_unit(self, unit: int, values: Float[np.ndarray, "value"]) -> None:
        """Take values of one unit."""
        both = np.concatenate((self._kept[unit, : self._fill[unit]], values))
        if len(both) > self.most:
            both = np.sort(both)[len(both) - self.most :]
            self._bound[unit] = both[0]
        self._kept[unit, : len(both)] = both
        self._fill[unit] = len(both)

    def state(self) -> dict[str, np.ndarray]:
        kept = np.full((len(self._fill), self.most), -np.inf, np.float32)
        for unit in range(len(self._fill)):
            largest = np.sort(self._kept[unit, : self._fill[unit]])[-self.most :]
            # Adding zero makes -0.0 to 0.0: which of the two is kept would depend on the order of shards.
            kept[unit, : len(largest)] = largest + np.float32(0)
        return {"kept": kept, "fill": np.minimum(self._fill, self.most)}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Tail:
        made = cls(*state["kept"].shape)
        for unit, fill in enumerate(state["fill"]):
            made.add_unit(unit, state["kept"][unit, : int(fill)])
        return made

    def thresholds(self, rank: int | None = None) -> Float[np.ndarray, "unit"]:
        """The `rank`-th largest value of each unit, float32; the smallest seen where fewer were added.

        Parameters
        ----------
        rank:
            1 to `most`, which is the default. Fewer values may have been added than were expected.
        """
        rank = self.most if rank is None else rank
        out = np.empty(len(self._fill), np.float32)
        for unit in range(len(self._fill)):
            values = np.sort(self._kept[unit, : self._fill[unit]])
            out[unit] = values[max(len(values) - rank, 0)] if len(values) else np.inf
        return out + np.float32(0)


def tail_size(quantile: float, count: int) -> int:
    """How many values of each unit the threshold at this quantile needs: floor(quantile * count) + 1."""
    return int(quantile * count) + 1
