"""Sentence pairs as logic: what a premise says, what a hypothesis claims, and the label that follows.

A premise that mentions a kind of thing speaks of all things of that kind in the picture: "two red boats" means that
there are two boats and that both are red. What it does not say is undetermined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Label = Literal["entailment", "neutral", "contradiction"]
LABELS: tuple[Label, ...] = ("entailment", "neutral", "contradiction")

BROAD: dict[str, tuple[str, ...]] = {
    "vehicle": ("car", "tractor", "boat"),
    "plant": ("tree", "pine", "flower", "cactus", "reeds"),
    "bird": ("gull", "robin"),
    "building": ("house", "lighthouse"),
}
"""Words for several kinds of objects. A claim about one holds where it holds of any of its kinds."""

JUDGEMENTS: tuple[str, ...] = ("favourite", "old", "expensive", "famous", "borrowed", "beloved")
"""Words that no picture shows. A premise that does not use one leaves it open; each is a trait of its own."""

Traits = tuple[tuple[str, str], ...]
"""Pairs of (name, value): `color`, `material`, `side`, `surface`, `place`, or a judgement with the value `yes`."""


@dataclass(frozen=True)
class Entity:
    """Something that a premise speaks of.

    Attributes
    ----------
    subject:
        A kind of object, a surface, or `scene`.
    count:
        How many there are; 0 = the premise says that there is none.
    traits:
        What it says of them.
    """

    subject: str
    count: int
    traits: Traits = ()


@dataclass(frozen=True)
class Facts:
    """What a premise says.

    Attributes
    ----------
    entities:
        In the order of the text, each subject once.
    style:
        Seed of its wording.
    """

    entities: tuple[Entity, ...]
    style: int

    def about(self, subject: str) -> Entity | None:
        """What is said of a subject; None where nothing is."""
        return next((entity for entity in self.entities if entity.subject == subject), None)


@dataclass(frozen=True)
class Claim:
    """One clause of a hypothesis: that there is such a thing, or how many, and that it has these traits.

    Attributes
    ----------
    subject:
        As in `Entity`, or a word of `BROAD`.
    count:
        Exactly how many; None = some.
    traits:
        All of them must hold.
    denials:
        How often the clause is negated: 0, 1, or 2 ("it is not true that there is no ...").
    many:
        Whether the plural is used where there is no count.
    """

    subject: str
    count: int | None = None
    traits: Traits = ()
    denials: int = 0
    many: bool = False


@dataclass(frozen=True)
class Form:
    """A hypothesis.

    Attributes
    ----------
    claims:
        Joined by "and".
    style:
        Seed of its wording where it is reworded.
    reworded:
        Whether it avoids the premise's words and syntax; otherwise it repeats them.
    idle:
        A phrase in front that changes no truth ("no doubt", "of course"); may be empty.
    """

    claims: tuple[Claim, ...]
    style: int
    reworded: bool
    idle: str = ""


@dataclass(frozen=True)
class NliPair:
    """A sentence pair with its truth and its logic.

    Attributes
    ----------
    key:
        Stable name within its data set.
    premise, hypothesis:
        The texts.
    label:
        What `true_label(facts, form)` says.
    facts, form:
        What the texts say.
    """

    key: str
    premise: str
    hypothesis: str
    label: Label
    facts: Facts
    form: Form


def holds(facts: Facts, claim: Claim) -> bool | None:
    """Whether a claim is true, false (False) or undetermined (None) given the premise."""
    if claim.subject in BROAD:
        found = [_holds_of(facts.about(kind), claim) for kind in BROAD[claim.subject]]
        # One kind that lacks it says nothing about other kinds.
        truth = True if True in found else None
    else:
        truth = _holds_of(facts.about(claim.subject), claim)
    if truth is None or claim.denials % 2 == 0:
        return truth
    return not truth


def true_label(facts: Facts, form: Form) -> Label:
    """The label of a pair: contradiction if any claim is false, entailment if all are true, else neutral."""
    found = [holds(facts, claim) for claim in form.claims]
    if False in found:
        return "contradiction"
    return "neutral" if None in found else "entailment"


def _holds_of(entity: Entity | None, claim: Claim) -> bool | None:
    if entity is None:
        return None
    if entity.count == 0 or (claim.count is not None and claim.count != entity.count):
        return False
    said = dict(entity.traits)
    known = [said[name] == value for name, value in claim.traits if name in said]
    if False in known:
        return False
    return True if len(known) == len(claim.traits) else None
