"""What the units of SqueezeNet add to classes, and what is lost without them, as sections of its audit's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtome.recipes.audit.effect_tables import MOST_ITEMS
from microtome.recipes.audit.result import Audit
from tests.real.page_parts import interval, number, percent, small, table

FIRST = 3
"""Units of a class that are named for it, and against it."""
IMPORTANT = 12


def unit_sections(run: Audit, classes: Sequence[str]) -> list[str]:
    """Sections, some of them empty."""
    return [
        _classes(run, classes), _units(run), _relations(run), _curves(run), _groups(run), _directions(run), _kinds(run)
    ]  # fmt: skip


def _classes(run: Audit, classes: Sequence[str]) -> str:
    parts = run.rows("class_parts")
    rows = []
    for name in classes:
        own = [row for row in parts if row["target"] == name]
        cells = []
        for sign in ("for", "against"):
            chosen = sorted((row for row in own if row["sign"] == sign), key=lambda row: row["rank"])[:FIRST]
            cells.append("; ".join(
                f"{row['part']} {row['words'] or '-'}{'' if row['named'] else ' (?)'} {row['adds']:+.2f}"
                for row in chosen
            ))  # fmt: skip
        rows.append((name, *cells))
    return (
        "## Units for and against the twenty classes\n\nWhat a unit adds is its activation times the gradient of the "
        "class's logit less the mean logit, summed over the map, on the class's one picture: the layer's tail (a "
        "convolution, a ReLU, a mean) is not linear, so these are first-order numbers. (?): the name does not beat "
        f"chance. The report has ten of each.\n\n{table(('class', 'for', 'against'), rows)}"
    )


def _units(run: Audit) -> str:
    rows = run.rows("part_effects")
    above = sum(row["loss_low"] > 0 for row in rows)
    below = sum(row["loss_high"] < 0 for row in rows)
    top = sorted(rows, key=lambda row: -row["loss"])[:IMPORTANT]
    lines = [
        (
            row["part"], row["words"], "yes" if row["named"] else "no", f"{row['loss']:+.3f}",
            f"{row['loss_low']:+.3f} to {row['loss_high']:+.3f}", f"{row['loss_zero']:+.3f}",
            f"{row['loss_random']:+.3f}", number(row["selectivity"]), row["selects"],
        )
        for row in top
    ]  # fmt: skip
    heads = (
        "unit", "fires on", "named", "loss without it", "95 %", "set to zero", "like units", "selectivity", "highest on"
    )  # fmt: skip
    return (
        "## What is lost without a unit\n\nEach unit is set to its mean, and what follows runs again on "
        f"{MOST_ITEMS[False]} pictures drawn at random. The loss (cross-entropy, nats) grows beyond doubt without "
        f"{above} of {len(rows)} units and falls without {below}; at 95 % {0.025 * len(rows):.0f} of each would by "
        "luck. *Like units*: mean over the five units nearest in mean activation.\n\n"
        f"{table(heads, lines)}"
    )


def _relations(run: Audit) -> str:
    rows = [
        (
            row["what"], row["units"], number(row["pearson"]), interval(row["pearson_low"], row["pearson_high"]),
            number(row["spearman"]), interval(row["spearman_low"], row["spearman_high"]), small(row["p"]),
        )
        for row in run.rows("effect_relations") if row["pearson"] is not None
    ]  # fmt: skip
    heads = ("over units", "units", "Pearson", "95 %", "Spearman", "95 %", "p")
    return (
        "## Do selective units matter more?\n\nSelectivity is (m1 - m2) / (m1 + m2) over the classes of the same "
        f"pictures, one a class, so it is rough.\n\n{table(heads, rows)}"
    )


def _curves(run: Audit) -> str:
    held: dict[tuple[str, int], dict[str, Any]] = {(r["order"], r["cut"]): r for r in run.rows("effect_curves")}
    cuts = sorted({cut for _, cut in held})
    orders = [name for name in ("best", "random", "worst") if any(order == name for order, _ in held)]
    rows = [
        (cut, *(
            f"{percent(held[order, cut]['accuracy'])} (loss {held[order, cut]['loss']:.2f})" if (order, cut) in held
            else "" for order in orders
        ))
        for cut in cuts
    ]  # fmt: skip
    said = {"best": "most important first", "random": "at random", "worst": "least important first"}
    half = cuts[-2]
    first, drawn = held["best", half], held["random", half]
    carries = "carries over" if first["loss"] > drawn["loss"] else "does not carry over"
    return (
        "## Cutting many units\n\nThe order is measured on one half of the same pictures, right answers are counted on "
        f"the other. It {carries}: with {half} units cut the loss is {first['loss']:.2f} where the most important go "
        f"first, and {drawn['loss']:.2f} where random ones do.\n\n"
        f"{table(('units cut', *(said[order] for order in orders)), rows)}"
    )


def _groups(run: Audit) -> str:
    rows = run.rows("effect_groups")
    names = list(dict.fromkeys(row["group"] for row in rows))
    own = {row["group"]: row["loss"] for row in rows if row["set"] == "own"}
    beside = {name: [row["loss"] for row in rows if row["group"] == name and row["set"] != "own"] for name in names}
    larger = [name for name in names if beside[name] and own[name] > max(beside[name])]
    means = [value for values in beside.values() for value in values]
    return (
        "Of each class the eight units that add most were cut together, and three random sets of the same activation "
        f"beside them. On the same pictures, hardly any of which are of these classes, the loss grows by "
        f"{np.mean(list(own.values())):+.3f} with a class's own units and by {np.mean(means):+.3f} with random ones; "
        f"it grows more than with each of the three for {len(larger)} of {len(names)} classes."
    )


def _directions(run: Audit) -> str:
    rows = [
        (
            row["concept"], number(row["iou"]), f"{row['best_unit']}", number(row["iou_best_unit"]),
            number(row["chance"]), small(row["p"]), row["needed"],
        )
        for row in run.rows("concept_directions")
    ]  # fmt: skip
    if not rows:
        return ""
    heads = ("concept", "IoU of the direction", "best unit", "its IoU", "by chance", "p", "units for 95 % of it")
    return (
        "## Directions beside single units\n\nIoU in held-out frames of the best weighting of all units, beside the "
        f"best single one; p is of fits to re-paired frames, 0.05 at least.\n\n{table(heads, rows)}"
    )


def _kinds(run: Audit) -> str:
    rows = [
        (row["kind"], row["units"], percent(row["share"]), interval(row["low"], row["high"], share=True))
        for row in run.rows("kind_shares")
    ]
    return f"## Kinds of units\n\n{table(('kind', 'units', 'share', '95 %'), rows)}" if rows else ""
