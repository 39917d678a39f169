"""Which heads tell a property of the image: shares of what they write, from streaming sums.

    m[y, a] = mean of a head's terms over the images of class y with attribute a (a cell),   W[y, a] = variance in it
    variance of the attribute = mean over a of |m[., a] - m[., .]|^2,   of the class the same over y
    share = that / (attribute + class + both together + mean of W)

`.` averages over cells, every cell with the same weight however many images it has. Class and attribute often go
together (waterbirds on water, 95 of 100), and then plain shares would credit each with the other's: with cells of equal
weight the two are orthogonal, and sums of squares of types I, II and III are the same. What the means of small cells
vary by chance is subtracted, so a head that tells nothing has shares about 0, and they may come out below. Without an
attribute there is one column of cells, and the share is eta squared.

Lengths are those of the terms in the output's space: vectors are given in an orthonormal basis of the head's range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError
from microtome.core.source import Source
from microtome.stats.exact_sum import ExactSum

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "section 5.1: heads that tell the background, chosen by eye",
    "chosen by variance explained; unweighted means as in Yates 1934, The analysis of multiple classifications with "
    "unequal numbers in the different classes",
)
FEWEST = 2
"""Images that every cell needs."""
_UNIT = 2.0**-20


@dataclass(frozen=True, eq=False)
class HeadShares:
    """What each head of some layers tells; all arrays are [head].

    Attributes
    ----------
    variance:
        Variance of its terms in the output, every cell with the same weight.
    label, attribute, both:
        Shares of it that class, attribute, and their interaction explain; about 0 by chance.
    """

    variance: Float[np.ndarray, " head"]
    label: Float[np.ndarray, " head"]
    attribute: Float[np.ndarray, " head"]
    both: Float[np.ndarray, " head"]


class CellSums:
    """Streaming sums of many heads' vectors by cell; see `stats.base.Statistic`. Shards in any order: the same bits.

    Parameters
    ----------
    labels, values:
        Number of classes and of values of the attribute.
    heads, width:
        Number of heads, and length of their vectors.
    """

    def __init__(self, labels: int, values: int, heads: int, width: int) -> None:
        self.shape = (labels, values)
        self.counts: Int[np.ndarray, "label value"] = np.zeros((labels, values), np.int64)
        self._sums = ExactSum((labels * values, heads, width), unit=_UNIT)
        self._squares = ExactSum((labels * values, heads), unit=_UNIT)

    def add(
        self,
        vectors: Float[np.ndarray, "image head width"],
        labels: Int[np.ndarray, " image"],
        values: Int[np.ndarray, " image"],
    ) -> None:
        """Take one block; images without a class or value (-1) are left out."""
        known = (labels >= 0) & (values >= 0)
        if not known.any():
            return
        cells = labels[known] * self.shape[1] + values[known]
        x = vectors[known].astype(np.float64)
        chosen = np.zeros((self.counts.size, len(x)))
        chosen[cells, np.arange(len(x))] = 1.0
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.shape)
        self._sums.add((chosen @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:]))
        self._squares.add(chosen @ (x * x).sum(axis=2))

    def merge(self, other: CellSums) -> None:
        self.counts = self.counts + other.counts
        self._sums.merge(other._sums)
        self._squares.merge(other._squares)

    def state(self) -> dict[str, np.ndarray]:
        return {
            "counts": self.counts, "sums": self._sums.state()["limbs"], "squares": self._squares.state()["limbs"],
        }  # fmt: skip

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> CellSums:
        made = cls(*state["counts"].shape, *state["sums"].shape[2:])
        made.counts = np.array(state["counts"], np.int64)
        made._sums = ExactSum.load({"limbs": state["sums"], "unit": np.array(_UNIT)})
        made._squares = ExactSum.load({"limbs": state["squares"], "unit": np.array(_UNIT)})
        return made

    def check(self) -> None:
        """Raises DataError where a cell has too few images."""
        few = int((self.counts < FEWEST).sum())
        if few:
            raise DataError(
                f"{few} of {self.counts.size} combinations of class and attribute have fewer than {FEWEST} images; "
                f"the smallest has {int(self.counts.min())}.",
                expected=f"at least {FEWEST} images of each",
                next_step="give more images, or another attribute",
            )

    def means(self) -> Float[np.ndarray, "label value head width"]:
        """The mean of each cell; zeros where it has no image."""
        sums = self._sums.value().reshape(*self.shape, *self._sums.value().shape[1:])
        return sums / np.maximum(self.counts, 1)[..., None, None]

    def balanced_mean(self) -> Float[np.ndarray, "head width"]:
        """The mean over cells of their means: what an image is like on average where all cells are equally likely."""
        return self.means().mean(axis=(0, 1))

    def shares(self) -> HeadShares:
        """What class and attribute explain of each head.

        Raises
        ------
        DataError
            Where a cell has fewer than two images.
        """
        self.check()
        means = self.means()
        squares = self._squares.value().reshape(*self.shape, -1)
        count = self.counts[..., None].astype(np.float64)
        within = np.maximum(squares - count * (means * means).sum(axis=3), 0.0) / (count - 1.0)
        noise = within / count
        middle = means.mean(axis=(0, 1))
        by_label, by_value = means.mean(axis=1), means.mean(axis=0)
        label = _spread(by_label - middle) - _chance(noise.mean(axis=1) / self.shape[1])
        attribute = _spread(by_value - middle) - _chance(noise.mean(axis=0) / self.shape[0])
        rest = means - by_label[:, None] - by_value[None] + middle
        free = (1.0 - 1.0 / self.shape[0]) * (1.0 - 1.0 / self.shape[1])
        both = (rest * rest).sum(axis=3).mean(axis=(0, 1)) - free * noise.mean(axis=(0, 1))
        variance = label + attribute + both + within.mean(axis=(0, 1))
        safe = np.where(variance > 0, variance, np.inf)
        return HeadShares(np.maximum(variance, 0.0), label / safe, attribute / safe, both / safe)


def _spread(offsets: Float[np.ndarray, "level head width"]) -> Float[np.ndarray, " head"]:
    return (offsets * offsets).sum(axis=2).mean(axis=0)


def _chance(noise: Float[np.ndarray, "level head"]) -> Float[np.ndarray, " head"]:
    """What independent errors of that variance add to the spread of as many means."""
    return (1.0 - 1.0 / len(noise)) * noise.mean(axis=0)
