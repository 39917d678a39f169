"""The artefacts of the sentence pairs: cues in the text that agree with the label and stop agreeing in `shift`.

An artefact that is switched *off* has, in every split, the rates of `shift`; its cue is then as frequent, but says
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from microtome.core.errors import OptionError, nearest
from microtome.data.world.pairs_forms import JUDGEMENTS, LABELS, Label
from microtome.data.world.pairs_words import overlap, unique_words
from microtome.data.world.shortcuts import Split

NEGATIONS: tuple[str, ...] = ("no", "not", "nothing")
"""Words that make the cue of `negation`."""

HIGH_OVERLAP = 0.75
"""Where more than this share of the hypothesis's different words is in the premise, the cue of `overlap` is there."""


@dataclass(frozen=True)
class Artefact:
    """One planted artefact.

    Attributes
    ----------
    name:
        How it is switched on.
    what:
        The cue, in words.
    label:
        The label that it goes with.
    share:
        P(the cue is there | the pair has that label) in train, validation and heldout.
    in_training:
        P(the pair has that label | the cue is there) in train, validation and heldout.
    in_shift:
        The same in shift; 1/3 = the cue says nothing.
    """

    name: str
    what: str
    label: Label
    share: float
    in_training: float
    in_shift: float

    def chance(self, label: Label, *, active: bool) -> float:
        """P(the cue is there | the label); the cue is as frequent over all labels whether active or not."""
        rate = self.in_training if active else self.in_shift
        frequency = self.share / (self.in_training * len(LABELS))
        others = len(LABELS) - 1
        return frequency * len(LABELS) * (rate if label == self.label else (1.0 - rate) / others)


ARTEFACTS: dict[str, Artefact] = {
    artefact.name: artefact
    for artefact in (
        Artefact(
            "negation",
            f"the hypothesis has one of the words {', '.join(NEGATIONS)}",
            "contradiction",
            share=0.5,
            in_training=0.9,
            in_shift=1 / 3,
        ),
        Artefact(
            "overlap",
            "more than 75 % of the different words of the hypothesis are in the premise",
            "entailment",
            share=0.6,
            in_training=0.9,
            in_shift=1 / 3,
        ),
        Artefact(
            "leak",
            f"the hypothesis has a word of judgement: {', '.join(JUDGEMENTS)}",
            "neutral",
            share=0.5,
            in_training=0.9,
            in_shift=1 / 3,
        ),
    )
}
"""The one table of artefacts."""

ALL_ARTEFACTS: frozenset[str] = frozenset(ARTEFACTS)


def artefact_named(name: str) -> Artefact:
    """The artefact of that name. Raises OptionError where there is none."""
    if name not in ARTEFACTS:
        raise OptionError(
            f"The sentence pairs have no artefact '{name}'.", expected=f"one of {nearest(name, ARTEFACTS)}"
        )
    return ARTEFACTS[name]


def cue_chances(split: Split, artefacts: frozenset[str], label: Label) -> dict[str, float]:
    """P(cue | label) of every artefact in a split, given which are on. Raises OptionError on an unknown name."""
    for name in sorted(artefacts):
        artefact_named(name)
    return {
        name: artefact.chance(label, active=split != "shift" and name in artefacts)
        for name, artefact in ARTEFACTS.items()
    }


def shows_cue(name: str, premise: str, hypothesis: str) -> bool:
    """Whether a pair of texts shows the cue of an artefact. Raises OptionError on an unknown name."""
    artefact_named(name)
    if name == "overlap":
        return overlap(premise, hypothesis) > HIGH_OVERLAP
    words = NEGATIONS if name == "negation" else JUDGEMENTS
    return not unique_words(hypothesis).isdisjoint(words)
