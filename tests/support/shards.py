"""Random splits of a stream of blocks into shards that are merged in random order, some after a trip to disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microtome.stats.base import Statistic

KINDS = ("normal", "ties", "constant", "zeros", "half")


def activations(kind: str, *, seed: int, images: int = 9, units: int = 3, side: tuple[int, int] = (2, 3)) -> np.ndarray:
    """float32 [image, unit, h, w]: distinct values, few values, one value, zeros of both signs, float16 values."""
    generator = np.random.default_rng(seed)
    shape = (images, units, *side)
    values = generator.normal(size=shape).astype(np.float32)
    match kind:
        case "ties":
            values = np.round(values * 2) / 2
        case "constant":
            values = np.full(shape, values.flat[0])
        case "zeros":
            values = np.where(values > 1, values, np.where(values > 0, np.float32(0), np.float32(-0.0)))
        case "half":
            values = values.astype(np.float16).astype(np.float32)
    return values.astype(np.float32)


@dataclass(frozen=True)
class Kind:
    """A statistic: how an empty one is made, and how it takes a block of images (number, first image, values)."""

    make: Callable[[], Any]
    feed: Callable[[Any, int, int, np.ndarray], None]


def one_pass(kind: Kind, blocks: Sequence[np.ndarray]) -> Any:
    """All blocks into one statistic, in order."""
    made = kind.make()
    first = 0
    for number, values in enumerate(blocks):
        kind.feed(made, number, first, values)
        first += len(values)
    return made


def in_shards(kind: Kind, blocks: Sequence[np.ndarray], dice: random.Random) -> Any:
    """The blocks dealt to up to four shards, fed in any order, merged pairwise in any order, some saved and loaded."""
    firsts = np.cumsum([0, *(len(values) for values in blocks)])
    shards = [kind.make() for _ in range(dice.randint(1, 4))]
    for number in dice.sample(range(len(blocks)), len(blocks)):
        place = dice.randrange(len(shards))
        kind.feed(shards[place], number, int(firsts[number]), blocks[number])
        if dice.random() < 0.3:
            shards[place] = reloaded(shards[place])
        if len(shards) > 1 and dice.random() < 0.2:
            shards[0].merge(shards.pop())
    while len(shards) > 1:
        dice.shuffle(shards)
        other = shards.pop()
        shards[0].merge(reloaded(other) if dice.random() < 0.5 else other)
    return shards[0]


def reloaded(statistic: Statistic) -> Any:
    """The statistic after a trip through plain arrays."""
    copies = {name: array.copy() for name, array in statistic.state().items()}
    return type(statistic).load(copies)


def same_bits(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two states hold the same names, types, shapes and bytes."""
    return one.keys() == other.keys() and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in ((one[name], other[name]) for name in one)
    )
