"""What every streaming statistic offers, so that any split of the data into shards gives the result of one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

# Not typing.Self: the shape checks of the tests decorate methods, not classes.
Same = TypeVar("Same", bound="Statistic")


@runtime_checkable
class Statistic(Protocol):
    """A reduction over blocks of images.

    `add` takes one block, `merge` another statistic of the same kind over other blocks, `state` returns plain arrays
    from which `load` builds it again. Order and grouping never change what is read off it, not in the last bit:
    integers add exactly, and float sums are kept per block and added in block order when read.
    """

    def merge(self: Same, other: Same) -> None: ...

    def state(self) -> dict[str, np.ndarray]: ...

    @classmethod
    def load(cls: type[Same], state: Mapping[str, np.ndarray]) -> Same: ...
