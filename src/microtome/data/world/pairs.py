"""The planted world's sentence pairs: premise, hypothesis and the label that follows from what they say."""

from __future__ import annotations

from functools import lru_cache

from microtome.core.errors import DataError, OptionError
from microtome.data.base import DataCard, hash_of
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.pairs_artefacts import ALL_ARTEFACTS, artefact_named, cue_chances
from microtome.data.world.pairs_compose import Order, compose_pair
from microtome.data.world.pairs_forms import LABELS, Label, NliPair
from microtome.data.world.shortcuts import Split, split_named

PAIRS_VERSION = 1
"""Raised whenever a word of any pair changes. Shipped weights name the version they were trained on."""


class WorldPairs:
    """Sentence pairs about the scenes of a planted world.

    Pair i depends only on (`PAIRS_VERSION`, `WORLD_VERSION`, seed, split, i, artefacts). Every three pairs hold each
    label once, in random order.

    Parameters
    ----------
    split:
        `train`, `validation` and `heldout` have one distribution and different seeds; in `shift` the artefacts
        say nothing.
    count:
        Number of pairs, at least 1.
    seed:
        Another seed, another world.
    artefacts:
        Which planted artefacts are on (see `pairs_artefacts.ARTEFACTS`); default: all.

    Raises
    ------
    OptionError
        For a value outside its range, an unknown split or artefact.
    """

    classes: tuple[Label, ...] = LABELS

    def __init__(self, split: Split, *, count: int, seed: int = 0, artefacts: frozenset[str] | None = None) -> None:
        if count < 1:
            raise OptionError(f"A world of {count} sentence pairs is empty.", expected="count of at least 1")
        self.split: Split = split_named(split)
        self.count = count
        self.seed = seed
        self.artefacts = ALL_ARTEFACTS if artefacts is None else frozenset(artefacts)
        for name in sorted(self.artefacts):
            artefact_named(name)
        self._world = World(split, count=count, seed=seed)
        self._base = mix("microtome sentence pairs", PAIRS_VERSION, WORLD_VERSION, seed, split)
        on = ", ".join(sorted(self.artefacts)) or "none"
        self.card = DataCard(
            name=f"planted world's sentence pairs, {split}",
            reader="world",
            source=f"generated, version {PAIRS_VERSION}, seed {seed}",
            notes=(f"planted artefacts switched on: {on}",),
        )

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        """Stable name of pair `index`. Raises DataError where there is none."""
        return f"{self.split}-{self._checked(index):06d}"

    def pair(self, index: int) -> NliPair:
        """Pair `index` with its truth. Raises DataError where there is none."""
        block, place = divmod(self._checked(index), len(LABELS))
        label = _block_order(mix(self._base, "block", block))[place]
        dice = Dice(mix(self._base, "pair", index))
        chances = cue_chances(self.split, self.artefacts, label)
        # Each cue has a stream of its own: switching one artefact off moves no other cue.
        cues = {name: dice.fork("cue", name).chance(chance) for name, chance in chances.items()}
        return compose_pair(self.key(index), self._world.scene(index), Order(label, cues), dice)

    def fingerprint(self) -> str:
        """Identity of the pairs."""
        return hash_of(
            (
                "world pairs",
                PAIRS_VERSION,
                WORLD_VERSION,
                self.split,
                self.count,
                self.seed,
                tuple(sorted(self.artefacts)),
            )
        )

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise DataError(
                f"The sentence pairs have no pair {index}.", expected=f"an index from 0 to {self.count - 1}"
            )
        return index


@lru_cache(maxsize=64)
def _block_order(seed: int) -> tuple[Label, ...]:
    return tuple(Dice(seed).shuffled(LABELS))
