"""Small worlds with words that are near to one another: NEIGHBOURS as the union of its members, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microtome.core.formula import Neighbours
from microtome.core.signatures import SignatureTable
from tests.support.small_worlds import activity_of, small_world


@dataclass(frozen=True)
class TermWorld:
    """Dense columns of every term, concepts by name and then NEIGHBOURS of each that has any; their table; a unit."""

    columns: dict[str, np.ndarray]
    table: SignatureTable
    row_of: np.ndarray
    unit: np.ndarray

    @property
    def activity(self) -> tuple[np.ndarray, np.ndarray]:
        """The unit's rows and counts."""
        return activity_of(self.row_of, self.unit)


def term_world(seed: int, *, concepts: int = 5, elements: int = 80) -> TermWorld:
    """A small world in which about half of the concepts have neighbours, and the unit may follow a group of them."""
    world, generator = small_world(seed, concepts=concepts, elements=elements), np.random.default_rng([seed, 9])
    names = [concept.name for concept in world.table.concepts]
    groups: list[tuple[int, ...]] = []
    for own in range(len(names)):
        others = generator.choice(len(names), size=min(int(generator.integers(0, 4)), len(names)), replace=False)
        near = tuple(sorted({own, *(int(k) for k in others)}))
        groups.append(near if generator.random() < 0.5 else ())
    columns = {name: world.columns[name] for name in names}
    for name, group in zip(names, groups, strict=True):
        if len(group) > 1:
            anywhere = np.zeros(elements, bool)
            for element in range(elements):
                anywhere[element] = any(world.columns[names[member]][element] for member in group)
            columns[Neighbours(name).column] = anywhere
    unit = world.unit
    if generator.random() < 0.5:
        unit = list(columns.values())[-1] ^ (generator.random(elements) < generator.choice([0.0, 0.05, 0.2]))
    return TermWorld(columns, replace(world.table, neighbours=tuple(groups)), world.row_of, unit)
