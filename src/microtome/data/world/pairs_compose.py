"""Writes a hypothesis to order: with a given label, and with the cues of given artefacts there or not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from microtome.data.world.dice import Dice
from microtome.data.world.graph import SURFACES, SceneGraph
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.pairs_artefacts import ARTEFACTS, shows_cue
from microtome.data.world.pairs_facts import ALOFT, facts_of
from microtome.data.world.pairs_forms import (
    BROAD,
    JUDGEMENTS,
    Claim,
    Entity,
    Facts,
    Form,
    Label,
    NliPair,
    Traits,
    holds,
    true_label,
)
from microtome.data.world.pairs_text import is_thing, say_hypothesis, say_premise
from microtome.data.world.pairs_words import MOST, ONLY_PLURAL
from microtome.data.world.palette import COLORS

NEGATIVE_IDLE: tuple[str, ...] = ("no doubt", "not surprisingly")
"""Phrases with a negation word that deny nothing."""

NEUTRAL_IDLE: tuple[str, ...] = ("of course", "as expected")
"""Phrases of the same kind without one: the control."""

PLACES: tuple[str, ...] = ("beach", "desert", "farm", "forest", "garden", "harbour", "lake", "street", "village")

_SIDES = ("left", "right", "middle")
_STANDING = tuple(surface for surface in SURFACES if surface not in ("sky", "wall"))
_ATTEMPTS = 40


@dataclass(frozen=True)
class Order:
    """What a pair shall be: its label, and whether each artefact's cue is there (by name)."""

    label: Label
    cues: dict[str, bool]


def compose_pair(key: str, scene: SceneGraph, order: Order, dice: Dice) -> NliPair:
    """A pair about a scene. Its label is always as ordered; its cues are where some wording allows them.

    The wording is drawn anew, up to 40 times, until the texts show the cues that were ordered.
    """
    best: NliPair | None = None
    for attempt in range(_ATTEMPTS):
        pair = _attempt(key, scene, order, dice.fork("attempt", attempt))
        if pair is None:
            continue
        if all(shows_cue(name, pair.premise, pair.hypothesis) == order.cues[name] for name in ARTEFACTS):
            return pair
        best = best or pair
    assert best is not None, "some wording of every scene has the label"
    return best


def pair_of(key: str, facts: Facts, form: Form) -> NliPair:
    """The pair with its texts and its label."""
    return NliPair(key, say_premise(facts), say_hypothesis(facts, form), true_label(facts, form), facts, form)


def restated(entity: Entity) -> Claim:
    """The claim that says of a thing all that the premise says of it. True by construction."""
    if entity.count == 0:
        return Claim(entity.subject, traits=entity.traits, denials=1)
    return Claim(entity.subject, entity.count if entity.count > 1 else None, entity.traits)


def falsified(claim: Claim, facts: Facts, dice: Dice) -> Claim | None:
    """An undenied claim changed in one place so that the premise rules it out; None where there is no such place."""
    entity = facts.about(claim.subject)
    if entity is None or entity.count == 0:
        return None
    changed: list[Claim] = []
    for name, value in entity.traits:
        if name not in JUDGEMENTS:
            other = dice.pick([word for word in _values(name) if word != value])
            rest = tuple(trait for trait in claim.traits if trait[0] != name)
            changed.append(replace(claim, traits=_ordered((*rest, (name, other)))))
    if is_thing(claim.subject) and claim.subject not in ONLY_PLURAL:
        count = dice.pick([n for n in range(2, 5) if n != entity.count])
        changed.append(replace(claim, count=min(count, MOST), many=False))
    absent = [other.subject for other in facts.entities if other.count == 0]
    if absent and is_thing(claim.subject):
        changed.append(replace(claim, subject=absent[0], count=None, many=False))
    return dice.pick(changed) if changed else None


def opened(claim: Claim, facts: Facts, dice: Dice) -> Claim:
    """A claim changed so that the premise leaves it open: a trait it does not say, or a thing it does not mention."""
    entity = facts.about(claim.subject)
    unsaid = [kind for kind in (*KINDS, *BROAD) if holds(facts, Claim(kind)) is None]
    if entity is None or not is_thing(claim.subject):
        kind = dice.pick(unsaid)
        color = (("color", dice.pick(COLORS)),) if dice.chance(0.4) else ()
        return Claim(kind, traits=color)
    names = [name for name in ("material", "color", "side", "surface") if name not in dict(entity.traits)]
    if claim.subject in ALOFT:
        names = [name for name in names if name != "surface"]
    if not names or dice.chance(0.3):
        # Another thing in the same dress keeps most of the words.
        others = [kind for kind in unsaid if kind not in BROAD and kind not in ALOFT]
        return replace(claim, subject=dice.pick(others), count=None, many=False)
    name = dice.pick(names)
    return replace(claim, traits=_ordered((*claim.traits, (name, dice.pick(_values(name))))))


def judged(claim: Claim, word: str) -> Claim:
    """The claim with a word of judgement more."""
    return replace(claim, traits=_ordered((*claim.traits, (word, "yes"))))


def saying(facts: Facts, subject: str, word: str) -> Facts:
    """The facts with a word of judgement said of one subject."""
    return replace(
        facts,
        entities=tuple(
            replace(entity, traits=_ordered((*entity.traits, (word, "yes")))) if entity.subject == subject else entity
            for entity in facts.entities
        ),
    )


def _attempt(key: str, scene: SceneGraph, order: Order, dice: Dice) -> NliPair | None:
    facts = facts_of(scene, dice)
    claims = _true_claims(facts, order, dice)
    things = [place for place, claim in enumerate(claims) if is_thing(claim.subject) and claim.denials == 0]
    if not claims or (order.cues["leak"] and not things):
        return None
    pivot = dice.pick(things) if things and order.cues["leak"] else dice.whole(0, len(claims) - 1)
    word = dice.pick(JUDGEMENTS)
    if order.cues["leak"] and order.label != "neutral":
        # Only a premise that says it can bear out a judgement.
        facts = saying(facts, claims[pivot].subject, word)
    elif (word, "yes") in (facts.about(claims[pivot].subject) or Entity("", 0)).traits:
        return None
    made = _settled(claims[pivot], facts, order, dice, word)
    if made is None:
        return None
    claim, idle = made
    if not idle and dice.chance(0.06):
        idle = dice.pick(NEUTRAL_IDLE)
    claims[pivot] = claim
    form = Form(tuple(claims), style=dice.seed(), reworded=not order.cues["overlap"], idle=idle)
    pair = pair_of(key, facts, form)
    return pair if pair.label == order.label else None


def _true_claims(facts: Facts, order: Order, dice: Dice) -> list[Claim]:
    """Claims that the premise bears out: things with all that it says of them (high overlap), or a little of it."""
    said = [e for e in facts.entities if e.count > 0 or (order.cues["negation"] and order.label == "entailment")]
    if not said:
        return []
    if order.cues["overlap"]:
        kept = dice.shuffled(said)[: dice.whole(1, len(said))]
        return [restated(entity) for entity in said if entity in kept]
    chosen = dice.shuffled(said)[: 2 if dice.chance(0.2) else 1]
    return [_loosened(entity, dice) for entity in chosen]


def _loosened(entity: Entity, dice: Dice) -> Claim:
    if entity.count == 0 or entity.subject == "scene":
        return restated(entity)
    traits = tuple(t for t in entity.traits if t[0] not in JUDGEMENTS and dice.chance(0.7))
    if not is_thing(entity.subject):
        return Claim(entity.subject, traits=traits or entity.traits)
    broad = [word for word, kinds in BROAD.items() if entity.subject in kinds]
    if broad and dice.chance(0.15):
        return Claim(broad[0], traits=traits)
    if dice.chance(0.4) and entity.subject not in ONLY_PLURAL:
        return Claim(entity.subject, entity.count, traits)
    return Claim(entity.subject, traits=traits, many=entity.count > 1)


def _settled(claim: Claim, facts: Facts, order: Order, dice: Dice, word: str) -> tuple[Claim, str] | None:
    """The claim turned so that the whole has the ordered label, and the idle phrase in front of it."""
    leak = order.cues["leak"]
    if order.label == "neutral":
        wanted = judged(claim, word) if leak else opened(claim, facts, dice)
        flipped = wanted
    else:
        told = judged(claim, word) if leak else claim
        false = falsified(told, facts, dice) if claim.denials == 0 else None
        wanted, flipped = (told, false) if order.label == "entailment" else (false, told)
    if not order.cues["negation"]:
        return None if wanted is None else (wanted, "")
    if wanted is not None and wanted.denials:
        return wanted, ""
    way = dice.pick(("denied", "denied", "denied", "idle", "idle", "twice"))
    if way == "denied":
        return None if flipped is None else (replace(flipped, denials=flipped.denials + 1), "")
    if wanted is None:
        return None
    if way == "twice" and wanted.subject != "scene":
        return replace(wanted, denials=2), ""
    return wanted, dice.pick(NEGATIVE_IDLE)


def _values(name: str) -> tuple[str, ...]:
    return {"color": COLORS, "material": MATERIALS, "side": _SIDES, "surface": _STANDING, "place": PLACES}[name]


def _ordered(traits: Traits) -> Traits:
    """Judgements first, then material, colour, surface, side: the order in which premises say them."""
    rank = {"material": 1, "color": 2, "surface": 3, "side": 4, "place": 5}
    return tuple(sorted(traits, key=lambda trait: rank.get(trait[0], 0)))
