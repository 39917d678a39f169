"""A head's label: the property that its texts share, against the texts that turned pools would have given.

    share[p] = variance explained by the texts of property p / variance explained by all its texts

A property with many texts, or with texts that lie far apart, has a large share by chance alone. So what counts is how
far a share exceeds its mean over spans of turned pools (`text_span.chance_spans`), and the property that exceeds most
is set against the one that exceeds most in each draw. (In standard deviations a property that chance hardly ever draws
would win by nothing.)
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
_LEAST_SPREAD = 1e-6
"""Smallest standard deviation that anything is set against."""


@dataclass(frozen=True, eq=False)
class Standing:
    """How a head's texts stand among properties.

    Attributes
    ----------
    property:
        The property that stands out most.
    share, expected:
        Share of the explained variance that comes from its texts, and the same in turned pools on average.
    score:
        How far the share exceeds what is expected.
    drawn:
        The same for each draw: its largest excess over the mean of the other draws.
    """

    property: str
    share: float
    expected: float
    score: float
    drawn: Float[np.ndarray, " draw"]


def standing(
    own: tuple[Int[np.ndarray, " text"], Float[np.ndarray, " text"]],
    draws: Sequence[tuple[Int[np.ndarray, " _"], Float[np.ndarray, " _"]]],
    properties: Sequence[str],
    *,
    asked: str | None = None,
) -> Standing:
    """The property that stands out most, or how far the one that is asked about does.

    Parameters
    ----------
    own:
        The head's texts, as numbers of the pool, and the variance that each adds.
    draws:
        The same for turned pools.
    properties:
        The property of every text of the pool.
    asked:
        One of them, fixed beforehand: its draws are then its own, not those of whatever stands out most.
    """
    names = sorted(set(properties))
    codes = np.array([names.index(name) for name in properties])
    shares = _shares(own, codes, len(names))
    drawn = np.stack([_shares(one, codes, len(names)) for one in draws])
    mean = drawn.mean(axis=0)
    best = int(np.argmax(shares - mean)) if asked is None else names.index(asked)
    excess = drawn - (drawn.sum(axis=0) - drawn) / (len(drawn) - 1)
    return Standing(
        names[best], float(shares[best]), float(mean[best]), float(shares[best] - mean[best]),
        excess.max(axis=1) if asked is None else excess[:, best],
    )  # fmt: skip


def against(values: Float[np.ndarray, "value column"], drawn: Float[np.ndarray, "draw column"]) -> np.ndarray:
    """Values in standard deviations of the draws, column by column."""
    return (values - drawn.mean(axis=0)) / np.maximum(drawn.std(axis=0), _LEAST_SPREAD)


def among(drawn: Float[np.ndarray, "draw column"]) -> Float[np.ndarray, "draw column"]:
    """Each draw in standard deviations of the others."""
    count = len(drawn)
    total, squares = drawn.sum(axis=0), (drawn * drawn).sum(axis=0)
    mean = (total - drawn) / (count - 1)
    spread = np.sqrt(((squares - drawn * drawn) / (count - 1) - mean * mean).clip(0.0))
    return (drawn - mean) / np.maximum(spread, _LEAST_SPREAD)


def pooled_p(scores: Float[np.ndarray, " head"], drawn: Float[np.ndarray, "head draw"]) -> Float[np.ndarray, " head"]:
    """Share of all heads' draws that stand out as much as each head does (with the usual +1).

    Each is set against its own head's draws first, so that heads can share them: few draws then give small p values.
    """
    ordered = np.sort(drawn, axis=None)
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return (1.0 + above) / (1.0 + len(ordered))


def _shares(
    one: tuple[Int[np.ndarray, " text"], Float[np.ndarray, " text"]], codes: Int[np.ndarray, " pool"], names: int
) -> Float[np.ndarray, " name"]:
    texts, gains = one
    whole = gains.sum()
    return np.bincount(codes[texts], weights=gains / whole if whole > 0 else gains, minlength=names)
