"""The beam as published code runs it: every candidate is built as a mask and counted, one by one, on bit masks.

Mu & Andreas 2020, section 3: seeds are the best single concepts; then each beam formula x each concept x
{OR, AND, AND NOT}: 18,000 candidates at length 3 with 300 concepts and a beam of 10; shorter formulas stay;
candidates of equal truth are not merged. Masks packed to bits are counted with the processor's population count; masks
of one byte an element are counted as the published code does it, intersection and union apart.
"""

from __future__ import annotations

import numpy as np


class PublishedBeam:
    """Slow twin over packed masks of all elements.

    Parameters
    ----------
    masks:
        uint8 [concept, bytes]: packed masks; or bool [concept, element].
    """

    def __init__(self, masks: np.ndarray) -> None:
        self.masks = masks

    def iou(self, mask: np.ndarray, unit: np.ndarray, active: int) -> float:
        """IoU of two masks."""
        if mask.dtype == bool:
            return float(np.logical_and(mask, unit).sum() / np.logical_or(mask, unit).sum())
        both = int(np.bitwise_count(mask & unit).sum())
        union = int(np.bitwise_count(mask).sum()) + active - both
        return both / union if union else 0.0

    def search(self, unit: np.ndarray, *, width: int, longest: int) -> tuple[float, int]:
        """Best IoU at `longest`, and how many candidates were evaluated."""
        words, active = self.masks, int(unit.sum())
        if words.dtype != bool:
            words, unit = words.view(np.uint64), unit.view(np.uint64)
            active = int(np.bitwise_count(unit).sum())
        present = [c for c in range(len(words)) if np.any(words[c] & unit)]
        beam = sorted(((self.iou(words[c], unit, active), c) for c in present), key=lambda pair: -pair[0])[:width]
        kept = [(score, words[c]) for score, c in beam]
        evaluated = len(present)
        for _ in range(longest - 1):
            grown = list(kept)
            for _, mask in kept:
                for c in range(len(words)):
                    for candidate in (mask | words[c], mask & words[c], mask & ~words[c]):
                        grown.append((self.iou(candidate, unit, active), candidate))
                        evaluated += 1
                        if len(grown) > 4 * width:
                            grown = sorted(grown, key=lambda pair: -pair[0])[:width]
            kept = sorted(grown, key=lambda pair: -pair[0])[:width]
        return kept[0][0], evaluated
