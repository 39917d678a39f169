"""Edits that concern the two sides together, or how long a side is: overlap, subset, length.

Each gives versions of the pair, best first and ever further from the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from microtome.data.text.edit_draft import Draft
from microtome.data.text.edit_removal import plain
from microtome.data.text.edit_templates import appended
from microtome.data.text.edit_words import OPEN, Lexicon, Told

FILLERS = (
    "today",
    "right now",
    "at the moment",
    "at this very moment",
    "on this very fine day",
    "at this very moment on this fine day",
    "at this very moment on this fine day in this part of the world",
    "at this very moment on this fine day in this part of the world as far as one can see from here",
)
"""Phrases that say next to nothing, from one word to twenty."""

Choice = Callable[[int], str | None]
"""Place of a word -> what to put there; None = leave it."""


def swapped(told: Told, places: Sequence[int], choose: Choice) -> Iterator[str]:
    """The sentence with one word changed, with two, and so on; places without a choice stay."""
    draft = Draft(told.passage)
    for place in places:
        word = choose(place)
        if word is not None and word != told.words[place]:
            draft.swap(place, word)
            yield draft.text()


def shared_places(one: Told, other: Told, *, shared: bool) -> list[int]:
    """Places of the words that the other side has, or has not; words of open classes first, marks left out."""
    known = set(other.words)
    found = [k for k, word in enumerate(one.words) if one.kinds[k] != "mark" and (word in known) == shared]
    return sorted(found, key=lambda place: (one.kinds[place] not in OPEN, place))


def more_shared(premise: Told, hypothesis: Told) -> Iterator[str]:
    """Hypotheses with more and more of the premise's words: of the same kind in the same places, then its clauses."""
    spare: dict[str, list[str]] = {}
    for word, kind in zip(premise.words, premise.kinds, strict=True):
        if word not in hypothesis.words and word not in spare.setdefault(kind, []):
            spare[kind].append(word)

    def choose(place: int) -> str | None:
        words = spare.get(hypothesis.kinds[place])
        return words.pop(0) if words else None

    yield from swapped(hypothesis, shared_places(hypothesis, premise, shared=False), choose)
    yield from clauses(premise)


def less_shared(premise: Told, hypothesis: Told, lexicon: Lexicon) -> Iterator[str]:
    """Hypotheses with fewer and fewer of the premise's words: plainer or else frequent ones instead."""
    places = shared_places(hypothesis, premise, shared=True)
    fresh, used = _fresh(premise, hypothesis, lexicon, None), {*premise.words, *hypothesis.words}

    def choose(place: int) -> str | None:
        options = plain(hypothesis.words[place], hypothesis.kinds[place])
        word = next((word for word in options if word not in used), None) or fresh(place)
        used.add(word or "")
        return word

    yield from swapped(hypothesis, places, choose)


def as_shared(premise: Told, hypothesis: Told, lexicon: Lexicon, draw: np.random.Generator) -> Iterator[str]:
    """Hypotheses with other words and the same share: the control of the two above, most words changed first."""
    outside = shared_places(hypothesis, premise, shared=False)
    versions = list(swapped(hypothesis, outside, _fresh(premise, hypothesis, lexicon, draw)))
    inside = shared_places(hypothesis, premise, shared=True)
    spare = {
        kind: [w for w, k in zip(premise.words, premise.kinds, strict=True) if k == kind and w not in hypothesis.words]
        for kind in premise.kinds
    }

    def choose(place: int) -> str | None:
        words = spare.get(hypothesis.kinds[place])
        return words.pop(0) if words else None

    yield from reversed([*versions, *swapped(hypothesis, inside, choose)])


def clauses(told: Told, *, least: int = 3) -> Iterator[str]:
    """What a sentence says up to each phrase, shortest first, at least `least` words."""
    for place in _joints(told):
        if place >= least:
            yield _cut(told, place)
    yield told.passage.text


def longer(told: Told) -> Iterator[str]:
    """The sentence with ever longer phrases at its end."""
    for filler in FILLERS:
        yield appended(told, filler)


def shorter(told: Told) -> Iterator[str]:
    """The sentence cut before its phrases, the last first; then also without adjectives and adverbs."""
    for place in reversed(_joints(told)):
        yield _cut(told, place)
    draft = Draft(told.passage)
    for place in range(len(told.words) - 1, -1, -1):
        after = told.kinds[place + 1] if place + 1 < len(told.kinds) else "mark"
        if told.kinds[place] == "adverb" or (told.kinds[place] == "adjective" and after in ("noun", "plural")):
            draft.drop(place)
            yield draft.text()


def other_words(told: Told, lexicon: Lexicon, draw: np.random.Generator) -> Iterator[str]:
    """The sentence with one word of an open class changed for another of its kind: the control of a new length."""
    places = [place for place, kind in enumerate(told.kinds) if kind in OPEN]
    for place in draw.permutation(len(places)):
        yield from swapped(told, [places[int(place)]], _fresh(told, told, lexicon, draw))


def _fresh(premise: Told, hypothesis: Told, lexicon: Lexicon, draw: np.random.Generator | None) -> Choice:
    """Chooses frequent words of the same kind that neither side has; the most frequent, or drawn."""
    used = {*premise.words, *hypothesis.words}

    def choose(place: int) -> str | None:
        words = [word for word in lexicon.frequent(hypothesis.kinds[place], 30) if word not in used]
        if not words:
            return None
        word = words[0 if draw is None else int(draw.integers(len(words)))]
        used.add(word)
        return word

    return choose


def _joints(told: Told) -> list[int]:
    """Places where a phrase begins that may be left out, behind at least two words."""
    joints: list[int] = []
    for place in range(2, len(told.words)):
        kind, before = told.kinds[place], told.kinds[place - 1]
        starts = kind in ("preposition", "conjunction") or (kind == "mark" and told.words[place] in (",", ";"))
        starts = starts or (kind == "ing" and before in ("noun", "plural"))
        if starts and before in ("noun", "plural", "ing", "third", "past", "adverb", "object", "number"):
            joints.append(place)
    return joints


def _cut(told: Told, place: int) -> str:
    draft = Draft(told.passage)
    draft.cut(place)
    return draft.text()
