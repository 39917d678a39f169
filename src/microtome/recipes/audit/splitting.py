"""Halves of items, and the groups that repairs are judged by."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from microtome.recipes.audit.nouns import Labelled


def halved(count: int, seed: int) -> Bool[np.ndarray, " item"]:
    """The half of the shift split on which repairs are chosen; the other half reports them."""
    first = np.zeros(count, bool)
    first[np.random.default_rng([seed, 59]).permutation(count)[: count // 2]] = True
    return first


def smallest_group(part: Labelled, target: int) -> int:
    """Items of the smallest of the four groups: of the class or not, with the concept or not."""
    own = part.truth == target
    return min(int(((own == a) & (part.shows == b)).sum()) for a in (True, False) for b in (True, False))
