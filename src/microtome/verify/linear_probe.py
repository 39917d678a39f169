"""A linear probe: what can be read off an output by one matrix, trained on some images and asked about others.

    answer = argmax over classes of w_c . (x - mean) / std + b_c

Source: Radford et al. 2021, Learning transferable visual models from natural language supervision, appendix A.3
(logistic regression on frozen outputs, L2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.errors import DataError

_STEPS = 5000


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """A trained probe.

    Attributes
    ----------
    weights, bias:
        [class, d_out] and [class], on outputs as they come (the scaling is folded in).
    codes:
        The label that each row answers.
    """

    weights: Float[np.ndarray, "klass d_out"]
    bias: Float[np.ndarray, " klass"]
    codes: Int[np.ndarray, " klass"]

    def answers(self, outputs: Float[np.ndarray, "image d_out"]) -> Int[np.ndarray, " image"]:
        """The label that each output gets."""
        return self.codes[(outputs @ self.weights.T + self.bias).argmax(axis=1)]

    def right(
        self, outputs: Float[np.ndarray, "image d_out"], labels: Int[np.ndarray, " image"]
    ) -> Bool[np.ndarray, " image"]:
        """Whether each answer is the label."""
        return self.answers(outputs) == labels


def train_probe(
    outputs: Float[np.ndarray, "image d_out"], labels: Int[np.ndarray, " image"], *, strength: float = 0.1
) -> LinearProbe:
    """Logistic regression on standardised outputs; images without a label (-1) are left out.

    Parameters
    ----------
    outputs, labels:
        The images to learn from.
    strength:
        Inverse of the L2 penalty (scikit-learn's C), above 0; raising it fits closer.

    Raises
    ------
    DataError
        Where fewer than two labels occur.
    """
    from sklearn.linear_model import LogisticRegression

    known = labels >= 0
    x, y = outputs[known], labels[known]
    if len(np.unique(y)) < 2:
        raise DataError("A probe needs images of two classes.", expected="at least two labels that occur")
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    model = LogisticRegression(C=strength, max_iter=_STEPS).fit((x - mean) / std, y)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:
        weights, bias = np.concatenate((-weights, weights)) / 2, np.concatenate((-bias, bias)) / 2
    weights = weights / std
    return LinearProbe(weights, bias - weights @ mean, model.classes_.astype(np.int64))
