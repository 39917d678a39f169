"""What every streaming statistic offers, so that any split of the data into shards gives the result of one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self, runtime_checkable

import numpy as np


@runtime_checkable
class Statistic(Protocol):
    """A reduction over blocks of images.

    `add` takes one block, `merge` another statistic of the same kind over other blocks, `state` returns plain arrays
    from which `load` builds it again. Order and grouping never change what is read off it, not in the last bit:
    integers add exactly, and float sums are kept per block and added in block order when read.
    """

    def merge(self, other: Self) -> None: ...

    def state(self) -> dict[str, np.ndarray]: ...

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> Self: ...
