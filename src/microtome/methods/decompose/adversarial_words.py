"""Words that push a model's answer from one class to another, read off the sparse codes of its neurons.

    a_n = w_n d_n . (c1 - c0)      neurons of largest |a_n| are looked at
    score_j = sum over n of g[n, j] * a_n

c0 and c1 are unit vectors of the true and the wrong class, d_n is the direction of a neuron's effect, g[n, j] the
coefficient of text j in its code. w_n is 1, or the spread of its effect over images: a_n is then how far the neuron
moves the answer, where it otherwise tells which way it points. Texts close to either class would be the class itself
and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.core.source import Source
from microtome.numerics.pursuit import SparseCodes

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP",
    "section 5.1",
    "closeness to a class is the cosine after the mean of all texts is taken off both",
)


def pushing_neurons(
    directions: Float[np.ndarray, "neuron d_out"],
    source: Float[np.ndarray, " d_out"],
    target: Float[np.ndarray, " d_out"],
    most: int,
    sizes: Float[np.ndarray, " neuron"] | None = None,
) -> tuple[Int[np.ndarray, " chosen"], Float[np.ndarray, " chosen"]]:
    """The neurons whose directions tell two classes apart most, and a_n of each.

    Parameters
    ----------
    directions:
        One for each neuron.
    source, target:
        The true class and the wrong one.
    most:
        Neurons to return, at least 1.
    sizes:
        w_n; None: 1.
    """
    along = directions @ (target - source) * (1.0 if sizes is None else sizes)
    chosen = np.argsort(-np.abs(along), kind="stable")[:most]
    return chosen, along[chosen]


@dataclass(frozen=True, eq=False)
class WordScores:
    """What each text of a dictionary adds to the wrong class's lead.

    Attributes
    ----------
    scores:
        Above 0: towards the wrong class.
    neurons:
        How many of the neurons' codes hold the text.
    """

    scores: Float[np.ndarray, " text"]
    neurons: Int[np.ndarray, " text"]


def word_scores(codes: SparseCodes, along: Float[np.ndarray, " vector"], texts: int) -> WordScores:
    """score_j of every text.

    Parameters
    ----------
    codes:
        Of the chosen neurons' directions.
    along:
        a_n of each of them.
    texts:
        How many texts the dictionary has.
    """
    held = codes.atoms >= 0
    atoms = codes.atoms[held]
    scores = np.bincount(atoms, weights=(codes.coefficients * along[:, None])[held], minlength=texts)
    return WordScores(scores.astype(np.float64), np.bincount(atoms, minlength=texts).astype(np.int64))


def closeness(
    texts: Float[np.ndarray, "text d_out"], vector: Float[np.ndarray, " d_out"]
) -> Float[np.ndarray, " text"]:
    """Cosine of each text with a vector, once the mean text is taken off both.

    Texts of a CLIP share much of their direction whatever they say, so the plain cosine tells little.
    """
    middle = texts.mean(axis=0)
    apart, other = texts - middle, vector - middle
    sizes = np.linalg.norm(apart, axis=1) * np.linalg.norm(other)
    return np.divide(apart @ other, sizes, out=np.zeros(len(texts)), where=sizes > 0)
