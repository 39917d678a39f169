"""Name neurons by sparse text codes of their first directions, and test the codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.numerics.pursuit import SparseCodes, lasso_codes, matching_pursuit
from microtome.numerics.ranges import random_basis
from microtome.recipes.neuron_settings import CODE_SIZES


@dataclass(frozen=True)
class CodeScore:
    """How well a neuron's code predicts its effect on held-out images.

    Attributes
    ----------
    r:
        Correlation of the effect along the direction with the similarity of the image with the code.
    chance:
        The highest 95 % of the same for other neurons' codes.
    p:
        Share of other neurons' codes that do as well (with the usual +1).
    """

    r: float
    chance: float
    p: float


def code_neurons(
    directions: Float[np.ndarray, "neuron d_out"], texts: Float[np.ndarray, "text d_out"], steps: int, method: str
) -> SparseCodes:
    """Sparse codes by `omp` or `lasso`."""
    return (matching_pursuit if method == "omp" else lasso_codes)(directions, texts, steps)


def code_curve(
    directions: Float[np.ndarray, "neuron d_out"], texts: Float[np.ndarray, "text d_out"], *, seed: int
) -> list[dict[str, float | int | str]]:
    """Mean reconstruction cosine against the number of texts, for both methods, and for texts turned at random.

    Returns
    -------
    Rows of the table `codes`: method, texts, cosine, cosine_chance.
    """
    sizes = [size for size in CODE_SIZES if size <= min(texts.shape)] or [min(texts.shape)]
    turned = texts @ random_basis(texts.shape[1], texts.shape[1], np.random.default_rng(seed))
    rows: list[dict[str, float | int | str]] = []
    for method, some in (("omp", directions), ("lasso", directions[:_LASSO])):
        found = code_neurons(some, texts, sizes[-1], method)
        chance = code_neurons(some, turned, sizes[-1], method)
        for size in sizes:
            column = min(size, found.cosine.shape[1]) - 1
            rows.append({
                "method": method, "texts": size, "cosine": float(found.cosine[:, column].mean()),
                "cosine_chance": float(chance.cosine[:, column].mean()),
            })  # fmt: skip
    return rows


_LASSO = 20
"""Neurons whose lasso path is followed: one takes about a tenth of a second."""


def score_codes(
    codes: Float[np.ndarray, "neuron d_out"],
    along: Float[np.ndarray, "image neuron"],
    seen: Float[np.ndarray, "image d_out"],
    own: Float[np.ndarray, "neuron d_out"] | None = None,
) -> list[CodeScore]:
    """Scores of codes on held-out images.

    Parameters
    ----------
    codes:
        Each neuron's direction rebuilt from its texts.
    along:
        Its effect along the direction.
    seen:
        The images as vectors: of their captions, or the model's outputs.
    own:
        Directions of the neurons, where `seen` are outputs: each neuron's own effect is then taken off them.
    """
    actual = _standard(along)
    scores = []
    for n in range(len(codes)):
        rest = seen if own is None else seen - np.outer(along[:, n], own[n])
        unit = rest / np.linalg.norm(rest, axis=1, keepdims=True).clip(1e-30)
        r = actual[:, n] @ _standard(unit @ codes.T) / len(along)
        others = np.delete(r, n)
        p = (1.0 + float((others >= r[n]).sum())) / (1.0 + len(others))
        high = float(np.quantile(others, 0.95)) if len(others) else float("nan")
        scores.append(CodeScore(float(r[n]), high, p))
    return scores


def image_concepts(
    along: Float[np.ndarray, " neuron"],
    codes: SparseCodes,
    count: int,
    *,
    active: int = 20,
) -> list[tuple[int, float]]:
    """The texts of the neurons that are most active on an image, weighted by how active they are.

    Parameters
    ----------
    along:
        Each neuron's effect on this image, in its own standard deviations.
    codes:
        Codes of these neurons.
    count:
        Texts to return.
    active:
        Neurons that count, those of largest size.

    Returns
    -------
    Numbers of texts with their weights, sign and all, the largest first.

    Source: Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP, section 5.2.
    """
    weights: dict[int, float] = {}
    for neuron in np.argsort(-np.abs(along), kind="stable")[:active].tolist():
        for text, share in zip(codes.atoms[neuron].tolist(), codes.coefficients[neuron].tolist(), strict=True):
            if text >= 0:
                weights[text] = weights.get(text, 0.0) + float(along[neuron]) * share
    return sorted(weights.items(), key=lambda pair: -pair[1])[:count]


def _standard(values: Float[np.ndarray, "image column"]) -> Float[np.ndarray, "image column"]:
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def most_varying(variance: Float[np.ndarray, " neuron"], most: int) -> Int[np.ndarray, " listed"]:
    """The neurons whose effect varies most."""
    return np.argsort(-variance, kind="stable")[:most]
