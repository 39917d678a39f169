"""Edits of the planted world's pairs by its own grammar, which knows what they mean: the label stays as it is."""

from __future__ import annotations

from typing import final

from microtome.data.text.base import TextData
from microtome.data.text.edited import Texts
from microtome.data.world.pairs import WorldPairs
from microtome.data.world.pairs_edit import counterfactual, with_idle
from microtome.data.world.pairs_forms import NliPair
from microtome.data.world.shortcuts import split_named


@final
class WorldEdits:
    """The pairs of a planted world, by their texts.

    Parameters
    ----------
    data:
        Sentence pairs that `open_texts` made of `world...`.
    """

    def __init__(self, data: TextData) -> None:
        self._numbers = {data.texts(index): int(data.key(index).rpartition("-")[2]) for index in range(len(data))}
        split = data.key(0).rpartition("-")[0]
        _, marked, seed = data.card.spec.partition("?seed=")
        known = int(seed) if marked else int(dict(data.card.settings).get("seed", 0))
        self._world = WorldPairs(split_named(split), count=1 + max(self._numbers.values()), seed=known)
        self._composed: dict[Texts, NliPair] = {}

    def pair(self, texts: Texts) -> NliPair:
        """The pair with its logic; composing it takes longer than all that is then asked of it, so it is kept."""
        if texts not in self._composed:
            self._composed[texts] = self._world.pair(self._numbers[texts])
        return self._composed[texts]

    def cued(self, texts: Texts, artefact: str, *, on: bool) -> Texts | None:
        """The pair with an artefact's cue put in or taken out, see `counterfactual`; None where no way is known."""
        edited = counterfactual(self.pair(texts), artefact, on=on)
        return None if edited is None else (edited.premise, edited.hypothesis)

    def idle(self, texts: Texts) -> Texts | None:
        """The pair with a phrase that is no cue: the control. None where it has one."""
        edited = with_idle(self.pair(texts))
        return None if edited is None else (edited.premise, edited.hypothesis)


def world_of(data: TextData) -> WorldEdits | None:
    """The planted world that the texts are from; None of any other texts."""
    return WorldEdits(data) if data.card.reader == "world" and data.level == "pair" else None
