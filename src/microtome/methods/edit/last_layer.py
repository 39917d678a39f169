"""A last linear layer trained anew on items in groups of equal weight, held near the one that it replaces.

    minimise  sum_i w_i CE(softmax(W x_i + b), y_i) / sum_i w_i  +  strength * (|W - W0|^2 + |b - b0|^2)

with w_i = 1 / (size of i's group), so that each group counts alike, and each feature divided by its standard deviation
first, so that the distance does not depend on units. The loss is convex, so the result does not depend on a seed.
With group-balanced items this is what people do instead of an audit: deep feature reweighting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError
from microtome.core.source import Source

LOWEST = -600.0
"""Logits further below the highest count as so far below it."""
STEPS = 50


@dataclass(frozen=True)
class LastLayerRetraining:
    """Settings of the training.

    Attributes
    ----------
    strength:
        Weight of the distance to the old layer, above 0; raising it changes less.
    steps:
        Most steps of L-BFGS.
    """

    strength: float = 1e-3
    steps: int = STEPS

    name: ClassVar[str] = "last-layer"
    source: ClassVar[Source] = Source(
        "Kirichenko, Izmailov & Wilson 2023, Last layer re-training is sufficient for robustness to spurious "
        "correlations",
        "section 4, DFR",
        "groups are weighted, not subsampled; one model held near the old layer, in place of an average of ten with L1",
    )

    def run(
        self, features: Float[np.ndarray, "item feature"], labels: Int[np.ndarray, " item"],
        group: Int[np.ndarray, " item"], weight: Float[np.ndarray, "klass feature"], bias: Float[np.ndarray, " klass"],
    ) -> tuple[Float[np.ndarray, "klass feature"], Float[np.ndarray, " klass"]]:  # fmt: skip
        """Train.

        Parameters
        ----------
        features, labels:
            What the layer reads, and the class of each item.
        group:
            Group of each item; every group has the same weight.
        weight, bias:
            Of the layer that is replaced.

        Raises
        ------
        DataError
            Without an item, or where a label has no row.
        """
        from scipy.optimize import minimize

        if not len(labels) or labels.min() < 0 or labels.max() >= len(weight):
            raise DataError(
                f"{len(labels)} items cannot train a last layer of {len(weight)} classes.",
                expected="labelled items of these classes",
            )
        _, inverse, sizes = np.unique(group, return_inverse=True, return_counts=True)
        share = 1.0 / sizes[inverse]
        share /= share.sum()
        spread = features.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        scaled, start = features / scale, np.concatenate([(weight * scale).ravel(), bias])
        shape = weight.shape

        def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
            return loss_and_gradient(point, scaled, labels, share, start, shape, self.strength)

        found = minimize(objective, start.copy(), jac=True, method="L-BFGS-B", options={"maxiter": self.steps})
        end = np.asarray(found.x)
        split = shape[0] * shape[1]
        return end[:split].reshape(shape) / scale, end[split:]


def loss_and_gradient(
    point: Float[np.ndarray, " number"], features: Float[np.ndarray, "item feature"], labels: Int[np.ndarray, " item"],
    share: Float[np.ndarray, " item"], start: Float[np.ndarray, " number"], shape: tuple[int, int], strength: float,
) -> tuple[float, Float[np.ndarray, " number"]]:  # fmt: skip
    """The loss of the module's first lines, and its gradient; `point` is W row by row, then b."""
    split = shape[0] * shape[1]
    logits = features @ point[:split].reshape(shape).T + point[split:]
    logits -= logits.max(axis=1, keepdims=True)
    # Of a sure network they are so far below that their products are subnormal, and ten times as slow.
    chance = np.exp(np.maximum(logits, LOWEST))
    chance /= chance.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    away = point - start
    loss = float(-(share * np.log(np.maximum(chance[rows, labels], 1e-300))).sum() + strength * (away @ away))
    chance[rows, labels] -= 1.0
    chance *= share[:, None]
    gradient = np.concatenate([(chance.T @ features).ravel(), chance.sum(axis=0)])
    return loss, gradient + 2 * strength * away
