"""Images alike in one property: heads chosen on the searched half, tested on the held-out half.

likeness of two images = cosine of their chosen heads' terms, side by side, each less its mean
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.errors import DataError
from microtome.data.attributes import Attribute
from microtome.models.towers.base import Tower
from microtome.recipes.head_choice import Head, occurring, telling, vectors_of
from microtome.recipes.retrieve_settings import RetrieveSettings
from microtome.record.stream import StreamPass
from microtome.verify.paired import Mean
from microtome.verify.retrieval import chance_of, mean_over_queries, nearest_images, precision_at

_TRIED = 500
"""Queries of the searched half by which heads are chosen."""


@dataclass(frozen=True, eq=False)
class Halves:
    """A pass with what retrieval keeps of it.

    Attributes
    ----------
    stream, tower:
        The pass, and the model.
    heldout:
        Which images are held out.
    settings:
        See `RetrieveSettings`.
    """

    stream: StreamPass
    tower: Tower
    heldout: Bool[np.ndarray, " image"]
    settings: RetrieveSettings
    _middles: dict[Head, Float[np.ndarray, " width"]] = field(init=False, default_factory=dict)

    @cached_property
    def outputs(self) -> Float[np.ndarray, "image d_out"]:
        """The whole embeddings, float32."""
        return self.stream.whole("output")

    @cached_property
    def output_mean(self) -> Float[np.ndarray, " d_out"]:
        """Their mean over the searched half."""
        return self.outputs[~self.heldout].mean(axis=0)

    def sample(self, known: Bool[np.ndarray, " image"]) -> Bool[np.ndarray, " image"]:
        """Images of the searched half on which heads are chosen: at most `searched` of those known."""
        places = np.flatnonzero(known & ~self.heldout)
        generator = np.random.default_rng([self.settings.images.seed, 37])
        chosen = np.zeros(len(known), dtype=bool)
        chosen[generator.permutation(places)[: self.settings.searched]] = True
        return chosen

    def middle(self, heads: Sequence[Head]) -> dict[Head, Float[np.ndarray, " width"]]:
        """Mean terms of some heads, over a sample of the searched half."""
        missing = [head for head in heads if head not in self._middles]
        if missing:
            used = self.sample(np.ones(len(self.heldout), dtype=bool))
            found = vectors_of(self.stream, self.tower, missing, used)
            self._middles.update({head: vectors.mean(axis=0) for head, vectors in found.items()})
        return {head: self._middles[head] for head in heads}

    def side_by_side(self, heads: Sequence[Head], used: Bool[np.ndarray, " image"]) -> Float[np.ndarray, "used width"]:
        """The chosen heads' centred terms of some images, one head after another."""
        middle, found = self.middle(heads), vectors_of(self.stream, self.tower, heads, used)
        return np.concatenate([found[head] - middle[head] for head in heads], axis=1)


@dataclass(frozen=True)
class Found:
    """How well images alike in a property are found on the held-out half.

    Attributes
    ----------
    heads:
        The heads.
    precision, full, centred, difference:
        Precision@k by the heads, by the whole embedding, by the whole embedding less its mean; heads less the whole.
    chance:
        Share of other images that have the query's value.
    queries:
        How many.
    """

    heads: tuple[Head, ...]
    precision: Mean
    full: Mean
    centred: float
    difference: Mean
    chance: float
    queries: int


@dataclass(frozen=True, eq=False)
class Shown:
    """Images found for some queries, as numbers in the pass.

    Attributes
    ----------
    queries:
        The queries.
    by:
        [query, place] for each way of finding: `heads`, `full`.
    """

    queries: Int[np.ndarray, " query"]
    by: Mapping[str, Int[np.ndarray, "query place"]]


def choose_for(halves: Halves, attribute: Attribute) -> tuple[Head, ...]:
    """Heads for one property, from the searched half alone.

    Of the heads that tell it most (half of them by the share of their own variance, half by what that is of the
    output's), the one that finds most is taken; then the one that adds most to it, as long as it adds.

    Raises
    ------
    DataError
        Where fewer than two values of the property occur twice.
    """
    settings = halves.settings
    codes = occurring(attribute.of, ~halves.heldout)
    if codes.max(initial=-1) < 1:
        raise DataError(
            f"Fewer than two values of {attribute.name} occur twice on the searched half.",
            expected="images of at least two values",
            next_step="name other properties with --property, or give more images",
        )
    used = halves.sample(codes >= 0)
    candidates = _candidates(halves, codes, settings.candidates)
    middle = halves.middle(candidates)
    held = vectors_of(halves.stream, halves.tower, candidates, used)
    vectors = {head: held[head] - middle[head] for head in candidates}
    own = codes[used]
    queries = np.random.default_rng([settings.images.seed, 41]).permutation(len(own))[:_TRIED]
    k = min(settings.k, len(own) - 1)
    chosen: list[Head] = []
    best = -1.0
    while len(chosen) < min(settings.most, len(candidates)):
        tried = [head for head in candidates if head not in chosen]
        scores = [float(precision_at(_joined(vectors, [*chosen, head]), own, queries, k=k).mean()) for head in tried]
        if max(scores) <= best:
            break
        best = max(scores)
        chosen.append(tried[int(np.argmax(scores))])
    return tuple(chosen)


def measure(halves: Halves, attribute: Attribute, heads: Sequence[Head]) -> tuple[Found, Shown]:
    """Precision on the held-out half, and some queries with what is found for them.

    Raises
    ------
    DataError
        Where too few held-out images have a value that another one has.
    """
    settings = halves.settings
    codes = occurring(attribute.of, halves.heldout)
    used = halves.heldout & (codes >= 0)
    own, places = codes[used], np.flatnonzero(used)
    if len(own) <= settings.k:
        raise DataError(
            f"{len(own)} held-out images have a {attribute.name} that another one has.",
            expected=f"more than {settings.k}",
            next_step="give more images, or a smaller --k",
        )
    seed = settings.images.seed
    queries = np.random.default_rng([seed, 43]).permutation(len(own))[: settings.queries]
    by_heads, by_all = halves.side_by_side(heads, used), halves.outputs[used]
    nearest = {
        "heads": nearest_images(by_heads, queries, k=settings.k),
        "full": nearest_images(by_all, queries, k=settings.k),
    }
    shares = {how: (own[found] == own[queries][:, None]).mean(axis=1) for how, found in nearest.items()}
    centred = precision_at(by_all - halves.output_mean, own, queries, k=settings.k)
    found = Found(
        tuple(heads), mean_over_queries(shares["heads"], seed=seed), mean_over_queries(shares["full"], seed=seed),
        float(centred.mean()), mean_over_queries(shares["heads"] - shares["full"], seed=seed),
        chance_of(own, queries), len(queries),
    )  # fmt: skip
    some = slice(0, settings.shown_queries)
    shown = {how: places[rows[some, : settings.shown_images]] for how, rows in nearest.items()}
    return found, Shown(places[queries[some]], shown)


def like_vector(
    gallery: Float[np.ndarray, "image width"], vector: Float[np.ndarray, " width"], k: int
) -> Int[np.ndarray, " k"]:
    """The images most like a vector that is none of theirs, most like first."""
    return nearest_images(np.concatenate((gallery, vector[None])), np.array([len(gallery)]), k=k)[0]


def _candidates(halves: Halves, codes: Int[np.ndarray, " image"], count: int) -> list[Head]:
    share, variance = telling(halves.stream, halves.tower, codes, ~halves.heldout)
    by_share, by_size = np.argsort(-share, kind="stable"), np.argsort(-share * variance, kind="stable")
    mixed = [int(n) for pair in zip(by_share, by_size, strict=True) for n in pair]
    return [(n // halves.tower.heads, n % halves.tower.heads) for n in list(dict.fromkeys(mixed))[:count]]


def _joined(
    vectors: Mapping[Head, Float[np.ndarray, "used width"]], heads: Sequence[Head]
) -> Float[np.ndarray, "used joined"]:
    return np.concatenate([vectors[head] for head in heads], axis=1)
