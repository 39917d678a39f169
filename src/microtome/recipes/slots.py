"""Which ranges of which units are explained: the top alone, or k ranges of the whole active range.

Source: La Rosa, Gilpin & Capobianco 2023, Towards a fuller understanding of neurons with Clustered Compositional
Explanations (k-means ranges; quantiles as the alternative).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np

from microtome.record.counting import Slot
from microtome.record.recording import Recording

RangeRule = Literal["kmeans", "quantiles"]


def make_slots(recording: Recording, *, ranges: int, rule: RangeRule) -> list[Slot]:
    """One slot a unit (active = above T), or with ranges = k > 0 up to k slots a unit.

    Ranges cover the positive activations, from the lowest (1) to the highest; their edges come from the activation
    histogram (bins at most 6.25 % wide). A unit with few distinct values has fewer ranges.
    """
    if not ranges:
        return [Slot(place, 0, float(low), np.inf) for place, low in enumerate(recording.thresholds)]
    histogram = recording.summary.histogram
    slots: list[Slot] = []
    for place in range(len(recording.units)):
        cut = histogram.kmeans_edges if rule == "kmeans" else histogram.quantile_edges
        edges = cut(place, ranges)
        bounds = [0.0, *(float(edge) for edge in edges), np.inf]
        slots += [Slot(place, i + 1, low, high) for i, (low, high) in enumerate(pairwise(bounds))]
    return slots
