"""A head's label: the property that its texts share, against shuffled properties.

    share[p] = variance explained by the texts of property p / variance explained by all its texts

A property with many texts has a large share by chance alone, so shares are set against those under shuffles of the
pool's property column, in standard deviations, and the largest of them against the largest under each shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.core.source import Source

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "section 4.2: there heads were labelled by eye",
    "the label is computed, with a p value",
)


@dataclass(frozen=True)
class HeadLabel:
    """What a head's texts have in common.

    Attributes
    ----------
    property:
        The property that stands out most.
    share:
        Share of the explained variance that comes from its texts, 0 to 1.
    expected:
        The same under shuffles, on average.
    p:
        Share of shuffles in which some property stands out as much (with the usual +1), 1 without properties.
    """

    property: str
    share: float
    expected: float
    p: float


def label_of(
    gains: Float[np.ndarray, " text"],
    texts: Int[np.ndarray, " text"],
    properties: Sequence[str],
    *,
    draws: int,
    rng: np.random.Generator,
) -> HeadLabel:
    """The label of a head from its texts.

    Parameters
    ----------
    gains, texts:
        Variance that each text of the head adds, and its number in the pool.
    properties:
        The property of every text of the pool.
    draws:
        Shuffles; at least 19 for a p of 0.05.
    """
    names = sorted(set(properties))
    codes = np.array([names.index(name) for name in properties])
    weights = gains / gains.sum() if gains.sum() > 0 else np.zeros(len(gains))
    shares = _shares(weights, codes[texts], len(names))
    shuffled = np.stack(
        [_shares(weights, rng.choice(codes, len(texts), replace=False), len(names)) for _ in range(draws)]
    )
    mean, spread = shuffled.mean(axis=0), shuffled.std(axis=0) + 1.0 / len(codes)
    found = (shares - mean) / spread
    chance = ((shuffled - mean) / spread).max(axis=1)
    best = int(np.argmax(found))
    p = (1.0 + float((chance >= found[best]).sum())) / (1.0 + draws)
    return HeadLabel(names[best], float(shares[best]), float(mean[best]), p)


def _shares(
    weights: Float[np.ndarray, " text"], codes: Int[np.ndarray, " text"], names: int
) -> Float[np.ndarray, " name"]:
    return np.bincount(codes, weights=weights, minlength=names)
