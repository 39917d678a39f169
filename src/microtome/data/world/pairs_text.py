"""From what a pair says to its words."""

from __future__ import annotations

from dataclasses import dataclass

from microtome.data.world.graph import SURFACES
from microtome.data.world.pairs_forms import BROAD, JUDGEMENTS, Claim, Entity, Facts, Form, Traits
from microtome.data.world.pairs_words import ONLY_PLURAL, Wording, article

_COUNTED_SURFACES = ("sky", "road", "wall")
_JOINTS = (". ", " and ", ", while ", ". ")
_EXISTS = 5


@dataclass(frozen=True)
class _Parts:
    """The pieces of a clause: amount, bare noun phrase, place, verb."""

    amount: str
    bare: str
    place: str
    verb: str

    @property
    def whole(self) -> str:
        return f"{self.amount} {self.bare}" if self.amount else self.bare


def say_premise(facts: Facts) -> str:
    """The text of a premise. A pure function of its facts; each entity's words depend on that entity alone."""
    wording = Wording(facts.style)
    text = ""
    for place, entity in enumerate(facts.entities):
        clause = _entity_clause(entity, wording)
        joint = _JOINTS[wording.draw(f"joint {entity.subject}", len(_JOINTS))] if place else ""
        text += joint + (clause if joint and not joint.startswith(".") else capitalised(clause))
    return text + "."


def say_hypothesis(facts: Facts, form: Form) -> str:
    """The text of a hypothesis: in the premise's words and syntax, or in others (`form.reworded`)."""
    wording = Wording(facts.style, other=form.reworded)
    syntax = Wording(form.style) if form.reworded else wording
    clauses = [_claim_clause(claim, wording, syntax, reworded=form.reworded) for claim in form.claims]
    text = " and ".join(clauses)
    return capitalised(f"{form.idle}, {text}" if form.idle else text) + "."


def capitalised(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def _entity_clause(entity: Entity, wording: Wording) -> str:
    if entity.count == 0:
        return _denied(Claim(entity.subject, traits=entity.traits), wording, wording, definite=False)
    claim = Claim(entity.subject, count=entity.count, traits=entity.traits)
    return _stated(claim, wording, wording, definite=False, premise=True)


def _claim_clause(claim: Claim, wording: Wording, syntax: Wording, *, reworded: bool) -> str:
    definite = reworded and claim.count is None and bool(claim.traits) and syntax.draw("definite", 2) == 1
    if claim.denials == 0:
        return _stated(claim, wording, syntax, definite=definite, premise=False)
    denied = _denied(claim, wording, syntax, definite=definite)
    return denied if claim.denials == 1 else f"it is not true that {denied}"


def _stated(claim: Claim, wording: Wording, syntax: Wording, *, definite: bool, premise: bool) -> str:
    if claim.subject == "scene":
        place = article(dict(claim.traits)["place"])
        return (f"this is {place} scene", f"the scene is {place}")[syntax.draw("scene", 2)]
    if definite:
        return _definite(claim, wording, syntax, denial="")
    parts = _parts(claim, wording, premise=premise)
    return _existential(parts, syntax.draw(f"syntax {claim.subject}", _EXISTS))


def _existential(parts: _Parts, way: int) -> str:
    if way == 0 or (way in (1, 3) and not parts.place):
        return f"there {parts.verb} {_joined(parts.whole, parts.place)}"
    if way == 1:
        return f"{parts.whole} {parts.verb} {parts.place}"
    if way == 2:
        return _joined(f"{parts.whole} can be seen", parts.place)
    if way == 3:
        return f"{parts.place} one sees {parts.whole}"
    return _joined(f"the picture shows {parts.whole}", parts.place)


def _denied(claim: Claim, wording: Wording, syntax: Wording, *, definite: bool) -> str:
    if claim.subject == "scene":
        place = article(dict(claim.traits)["place"])
        return (f"this is not {place} scene", f"the scene is not {place}")[syntax.draw("scene", 2)]
    if definite:
        return _definite(claim, wording, syntax, denial=" not")
    parts = _parts(claim, wording, premise=False)
    if claim.count is not None:
        return _joined(f"there {parts.verb} not {parts.whole}", parts.place)
    way = syntax.draw(f"denial {claim.subject}", 3)
    if way == 0:
        return f"there {parts.verb} no {_joined(parts.bare, parts.place)}"
    if way == 1:
        return _joined(f"no {parts.bare} can be seen", parts.place)
    return _joined(f"nothing like {parts.whole} can be seen", parts.place)


def _definite(claim: Claim, wording: Wording, syntax: Wording, *, denial: str) -> str:
    """The boat is red: one trait is said of the thing, the others tell which thing."""
    said = claim.traits[syntax.draw("said", len(claim.traits))]
    others = Claim(claim.subject, traits=tuple(t for t in claim.traits if t != said), many=claim.many)
    parts = _parts(others, wording, premise=False)
    return f"{_joined(f'the {parts.bare}', parts.place)} {parts.verb}{denial} {_trait(said, wording)}"


def _parts(claim: Claim, wording: Wording, *, premise: bool) -> _Parts:
    many = claim.many or claim.subject in ONLY_PLURAL or (claim.count or 0) > 1
    surface = claim.subject in SURFACES
    noun = wording.plural(claim.subject) if many and not surface else wording.of(claim.subject)
    adjectives = _adjectives(claim.traits, wording)
    bare = " ".join((*adjectives, noun))
    place = " ".join(_trait(t, wording) for t in claim.traits if t[0] in ("surface", "side"))
    plural = many and not surface
    return _Parts(_amount(claim, bare, wording, premise=premise), bare, place, "are" if plural else "is")


def _amount(claim: Claim, bare: str, wording: Wording, *, premise: bool) -> str:
    if claim.subject in SURFACES:
        return article(bare).split()[0] if claim.subject in _COUNTED_SURFACES else ""
    if claim.subject in ONLY_PLURAL:
        return "some" if claim.count in (None, 1) else f"{wording.number(claim.count)} clumps of"
    if claim.count is None:
        return "some" if claim.many else article(bare).split()[0]
    if claim.count > 1:
        return wording.number(claim.count)
    return article(bare).split()[0] if premise else "just one"


def _adjectives(traits: Traits, wording: Wording) -> tuple[str, ...]:
    said = dict(traits)
    judged = [name for name, _ in traits if name in JUDGEMENTS]
    seen = [wording.of(said[name]) for name in ("material", "color") if name in said]
    return (*judged, *seen)


def _trait(trait: tuple[str, str], wording: Wording) -> str:
    name, value = trait
    if name == "surface":
        return f"{wording.of('on')} {wording.of(value)}"
    return name if name in JUDGEMENTS else wording.of(value)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def is_thing(subject: str) -> bool:
    """Whether a subject is an object or a class of objects, rather than a surface or the scene."""
    return subject in BROAD or (subject not in SURFACES and subject != "scene")
