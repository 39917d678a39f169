"""How well a formula matches a unit, from four integers.

    n = elements where the formula holds      a = elements where formula and unit both hold
    A = elements where the unit is active     N = all elements

    iou       = a / (n + A - a)               precision = a / n         recall = a / A
    f1        = 2a / (n + A)                  lift      = a N / (n A)
    mcc       = (a N - n A) / sqrt(n A (N - n) (N - A))

`auroc` reads the same integers otherwise: a = sum of 2 * rank of the unit's activation over the elements of the formula
(mid-ranks from 1), and auroc = (a/2 - n (n + 1) / 2) / (n (N - n)).

Source: Bau et al. 2017 (IoU); Oikarinen & Weng 2023, La Rosa et al. 2023 (detection accuracy, activation coverage);
Bykov et al. 2023, INVERT (AUROC and Mann-Whitney test).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

Metric = Literal["iou", "precision", "recall", "f1", "mcc", "lift", "auroc"]
METRICS: tuple[Metric, ...] = get_args(Metric)

FORMULA_SHARES: dict[Metric, tuple[float, float]] = {
    "iou": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "mcc": (0.0, 1.0),
    "precision": (0.0005, 1.0),
    "lift": (0.0005, 1.0),
    "recall": (0.0, 0.1),
    "auroc": (0.03, 0.9),
}
"""Least and greatest share of the elements that a formula may cover. One-sided metrics are won by trivial formulas
otherwise: precision and AUROC by a few elements, recall by a union of everything."""


def iou(n: int, a: int, active: int) -> float:
    """Intersection over union; 0 where both are empty."""
    union = n + active - a
    return a / union if union else 0.0


def precision(n: int, a: int) -> float:
    """Share of the formula's elements where the unit is active (detection accuracy); 0 for an empty formula."""
    return a / n if n else 0.0


def recall(a: int, active: int) -> float:
    """Share of the unit's active elements that the formula covers (activation coverage); 0 for a silent unit."""
    return a / active if active else 0.0


def f1(n: int, a: int, active: int) -> float:
    """Harmonic mean of precision and recall."""
    return 2 * a / (n + active) if n + active else 0.0


def lift(n: int, a: int, active: int, total: int) -> float:
    """How many times likelier the unit is active where the formula holds than overall; 1 = unrelated."""
    return a * total / (n * active) if n and active else 0.0


def mcc(n: int, a: int, active: int, total: int) -> float:
    """Matthews correlation of formula and unit, in [-1, 1]; 0 where one of them is constant."""
    spread = float(n) * float(active) * float(total - n) * float(total - active)
    return (float(a) * total - float(n) * active) / math.sqrt(spread) if spread > 0 else 0.0


def auroc(n: int, doubled_ranks: int, total: int) -> float:
    """Probability that the unit is higher on an element of the formula than on one outside; 0.5 if undefined."""
    if n <= 0 or n >= total:
        return 0.5
    return (doubled_ranks / 2 - n * (n + 1) / 2) / (n * (total - n))


def mann_whitney_p(area: float, n: int, total: int) -> float:
    """One-sided p of an AUROC under no relation, by the normal approximation without tie correction (conservative)."""
    m = total - n
    if n <= 0 or m <= 0:
        return 1.0
    sigma = math.sqrt((total + 1) / (12.0 * n * m))
    return 0.5 * math.erfc((area - 0.5) / (sigma * math.sqrt(2.0)))


def score(metric: Metric, n: int, a: int, active: int, total: int) -> float:
    """The value of `metric` from the four integers."""
    match metric:
        case "iou":
            return iou(n, a, active)
        case "precision":
            return precision(n, a)
        case "recall":
            return recall(a, active)
        case "f1":
            return f1(n, a, active)
        case "mcc":
            return mcc(n, a, active, total)
        case "lift":
            return lift(n, a, active, total)
        case "auroc":
            return auroc(n, a, total)
