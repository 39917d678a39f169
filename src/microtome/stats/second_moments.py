"""Means and covariances of many small vectors: one matrix of the vector's width plus one for each group.

    S = sum over images of [x; 1] [x; 1]'        mean = S[:-1, -1] / n        covariance = S[:-1, :-1] / n - mean mean'

A group is a head (layer, head) or a neuron. The state does not grow with the number of images, and shards in any order
give the same bits (`ExactSum`; the block's own product is taken in float64).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from microtome.stats.exact_sum import ExactSum


class SecondMoments:
    """Streaming second moments; see `stats.base.Statistic`.

    Parameters
    ----------
    groups:
        Number of groups.
    width:
        Length of each vector.
    """

    def __init__(self, groups: int, width: int) -> None:
        self._sum = ExactSum((groups, width + 1, width + 1))

    def add(self, vectors: Float[np.ndarray, "image group width"]) -> None:
        """Take one block of vectors. Raises ValueError where one is not finite."""
        x = np.empty((vectors.shape[1], vectors.shape[0], vectors.shape[2] + 1))
        x[:, :, :-1] = vectors.transpose(1, 0, 2)
        x[:, :, -1] = 1.0
        self._sum.add(x.transpose(0, 2, 1) @ x)

    def merge(self, other: SecondMoments) -> None:
        self._sum.merge(other._sum)

    def state(self) -> dict[str, np.ndarray]:
        return self._sum.state()

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> SecondMoments:
        limbs = state["limbs"]
        made = cls(limbs.shape[1], limbs.shape[2] - 1)
        made._sum = ExactSum.load(state)
        return made

    def count(self) -> int:
        """How many images were added."""
        return int(self._sum.value()[0, -1, -1]) if self._sum.nbytes else 0

    def mean(self) -> Float[np.ndarray, "group width"]:
        """Mean vector of each group; zeros before anything was added."""
        total = self._sum.value()
        return total[:, :-1, -1] / max(total[0, -1, -1], 1.0)

    def covariance(self) -> Float[np.ndarray, "group width width_"]:
        """Covariance of each group, of all images (not of a sample)."""
        total = self._sum.value()
        count = max(total[0, -1, -1], 1.0)
        mean = total[:, :-1, -1] / count
        return total[:, :-1, :-1] / count - mean[:, :, None] * mean[:, None, :]

    @property
    def nbytes(self) -> int:
        """Bytes of the state."""
        return self._sum.nbytes
