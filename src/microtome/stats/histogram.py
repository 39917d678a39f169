"""Activation histogram per unit with bins of equal ratio: no range has to be known beforehand.

Bins are read off the float itself: sign, exponent and the first four bits of the mantissa, so a bin is at most 1/16
(6.25 %) wide relative to its lower edge. Magnitudes below 2^-24 or above 2^40 fall in the outermost bins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

STEPS = 16
LOW, HIGH = -24, 40
_EXPONENTS = HIGH - LOW
_HALF = _EXPONENTS * STEPS
BINS = 2 * _HALF + 1


def bin_edges() -> tuple[Float[np.ndarray, "bin"], Float[np.ndarray, "bin"]]:
    """Lower and upper edge of every bin, ascending; the middle bin is exactly 0."""
    exponents = np.repeat(np.arange(LOW, HIGH, dtype=np.float64), STEPS)
    fractions = np.tile(np.arange(STEPS) / STEPS, _EXPONENTS)
    low = 2.0**exponents * (1 + fractions)
    high = np.append(low[1:], 2.0**HIGH)
    return np.concatenate((-high[::-1], [0.0], low)), np.concatenate((-low[::-1], [0.0], high))


class Histogram:
    """Streaming histogram; see `stats.base.Statistic`. Counts are integers, so shards add exactly.

    Parameters
    ----------
    units:
        Number of units.
    """

    def __init__(self, units: int) -> None:
        self.counts = np.zeros((units, BINS), np.int64)

    def add(self, values: Float[np.ndarray, "image unit height width"]) -> None:
        """Take a block of float32 activations without NaN."""
        from microtome.stats.kernels import add_histogram

        values = np.ascontiguousarray(values, np.float32)
        add_histogram(values, values.view(np.int32), self.counts, LOW + 127, _EXPONENTS, STEPS)

    def merge(self, other: Histogram) -> None:
        self.counts += other.counts

    def state(self) -> dict[str, np.ndarray]:
        return {"counts": self.counts}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Histogram:
        made = cls(0)
        made.counts = np.array(state["counts"], np.int64)
        return made

    def coarse(self, unit: int, *, bins: int = 40) -> list[tuple[float, float, int]]:
        """(low, high, count) of about `bins` bins of equal width over the range of one unit, for drawing.

        A fine bin is counted where its middle lies.
        """
        low, high = bin_edges()
        filled = np.flatnonzero(self.counts[unit])
        if not len(filled):
            return []
        start, stop = float(low[filled[0]]), float(high[filled[-1]])
        if stop <= start:
            return [(start, stop, int(self.counts[unit].sum()))]
        edges = np.linspace(start, stop, bins + 1)
        middle = (low[filled] + high[filled]) / 2
        place = np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, bins - 1)
        counts = np.bincount(place, weights=self.counts[unit][filled], minlength=bins).astype(np.int64)
        return [(float(edges[i]), float(edges[i + 1]), int(counts[i])) for i in range(bins)]

    def quantile_edges(self, unit: int, parts: int) -> Float[np.ndarray, "part_minus_1"]:
        """Bin edges that split the unit's positive values into `parts` of about equal count."""
        _, high, counts = self._positive(unit)
        if not counts.sum():
            return np.zeros(0)
        cumulative = np.cumsum(counts) / counts.sum()
        places = np.searchsorted(cumulative, np.arange(1, parts) / parts)
        # Above the last filled bin there is nothing: an edge there would bound an empty part.
        return np.unique(high[places[places < np.flatnonzero(counts)[-1]]])

    def kmeans_edges(self, unit: int, parts: int, *, rounds: int = 100) -> Float[np.ndarray, "part_minus_1"]:
        """Bin edges between the clusters of a one-dimensional k-means of the unit's positive values.

        Lloyd's algorithm on the bins, started from quantiles: the same counts always give the same edges.
        """
        low, high, counts = self._positive(unit)
        edges = self.quantile_edges(unit, parts)
        if not len(edges):
            return edges
        middle = (low + high) / 2
        for _ in range(rounds):
            place = np.searchsorted(edges, middle, side="left")
            mass = np.bincount(place, weights=counts, minlength=len(edges) + 1)
            centres = np.bincount(place, weights=counts * middle, minlength=len(edges) + 1) / np.maximum(mass, 1)
            centres = centres[mass > 0]
            moved = high[np.searchsorted(middle, (centres[1:] + centres[:-1]) / 2, side="right") - 1]
            if len(moved) == len(edges) and np.array_equal(moved, edges):
                break
            edges = np.unique(moved)
        return edges

    def _positive(self, unit: int) -> tuple[np.ndarray, np.ndarray, Int[np.ndarray, "bin"]]:
        low, high = bin_edges()
        return low[_HALF + 1 :], high[_HALF + 1 :], self.counts[unit, _HALF + 1 :]
