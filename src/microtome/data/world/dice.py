"""Random draws from integer arithmetic alone, so that every platform and numpy version draws the same."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_MASK = (1 << 64) - 1


def mix(*parts: int | str) -> int:
    """A 64-bit seed from integers and words; changing any part changes all of it (splitmix64 finaliser)."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part & _MASK
        state = _scramble((state ^ number) + 0x9E3779B97F4A7C15)
    return state


def _scramble(value: int) -> int:
    value &= _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


class Dice:
    """A stream of draws from one seed. `fork` starts an independent one, so one draw more moves no other."""

    def __init__(self, seed: int) -> None:
        self._seed = seed & _MASK
        self._state = self._seed

    def fork(self, *label: int | str) -> Dice:
        """An independent stream, from this one's seed and the label, not from what was drawn before."""
        return Dice(mix(self._seed, *label))

    def seed(self) -> int:
        """A fresh 64-bit seed."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        return _scramble(self._state)

    def unit(self) -> float:
        """Uniform in [0, 1), a multiple of 2^-53."""
        return (self.seed() >> 11) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.unit()

    def whole(self, low: int, high: int) -> int:
        """Uniform integer, both ends included."""
        return low + self.seed() % (high - low + 1)

    def chance(self, probability: float) -> bool:
        """True with the given probability in [0, 1]."""
        return self.unit() < probability

    def pick(self, items: Sequence[_Item]) -> _Item:
        """One item, uniformly. Repeat an item to make it likelier."""
        return items[self.seed() % len(items)]

    def shuffled(self, items: Sequence[_Item]) -> list[_Item]:
        """The items in random order (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.seed() % (last + 1)
            order[last], order[other] = order[other], order[last]
        return order
