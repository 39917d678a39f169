"""Which item of the data lends its activations to which, where cut parts are given those of another item."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from microtome.core.errors import ModelError


def lenders(count: int, pool: int, *, seed: int) -> Int[np.ndarray, " item"]:
    """For each of `count` items the item of the data that lends to it, of `pool`.

    The data lend, not the items that are asked about: those may all hold what a cut is to take away. Where the data
    themselves are asked about, one of them may be its own lender.

    Raises
    ------
    ModelError
        If there is nobody to lend.
    """
    if not pool:
        raise ModelError(
            "There is no item of the data to lend its activations.",
            expected="a model that has read the data that it is audited on",
            next_step="set cut parts to their mean or to zero",
        )
    return np.random.default_rng([seed, 89]).integers(0, pool, count)
