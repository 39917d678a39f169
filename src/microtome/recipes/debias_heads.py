"""Heads that tell a nuisance rather than the class, and what the model answers without their direct effect.

Answers depend on the products of the output and the class directions alone, so every head is kept as its part of them:
a few numbers a head and image, and any number of sets of heads is tried in one reading of the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.data.attributes import Attribute
from microtome.methods.decompose.choose_heads import HeadShares
from microtome.models.towers.base import Tower
from microtome.recipes.answering import Answering
from microtome.recipes.direct_pass import matrices_of
from microtome.recipes.head_choice import Head, bases, cell_sums
from microtome.record.stream import StreamPass
from microtome.verify.group_change import group_shares

LayerMeans = list[Float[np.ndarray, "head width"]]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Images of a pass by class and nuisance.

    Attributes
    ----------
    stream:
        The pass.
    label, nuisance:
        Of every image, in the pass's order.
    """

    stream: StreamPass
    label: Attribute
    nuisance: Attribute

    @property
    def shape(self) -> tuple[int, int]:
        """How many classes and values there are."""
        return len(self.label.values), len(self.nuisance.values)

    @property
    def known(self) -> Bool[np.ndarray, " image"]:
        """Whether both are known."""
        return (self.label.of >= 0) & (self.nuisance.of >= 0)

    @property
    def group(self) -> Int[np.ndarray, " image"]:
        """The group of each image; negative where something is unknown."""
        return np.where(self.known, self.label.of * self.shape[1] + self.nuisance.of, -1)


@dataclass(frozen=True, eq=False)
class Choice:
    """Heads in the order in which they would be ablated.

    Attributes
    ----------
    shares:
        What every head tells, on the whole selection set; arrays are [layer * heads + head].
    score:
        Variance explained by the nuisance less that by the class, as a share of the variance of all heads.
    order:
        Heads by score, highest first.
    heads:
        The heads that are ablated.
    worst_by_count:
        Worst-group accuracy without the first 0, 1, 2 ... heads, cross-checked; empty where the number was given.
    """

    shares: HeadShares
    score: Float[np.ndarray, " head"]
    order: tuple[Head, ...]
    heads: tuple[Head, ...]
    worst_by_count: tuple[float, ...] = ()


def score_of(shares: HeadShares) -> Float[np.ndarray, " head"]:
    """(nuisance - class) * variance of the head / variance of all heads."""
    whole = float(shares.variance.sum())
    return (shares.attribute - shares.label) * shares.variance / (whole if whole > 0 else 1.0)


def look_at(grouping: Grouping, tower: Tower, used: Bool[np.ndarray, " image"]) -> tuple[HeadShares, LayerMeans]:
    """What every head tells of class and nuisance, and its mean over groups of equal weight, layer by layer."""
    found, means = [], []
    for layer in range(len(tower.layers)):
        sums = cell_sums(grouping.stream, tower, layer, grouping.label.of, grouping.nuisance.of, used, grouping.shape)
        found.append(sums.shares())
        means.append(sums.balanced_mean())
    names = ("variance", "label", "attribute", "both")
    return HeadShares(*(np.concatenate([getattr(one, name) for one in found]) for name in names)), means


def ordered(score: Float[np.ndarray, " head"], heads: int) -> tuple[Head, ...]:
    """Heads by score, highest first; `heads` a layer."""
    return tuple((int(n) // heads, int(n) % heads) for n in np.argsort(-score, kind="stable"))


def right_without(
    grouping: Grouping, tower: Tower, answers: Answering, used: Bool[np.ndarray, " image"], means: LayerMeans,
    sets: Sequence[Sequence[Head]],
) -> Bool[np.ndarray, "set used"]:  # fmt: skip
    """Whether images are answered rightly without the direct effect of each set of heads.

    Parameters
    ----------
    means:
        What the heads are replaced by, in the bases of their ranges (`look_at`).
    """
    ways, middles = [], []
    for layer, mean in enumerate(means):
        ways.append(np.einsum("hos,ko->hsk", matrices_of(tower, layer), answers.directions))
        middles.append(np.einsum("how,hw,ko->hk", bases(tower, layer)[0], mean, answers.directions))
    way, middle = np.stack(ways), np.stack(middles)
    found, place = [], 0
    for block in grouping.stream.take(["heads", "output"]):
        here = slice(place, place + len(block.index))
        rows = used[here]
        place = here.stop
        if not rows.any():
            continue
        whole = block.arrays["output"][rows].astype(np.float64) @ answers.directions.T
        apart = np.einsum("ilhs,lhsk->ilhk", block.arrays["heads"][rows].astype(np.float64), way) - middle
        labels = grouping.label.of[here][rows]
        found.append(np.stack([(whole - _sum(apart, heads)).argmax(axis=1) == labels for heads in sets]))
    return np.concatenate(found, axis=1)


def choose_heads(
    grouping: Grouping, tower: Tower, answers: Answering, used: Bool[np.ndarray, " image"], *, most: int,
    top: int | None, seed: int,
) -> tuple[Choice, LayerMeans]:  # fmt: skip
    """Choose heads on the selection set, and how many of them.

    The number is that of the highest worst-group accuracy, fewer where equal, down to none. It is cross-checked: heads
    are ordered and their means taken on one half of the selection set, answers counted on the other, and the other way
    round.

    Parameters
    ----------
    most:
        At most so many heads.
    top:
        This many heads, unchecked; None: chosen.
    seed:
        Decides the halves.

    Raises
    ------
    DataError
        Where a group has fewer than two images in a half.
    """
    shares, means = look_at(grouping, tower, used)
    order = ordered(score_of(shares), tower.heads)
    if top is not None:
        return Choice(shares, score_of(shares), order, order[:top]), means
    first = _half(grouping.group, used, seed)
    right, groups = [], []
    for searched, checked in ((used & first, used & ~first), (used & ~first, used & first)):
        own, own_means = look_at(grouping, tower, searched)
        ranked = ordered(score_of(own), tower.heads)
        sets = [ranked[:count] for count in range(most + 1)]
        right.append(right_without(grouping, tower, answers, checked, own_means, sets))
        groups.append(grouping.group[checked])
    worst = group_shares(np.concatenate(right, axis=1), np.concatenate(groups)).min(axis=1)
    count = int(np.argmax(worst))
    chosen = Choice(shares, score_of(shares), order, order[:count], tuple(float(share) for share in worst))
    return chosen, means


def random_sets(heads: int, layers: int, count: int, draws: int, seed: int) -> list[tuple[Head, ...]]:
    """Sets of so many heads drawn from all."""
    generator = np.random.default_rng([seed, 29])
    drawn = [np.sort(generator.permutation(heads * layers)[:count]) for _ in range(draws)]
    return [tuple((int(n) // heads, int(n) % heads) for n in one) for one in drawn]


def _sum(apart: Float[np.ndarray, "image layer head klass"], heads: Sequence[Head]) -> np.ndarray:
    if not heads:
        return np.zeros(apart.shape[::3])
    layers, own = zip(*heads, strict=True)
    return apart[:, list(layers), list(own)].sum(axis=1)


def _half(group: Int[np.ndarray, " image"], used: Bool[np.ndarray, " image"], seed: int) -> Bool[np.ndarray, " image"]:
    """Every second image of each group, in random order."""
    generator = np.random.default_rng([seed, 31])
    first = np.zeros(len(group), dtype=bool)
    for number in np.unique(group[used]):
        first[generator.permutation(np.flatnonzero(used & (group == number)))[::2]] = True
    return first
