"""TextSpan: the texts whose directions explain most of what a head writes, one after another.

    s_t = t' C t;   take the text of largest s, u = t / |t|;   with a = t . u for every text
    s <- s - 2 a t' C u + a^2 u' C u,   t <- t - a u

C is the covariance of the head's terms, t a text's direction projected on the head's range. The u are orthonormal, so
u' C u is the variance that a text adds. Nothing but the head's second moment is needed: with P = Q R the head's matrix
and S the covariance of its small vectors, C = R S R' and t = Q' text live in as many dimensions as P has rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.core.source import Source
from microtome.numerics.ranges import random_basis, range_of

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "algorithm 1",
    "from second moments in the head's own space instead of stored outputs; the same texts in the same order",
)
_RESIDUAL = 1e-10
_SPENT = 1e-9
_REFRESH = 8


@dataclass(frozen=True, eq=False)
class Span:
    """The texts of one head, in the order taken.

    Attributes
    ----------
    texts:
        Numbers of the texts.
    gains:
        Variance that each adds, u' C u.
    total:
        Variance of the head's terms, the trace of C.
    basis:
        [text, rank]: the orthonormal u, in the head's range.
    """

    texts: Int[np.ndarray, " text"]
    gains: Float[np.ndarray, " text"]
    total: float
    basis: Float[np.ndarray, "text rank"]

    @property
    def explained(self) -> Float[np.ndarray, " text"]:
        """Share of the variance explained by the first 1, 2, ... texts."""
        return np.cumsum(self.gains) / self.total if self.total > 0 else np.zeros(len(self.gains))


@dataclass(frozen=True, eq=False)
class HeadSpace:
    """What a head can write.

    Attributes
    ----------
    outward:
        Q [d_out, rank]: an orthonormal basis of its range.
    inward:
        R [rank, space]: from its small vectors to that basis.
    """

    outward: Float[np.ndarray, "d_out rank"]
    inward: Float[np.ndarray, "rank space"]

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "d_out space"]) -> HeadSpace:
        """The space of a head's matrix P."""
        return cls(*range_of(matrix))

    def covariance(self, moments: Float[np.ndarray, "space space_"]) -> Float[np.ndarray, "rank rank_"]:
        """The covariance of its terms in its range, from that of its small vectors."""
        return self.inward @ moments @ self.inward.T


def text_span(covariance: Float[np.ndarray, "rank rank"], texts: Float[np.ndarray, "text rank"], most: int) -> Span:
    """The greedy basis.

    Parameters
    ----------
    covariance:
        C, in the head's range, float64.
    texts:
        The texts' directions projected on it, Q' text.
    most:
        Stop after this many texts, or when the variance that is left falls below 1e-10 of the whole, or no text is
        left that is not spanned by those taken.
    """
    t = np.array(texts, np.float64)
    total = float(np.trace(covariance))
    norms = (t * t).sum(axis=1)
    alive = norms > 0
    spent = _SPENT * norms
    chosen: list[int] = []
    gains: list[float] = []
    basis: list[np.ndarray] = []
    scores = _scores(t, covariance)
    while len(chosen) < most and alive.any() and total - sum(gains) > _RESIDUAL * total:
        best = int(np.argmax(np.where(alive, scores, -np.inf)))
        u = t[best] / np.sqrt(norms[best])
        for _ in range(2):
            for earlier in basis:
                u = u - (u @ earlier) * earlier
            u /= np.linalg.norm(u)
        seen = covariance @ u
        gain = float(u @ seen)
        a = t @ u
        scores = scores - 2.0 * a * (t @ seen) + a * a * gain
        t -= a[:, None] * u
        norms = (t * t).sum(axis=1)
        alive &= norms > spent
        alive[best] = False
        chosen.append(best)
        gains.append(gain)
        basis.append(u)
        if len(chosen) % _REFRESH == 0:
            scores = _scores(t, covariance)
    return Span(
        np.array(chosen, np.int64), np.array(gains), total, np.array(basis).reshape(len(basis), len(covariance))
    )


def _scores(t: Float[np.ndarray, "text rank"], covariance: Float[np.ndarray, "rank rank"]) -> np.ndarray:
    return ((t @ covariance) * t).sum(axis=1)


def explained_by(span: Span, covariance: Float[np.ndarray, "rank rank_"]) -> Float[np.ndarray, " text"]:
    """Share of another covariance's variance (held-out images) that the first 1, 2, ... texts of a span explain."""
    total = float(np.trace(covariance))
    gains = np.einsum("ki,ij,kj->k", span.basis, covariance, span.basis)
    return np.cumsum(gains) / total if total > 0 else np.zeros(len(gains))


def chance_spans(
    covariance: Float[np.ndarray, "rank rank_"],
    texts: Float[np.ndarray, "text d_out"],
    most: int,
    *,
    draws: int,
    rng: np.random.Generator,
) -> list[Span]:
    """Spans from pools that say nothing of this head: the same texts, turned.

    A random rotation of the output's space keeps the texts' spectrum and the angles between them.
    """
    rank = len(covariance)
    return [text_span(covariance, texts @ random_basis(texts.shape[1], rank, rng), most) for _ in range(draws)]


def explained_upto(spans: list[Span], most: int) -> Float[np.ndarray, "draw most"]:
    """Share explained by the first 1 .. `most` texts of each span; where texts ran out the last share is repeated."""
    shares = np.zeros((len(spans), most))
    for row, span in zip(shares, spans, strict=True):
        explained = span.explained[:most]
        row[: len(explained)] = explained
        row[len(explained) :] = explained[-1] if len(explained) else 0.0
    return shares
