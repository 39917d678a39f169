"""Rows and words of a debiasing: groups before and after, the heads, and the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from microtome.models.towers.base import Tower
from microtome.recipes.answering import Answering
from microtome.recipes.debias_heads import Choice
from microtome.recipes.head_choice import Head, words_of
from microtome.verify.group_change import GroupChange, group_change, group_shares
from microtome.verify.groups import GroupAccuracy, group_accuracy

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Tested:
    """What the test images say.

    Attributes
    ----------
    choice:
        The heads.
    answers:
        How the model is asked.
    classes, values:
        Names of classes and of values of the nuisance.
    labels, nuisance:
        Of each test image.
    right_before, right_after:
        Whether it is answered rightly.
    right_control:
        The same without each random set of as many heads.
    control_heads:
        Those sets.
    seed:
        Decides the resamples.
    """

    choice: Choice
    answers: Answering
    classes: tuple[str, ...]
    values: tuple[str, ...]
    labels: Int[np.ndarray, " asked"]
    nuisance: Int[np.ndarray, " asked"]
    right_before: Bool[np.ndarray, " asked"]
    right_after: Bool[np.ndarray, " asked"]
    right_control: Bool[np.ndarray, "draw asked"]
    control_heads: tuple[tuple[Head, ...], ...]
    seed: int

    @property
    def group(self) -> Int[np.ndarray, " asked"]:
        """The group of each test image."""
        return self.labels * len(self.values) + self.nuisance

    def groups(self, right: Bool[np.ndarray, " asked"]) -> GroupAccuracy:
        """Accuracy by group."""
        return group_accuracy(right, self.labels, self.nuisance, classes=self.classes, values=self.values)

    def change(self) -> GroupChange:
        """After against before, paired."""
        return group_change(self.right_before, self.right_after, self.group, seed=self.seed)


def group_rows(found: Tested) -> list[Row]:
    """Rows of `groups`: each group, and all images together."""
    rows: list[Row] = []
    for state, right in (("before", found.right_before), ("after", found.right_after)):
        accuracy = found.groups(right)
        rows += [
            {"state": state, "group": g.name, "accuracy": g.accuracy, "low": g.low, "high": g.high, "images": g.count}
            for g in accuracy.groups
        ]
        rows.append({
            "state": state, "group": "all", "accuracy": accuracy.mean, "low": accuracy.low, "high": accuracy.high,
            "images": len(right),
        })  # fmt: skip
    return rows


def chosen_rows(choice: Choice, tower: Tower) -> list[Row]:
    """Rows of `chosen`: every head in order of its score."""
    whole = float(choice.shares.variance.sum())
    rows: list[Row] = []
    for rank, (layer, head) in enumerate(choice.order):
        place = layer * tower.heads + head
        rows.append({
            "layer": layer, "head": head, "rank": rank, "chosen": (layer, head) in choice.heads,
            "nuisance_share": choice.shares.attribute[place], "class_share": choice.shares.label[place],
            "variance": choice.shares.variance[place] / whole if whole > 0 else 0.0, "score": choice.score[place],
        })  # fmt: skip
    return rows


def control_rows(found: Tested) -> list[Row]:
    """Rows of `control`: one a random set."""
    worst = group_shares(found.right_control, found.group).min(axis=1)
    mean = found.right_control.mean(axis=1)
    return [
        {"draw": draw, "heads": words_of(heads), "worst": worst[draw], "mean": mean[draw]}
        for draw, heads in enumerate(found.control_heads)
    ]


def summary_of(found: Tested) -> dict[str, Any]:
    """Worst group and mean before and after, their differences, and the control, with what they say in words."""
    before, after, change = found.groups(found.right_before), found.groups(found.right_after), found.change()
    control = np.array([row["worst"] for row in control_rows(found)])
    content: dict[str, Any] = {
        "heads": [list(head) for head in found.choice.heads],
        "worst_by_count": list(found.choice.worst_by_count),
        "worst_before": before.worst.accuracy, "worst_before_group": before.worst.name,
        "worst_after": after.worst.accuracy, "worst_after_group": after.worst.name,
        "worst_difference": change.worst.mean,
        "worst_difference_interval": [change.worst.low, change.worst.high],
        "mean_before": before.mean, "mean_after": after.mean, "mean_difference": change.mean.mean,
        "mean_difference_interval": [change.mean.low, change.mean.high],
        "balanced_before": before.balanced, "balanced_after": after.balanced,
    }  # fmt: skip
    if len(control):
        content["control_worst"] = float(control.mean())
        content["control_worst_high"] = float(np.quantile(control, 0.95))
        content["control_p"] = (1.0 + float((control >= after.worst.accuracy).sum())) / (1.0 + len(control))
    return {**content, "sentences": _sentences(found, content)}


def _sentences(found: Tested, content: dict[str, Any]) -> list[str]:
    if not found.choice.heads:
        return [
            "No head is ablated: on the selection set the worst group gets no better without any of them "
            f"(worst-group accuracy {_share(content['worst_before'])} on the test set)."
        ]
    low, high = content["worst_difference_interval"]
    mean_low, mean_high = content["mean_difference_interval"]
    plural = "s" if len(found.choice.heads) > 1 else ""
    said = [
        f"Without the direct effect of head{plural} {words_of(found.choice.heads)}, worst-group accuracy goes from "
        f"{_share(content['worst_before'])} ({content['worst_before_group']}) to {_share(content['worst_after'])} "
        f"({content['worst_after_group']}): {_points(content['worst_difference'])} points, "
        f"95 % interval {_points(low)} to {_points(high)}.",
        f"Accuracy over all test images goes from {_share(content['mean_before'])} to {_share(content['mean_after'])} "
        f"(interval of the difference {_points(mean_low)} to {_points(mean_high)} points).",
    ]
    if "control_worst" in content:
        said.append(
            f"Random sets of as many heads leave the worst group at {_share(content['control_worst'])} on average, "
            f"19 of 20 of them at {_share(content['control_worst_high'])} or less (p {content['control_p']:.2g})."
        )
    return said


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
