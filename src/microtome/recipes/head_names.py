"""Name every head: its texts, what they explain, its label, and whether its texts predict it on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.data.pools.base import TextPool
from microtome.methods.decompose.labels import Standing, against, among, pooled_p, standing
from microtome.methods.decompose.text_span import (
    HeadSpace,
    Span,
    chance_spans,
    explained_by,
    explained_upto,
    text_span,
)
from microtome.models.towers.base import Tower
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.direct_pass import matrices_of
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass
from microtome.stats.second_moments import SecondMoments

LEADING = 5
"""Texts whose explained variance is set against chance."""


@dataclass(frozen=True, eq=False)
class HeadName:
    """A head with its texts.

    Attributes
    ----------
    layer, head:
        Which.
    space:
        Its range.
    mean:
        [space]: its mean small vector on the searched half.
    span:
        Its texts.
    heldout:
        Share of the held-out variance that the first 1, 2, ... texts explain.
    turned:
        Spans of turned pools on the searched half: chance.
    """

    layer: int
    head: int
    space: HeadSpace
    mean: Float[np.ndarray, " space"]
    span: Span
    heldout: Float[np.ndarray, " text"]
    turned: list[Span]

    @property
    def chance(self) -> Float[np.ndarray, "draw most"]:
        """Share that the first 1, 2, ... texts of each turned pool explain; at least one column."""
        return explained_upto(self.turned, max(1, len(self.span.texts)))

    @property
    def lead(self) -> int:
        """How many texts are set against chance."""
        return min(LEADING, len(self.span.texts))

    def coordinates(self, vectors: Float[np.ndarray, "image space"]) -> Float[np.ndarray, "image text"]:
        """Where each image's term lies along each of the head's texts."""
        return (vectors - self.mean) @ self.space.inward.T @ self.span.basis.T

    def written(self, vectors: Float[np.ndarray, "image space"]) -> Float[np.ndarray, "image d_out"]:
        """The head's term of each image."""
        return vectors @ self.space.inward.T @ self.space.outward.T

    def missing(self) -> Float[np.ndarray, "space d_out"]:
        """From a (centred) small vector to what its reconstruction from the texts lacks, negated."""
        basis = self.span.basis
        kept = basis.T @ basis - np.eye(basis.shape[1])
        return self.space.inward.T @ kept @ self.space.outward.T


def head_moments(
    stream: StreamPass, heldout: Bool[np.ndarray, " image"], tower: Tower, layer: int
) -> tuple[SecondMoments, SecondMoments]:
    """Second moments of a layer's heads on the searched and on the held-out images, read block by block."""
    halves = (SecondMoments(tower.heads, tower.space), SecondMoments(tower.heads, tower.space))
    place = 0
    for block in stream.take(["heads"], layer=layer):
        held = heldout[place : place + len(block.index)]
        place += len(block.index)
        vectors = block.arrays["heads"]
        for half, rows in zip(halves, (~held, held), strict=True):
            if rows.any():
                half.add(vectors[rows])
    return halves


def name_heads(
    stream: StreamPass, heldout: Bool[np.ndarray, " image"], tower: Tower, pool: TextPool,
    directions: Float[np.ndarray, "text d_out"], settings: HeadSettings, progress: Progress,
) -> list[HeadName]:  # fmt: skip
    """Every head of the chosen layers, in order. Each layer draws its chance from a seed of its own."""
    layers = list(range(len(tower.layers))) if settings.layers is None else list(settings.layers)
    named: list[HeadName] = []
    for layer in layers:
        searched, held = head_moments(stream, heldout, tower, layer)
        matrices = matrices_of(tower, layer)
        means, spreads, held_spreads = searched.mean(), searched.covariance(), held.covariance()
        for head in range(tower.heads):
            space = HeadSpace.of(matrices[head])
            named.append(
                _name(layer, head, space, means[head], spreads[head], held_spreads[head], pool, directions, settings)
            )
            progress("naming heads", len(named), len(layers) * tower.heads)
    return named


def _name(
    layer: int, head: int, space: HeadSpace, mean: np.ndarray, spread: np.ndarray, held: np.ndarray, pool: TextPool,
    directions: np.ndarray, settings: HeadSettings,
) -> HeadName:  # fmt: skip
    rng = np.random.default_rng((settings.images.seed, layer, head))
    covariance = space.covariance(spread)
    span = text_span(covariance, directions @ space.outward, settings.texts)
    most = max(1, len(span.texts))
    turned = chance_spans(covariance, directions, most, draws=settings.chance_draws, rng=rng)
    return HeadName(layer, head, space, mean, span, explained_by(span, space.covariance(held)), turned)


@dataclass(frozen=True)
class HeadLabel:
    """What the texts of a head, or of several together, have in common.

    Attributes
    ----------
    property, share, expected:
        See `labels.Standing`.
    p:
        Share of draws in which some property stands out as much.
    """

    property: str
    share: float
    expected: float
    p: float


def against_chance(named: Sequence[HeadName]) -> Float[np.ndarray, " head"]:
    """Of each head, the share of draws in which turned pools explain as much with the leading texts.

    Draws are pooled over heads, each set against its own head's others (`labels.pooled_p`).
    """
    scores, drawn = [], []
    for name in named:
        column = name.chance[:, max(name.lead - 1, 0)][:, None]
        own = name.span.explained[name.lead - 1] if name.lead else 0.0
        scores.append(float(against(np.array([[own]]), column)[0, 0]))
        drawn.append(among(column)[:, 0])
    return pooled_p(np.array(scores), np.array(drawn))


def labels_of(named: Sequence[HeadName], pool: TextPool) -> list[HeadLabel | None]:
    """The label of each head; None for all where the pool has no properties, and for a head without texts."""
    found = [_standing([name], pool) for name in named]
    known = [one for one in found if one is not None]
    if not known:
        return [None] * len(named)
    p = iter(pooled_p(np.array([one.score for one in known]), np.array([one.drawn for one in known])).tolist())
    return [None if one is None else HeadLabel(one.property, one.share, one.expected, next(p)) for one in found]


def name_by(group: Sequence[HeadName], pool: TextPool, asked: str) -> HeadLabel | None:
    """How far the texts of one property, fixed beforehand, stand out among those of several heads together.

    None where the pool has no texts of that property. p is against these heads' own draws alone.
    """
    found = _standing(group, pool, asked) if asked in pool.property_names else None
    if found is None:
        return None
    p = float(pooled_p(np.array([found.score]), found.drawn[None])[0])
    return HeadLabel(found.property, found.share, found.expected, p)


def _standing(group: Sequence[HeadName], pool: TextPool, asked: str | None = None) -> Standing | None:
    """How the texts of several heads together stand; None where they have none, or the pool has no properties."""
    if not pool.has_properties or not any(len(name.span.texts) for name in group):
        return None
    draws = [[name.turned[draw] for name in group] for draw in range(len(group[0].turned))]
    return standing(
        _merged([name.span for name in group]), [_merged(one) for one in draws], pool.properties, asked=asked
    )


def _merged(spans: Sequence[Span]) -> tuple[Int[np.ndarray, " text"], Float[np.ndarray, " text"]]:
    return np.concatenate([span.texts for span in spans]), np.concatenate([span.gains for span in spans])


@dataclass(frozen=True, eq=False)
class TextScore:
    """How well one text of a head predicts it on held-out images.

    Attributes
    ----------
    r:
        Correlation of the head's coordinate with the similarity of the text with the image's caption, or with what the
        model says of the image without this head.
    chance:
        Largest 95 % of the same for other texts of the pool, by size.
    p:
        Share of other texts that do as well (with the usual +1).
    """

    r: float
    chance: float
    p: float


def score_texts(
    name: HeadName,
    vectors: Float[np.ndarray, "image space"],
    seen: Float[np.ndarray, "image d_out"],
    directions: Float[np.ndarray, "text d_out"],
    *,
    others: Int[np.ndarray, " other"],
    most: int,
) -> list[TextScore]:
    """Scores of a head's first texts.

    Parameters
    ----------
    vectors:
        The head's small vectors on held-out images.
    seen:
        The images as vectors: of their captions, or the model's outputs without the head's own term.
    others:
        Numbers of texts to compare with.
    """
    rest = seen / np.linalg.norm(seen, axis=1, keepdims=True).clip(1e-30)
    along = name.coordinates(vectors)
    by_others = rest @ directions[others].T
    scores = []
    for rank, text in enumerate(name.span.texts[:most]):
        r = _correlations((rest @ directions[text])[:, None], along[:, rank])[0]
        chance = _correlations(by_others[:, others != text], along[:, rank])
        p = (1.0 + float((chance >= r).sum())) / (1.0 + len(chance))
        scores.append(TextScore(float(r), float(np.quantile(chance, 0.95)) if len(chance) else float("nan"), p))
    return scores


def _correlations(
    columns: Float[np.ndarray, "image other"], values: Float[np.ndarray, " image"]
) -> Float[np.ndarray, " other"]:
    """Pearson's r of each column with the values; 0 where either is constant."""
    x = columns - columns.mean(axis=0)
    y = values - values.mean()
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum())
    return np.divide(y @ x, size, out=np.zeros(x.shape[1]), where=size > 0)
