"""Counterfactual pairs: the same truth with an artefact's cue put in or taken out."""

from __future__ import annotations

from dataclasses import replace

from microtome.data.world.dice import Dice, mix
from microtome.data.world.pairs_artefacts import ARTEFACTS, artefact_named, shows_cue
from microtome.data.world.pairs_compose import (
    NEGATIVE_IDLE,
    NEUTRAL_IDLE,
    falsified,
    judged,
    opened,
    pair_of,
    restated,
    saying,
)
from microtome.data.world.pairs_forms import JUDGEMENTS, Claim, Facts, Form, NliPair, holds
from microtome.data.world.pairs_text import is_thing


def counterfactual(pair: NliPair, artefact: str, *, on: bool) -> NliPair | None:
    """The pair with one artefact's cue put in or taken out, and its label, computed anew, unchanged.

    The cues of the other artefacts stay as they are. `negation` is put in by a phrase that denies nothing ("no
    doubt"), `overlap` by the premise's own words and, where that is not enough, by repeating what else it says, `leak`
    by a word of judgement, which the premise is made to say too where the label asks for it.

    Parameters
    ----------
    pair:
        A pair of `WorldPairs`.
    artefact:
        A key of `pairs_artefacts.ARTEFACTS`.
    on:
        Put the cue in, or take it out.

    Returns
    -------
    NliPair or None
        None where the pair is so already, or where no edit known here keeps the label.

    Raises
    ------
    OptionError
        On an unknown artefact.
    """
    artefact_named(artefact)
    if shows_cue(artefact, pair.premise, pair.hypothesis) == on:
        return None
    others = [name for name in ARTEFACTS if name != artefact]
    before = [shows_cue(name, pair.premise, pair.hypothesis) for name in others]
    for facts, form in _edits(pair, artefact, on=on):
        edited = pair_of(pair.key, facts, form)
        after = [shows_cue(name, edited.premise, edited.hypothesis) for name in others]
        changed = shows_cue(artefact, edited.premise, edited.hypothesis) == on
        if changed and edited.label == pair.label and after == before:
            return edited
    return None


def with_idle(pair: NliPair) -> NliPair | None:
    """The pair with an idle phrase ("of course") that is no artefact's cue: the control. None where it has one."""
    if pair.form.idle:
        return None
    phrase = NEUTRAL_IDLE[pair.form.style % len(NEUTRAL_IDLE)]
    return pair_of(pair.key, pair.facts, replace(pair.form, idle=phrase))


def _edits(pair: NliPair, artefact: str, *, on: bool) -> list[tuple[Facts, Form]]:
    """Edits to try, best first."""
    facts, form = pair.facts, pair.form
    if artefact == "negation":
        if on:
            return [(facts, replace(form, idle=NEGATIVE_IDLE[form.style % len(NEGATIVE_IDLE)]))]
        return _without_denials(facts, form)
    if artefact == "overlap":
        return _repeating(facts, form) if on else [(facts, _reworded(facts, form))]
    if on:
        return _with_judgement(facts, form)
    return _without_judgements(facts, form)


def _without_denials(facts: Facts, form: Form) -> list[tuple[Facts, Form]]:
    claims: list[Claim] = []
    for place, claim in enumerate(form.claims):
        plain = _affirmed(claim, facts, Dice(mix(form.style, "affirmed", place)))
        if plain is None:
            return []
        claims.append(plain)
    idle = "" if form.idle in NEGATIVE_IDLE else form.idle
    return [(facts, replace(form, claims=tuple(claims), idle=idle))]


def _affirmed(claim: Claim, facts: Facts, dice: Dice) -> Claim | None:
    """A claim without denials that is as true as this one; None where there is none about the same thing."""
    bare = replace(claim, denials=0)
    truth = holds(facts, bare)
    if claim.denials % 2 == 0 or truth is None:
        return bare
    if truth:
        return falsified(bare, facts, dice)
    entity = facts.about(claim.subject)
    if entity is None or entity.count == 0:
        return None
    said = dict(entity.traits)
    traits = tuple((name, said[name]) for name, _ in claim.traits if name in said)
    return replace(bare, count=None if claim.count is None else entity.count, traits=traits)


def _repeating(facts: Facts, form: Form) -> list[tuple[Facts, Form]]:
    """The claims in the premise's own words; then also with all else that the premise says, in its order."""
    own = {claim.subject for claim in form.claims}
    claims: list[Claim] = []
    for entity in facts.entities:
        if entity.subject in own:
            claims += [claim for claim in form.claims if claim.subject == entity.subject]
        elif entity.count:
            claims.append(restated(entity))
    claims += [claim for claim in form.claims if facts.about(claim.subject) is None]
    alike = replace(form, reworded=False)
    return [(facts, alike), (facts, replace(alike, claims=tuple(claims)))]


def _reworded(facts: Facts, form: Form) -> Form:
    """The one claim that decides the label, in other words."""
    rank = {False: 0, None: 1, True: 2}
    deciding = min(form.claims, key=lambda claim: rank[holds(facts, claim)])
    return replace(form, claims=(deciding,), reworded=True)


def _without_judgements(facts: Facts, form: Form) -> list[tuple[Facts, Form]]:
    """The judgements left out; then also, to keep a pair neutral, something else said that the premise leaves open."""
    bare = tuple(replace(c, traits=tuple(t for t in c.traits if t[0] not in JUDGEMENTS)) for c in form.claims)
    edits = [(facts, replace(form, claims=bare))]
    for place, claim in enumerate(bare):
        if claim != form.claims[place]:
            other = opened(claim, facts, Dice(mix(form.style, "opened", place)))
            edits.append((facts, replace(form, claims=(*bare[:place], other, *bare[place + 1 :]))))
    return edits


def _with_judgement(facts: Facts, form: Form) -> list[tuple[Facts, Form]]:
    word = JUDGEMENTS[form.style % len(JUDGEMENTS)]
    things = [place for place, claim in enumerate(form.claims) if is_thing(claim.subject)]
    forms: list[tuple[int, Form]] = []
    for place in things:
        claims = (*form.claims[:place], judged(form.claims[place], word), *form.claims[place + 1 :])
        forms.append((place, replace(form, claims=claims)))
    alone = [(facts, edited) for _, edited in forms]
    told = [(saying(facts, form.claims[place].subject, word), edited) for place, edited in forms]
    return alone + told
