"""How accurate is a classifier on its worst group? A group is a class with a value of an attribute.

    accuracy of a group = right images / images of the group,   worst = the smallest of them

Shares have Wilson's 95 % interval (`proportions`).

Source: Sagawa, Koh, Hashimoto & Liang 2020, Distributionally robust neural networks for group shifts, sections 2 and 3
(worst-group accuracy; the average weighted by the groups' shares of the training images, appendix C.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Real

from microtome.core.errors import DataError
from microtome.verify.proportions import wilson


@dataclass(frozen=True)
class GroupShare:
    """How many images of a group are classified rightly.

    Attributes
    ----------
    label, attribute, name:
        Which group.
    right, count:
        Images classified rightly, and all of them; at least one.
    low, high:
        95 % interval of `accuracy`.
    """

    label: int
    attribute: int
    name: str
    right: int
    count: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """right / count."""
        return self.right / self.count


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracy by group.

    Attributes
    ----------
    groups:
        The groups that have an image, by label, then attribute.
    mean, low, high:
        Accuracy over all images and its 95 % interval.
    """

    groups: tuple[GroupShare, ...]
    mean: float
    low: float
    high: float

    @property
    def worst(self) -> GroupShare:
        """The group of the lowest accuracy; of equal ones the one with most images."""
        return min(self.groups, key=lambda group: (group.accuracy, -group.count))

    @property
    def balanced(self) -> float:
        """The unweighted mean of the groups' accuracies."""
        return sum(group.accuracy for group in self.groups) / len(self.groups)

    def weighted(self, counts: Real[np.ndarray, "label attribute"]) -> float:
        """Mean of the groups' accuracies weighted by their sizes elsewhere, such as `Groups.counts` of training data.

        Raises DataError where no group with an image here has weight.
        """
        weights = [float(counts[group.label, group.attribute]) for group in self.groups]
        if not sum(weights) > 0:
            raise DataError("The groups have no weight.", expected="images of these groups in the counts")
        return sum(w * group.accuracy for w, group in zip(weights, self.groups, strict=True)) / sum(weights)


def group_accuracy(
    right: Bool[np.ndarray, "image"],
    labels: Int[np.ndarray, "image"],
    attribute: Int[np.ndarray, "image"],
    *,
    classes: Sequence[str] = (),
    values: Sequence[str] = (),
) -> GroupAccuracy:
    """Accuracy of each group, of the worst and of all.

    Parameters
    ----------
    right:
        Whether each image is classified rightly.
    labels, attribute:
        Class and attribute of each image, from 0 (see `data.groups.Groups`).
    classes, values:
        Their names; by default their numbers.

    Raises
    ------
    DataError
        Without an image, or where the three differ in length.
    """
    if not len(right) or not len(right) == len(labels) == len(attribute):
        raise DataError(
            f"{len(right)} answers, {len(labels)} labels and {len(attribute)} attributes make no groups.",
            expected="one of each for every image, and at least one image",
        )
    shares: list[GroupShare] = []
    for label, value in sorted({(int(y), int(a)) for y, a in zip(labels, attribute, strict=True)}):
        inside = (labels == label) & (attribute == value)
        hits, count = int(right[inside].sum()), int(inside.sum())
        name = f"{classes[label] if classes else label}, {values[value] if values else value}"
        shares.append(GroupShare(label, value, name, hits, count, *wilson(hits, count)))
    return GroupAccuracy(tuple(shares), float(right.mean()), *wilson(int(right.sum()), len(right)))
