"""How far apart two concepts are: by the hypernym tree of WordNet, or by what they occur with in the data.

Both are 0 for a concept and itself and grow to 1; what counts as near and far is a `Limits` of its own for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from microtome.core.errors import DataError
from microtome.core.signatures import SignatureTable

Distance = Callable[[str, str], float]
"""How far apart two concepts are, by name: 0 = the same, 1 = nothing in common, NaN = not known."""

NEAR_SHARE, FAR_SHARE = 0.1, 0.5
"""Of an inventory: two concepts are near when they are nearer than nine in ten pairs are, far when they are no nearer
than a pair drawn at random usually is (the median)."""


@dataclass(frozen=True)
class Limits:
    """At most `near` is near, at least `far` is far, what lies between is neither."""

    near: float
    far: float


WORDNET_LIMITS = Limits(near=1 - 1 / 5, far=1 - 1 / 7)
"""At most four edges of the hypernym tree are near (dog and cat, by way of carnivore), six or more are far."""


def limits_of(distance: Distance, concepts: Sequence[str]) -> Limits:
    """Limits in the measure of an inventory: the distances below which `NEAR_SHARE` and `FAR_SHARE` of its pairs lie.

    Raises
    ------
    DataError
        If the distance of no pair is known.
    """
    known = np.array([distance(one, other) for one, other in combinations(concepts, 2)])
    known = known[~np.isnan(known)]
    if not len(known):
        raise DataError(
            "No two concepts of the inventory have a known distance.",
            expected="at least two concepts that the distance knows",
            next_step="choose another distance",
        )
    near, far = np.quantile(known, [NEAR_SHARE, FAR_SHARE])
    return Limits(float(near), float(far))


def cooccurrence_distance(table: SignatureTable) -> Distance:
    """1 - cosine of what two concepts occur with, on the elements of a table.

    Of concept c and every other concept d:  v_cd = max(0, log P(c, d) / (P(c) P(d))), over elements. Two concepts are
    compared over the concepts other than these two, so that `river` and `lake`, never on one element, can be near.
    NaN for a concept that no element has; 1 where one of them occurs with nothing more often than by chance.

    Source: Bullinaria & Levy 2007 (cosine of positive pointwise mutual information).
    """
    from scipy.sparse import csr_array

    shape = (table.n_signatures, len(table.concepts))
    sets = csr_array((np.ones(len(table.indices)), table.indices, table.indptr), shape=shape)
    weighted = csr_array((np.repeat(table.weight, np.diff(table.indptr)), table.indices, table.indptr), shape=shape)
    both = np.asarray((weighted.T @ sets).toarray(), np.float64)
    counts = np.diag(both)
    chance = np.outer(counts, counts) / max(table.total, 1)
    vectors = np.log(np.maximum(np.divide(both, chance, out=np.ones_like(both), where=chance > 0), 1.0))

    def distance(one: str, other: str) -> float:
        i, j = table.by_name[one], table.by_name[other]
        if i == j:
            return 0.0
        if not counts[i] or not counts[j]:
            return float("nan")
        a, b = np.delete(vectors[i], [i, j]), np.delete(vectors[j], [i, j])
        scale = float(np.linalg.norm(a) * np.linalg.norm(b))
        return 1.0 - float(a @ b) / scale if scale > 0 else 1.0

    return distance


def wordnet_distance() -> Distance:
    """1 - path similarity of the two nouns in WordNet, of their senses the nearest two: 1 - 1 / (1 + edges).

    `traffic light` is looked up whole, then by its last word; a category in front (`object:water`) is left out. NaN for
    a name that has no noun.

    Raises
    ------
    DataError
        Without NLTK, or without its data `wordnet`.
    """
    from microtome.data.text.wordnet import WordNet

    WordNet()
    from nltk.corpus import wordnet

    net: Any = wordnet
    senses: dict[str, list[Any]] = {}

    def nouns(name: str) -> list[Any]:
        if name not in senses:
            plain = name.rsplit(":", 1)[-1].strip().lower()
            senses[name] = net.synsets(plain.replace(" ", "_"), "n") or net.synsets(plain.split(" ")[-1], "n")
        return senses[name]

    def distance(one: str, other: str) -> float:
        if one == other:
            return 0.0
        found = [a.path_similarity(b) for a in nouns(one) for b in nouns(other)]
        known = [similarity for similarity in found if similarity is not None]
        return 1.0 - max(known) if known else float("nan")

    return distance
