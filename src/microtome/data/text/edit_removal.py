"""Take words out of a sentence so that it still reads: what can go goes, the rest gives way to a plainer word."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from microtome.data.text.edit_draft import Draft
from microtome.data.text.edit_templates import subject_of
from microtome.data.text.edit_words import OPEN, PEOPLE, PEOPLE_PLURAL, Kind, Told

_PLAIN: dict[Kind, tuple[str, ...]] = {
    "noun": ("thing", "object", "item"),
    "plural": ("things", "objects", "items"),
    "ing": ("moving", "waiting", "acting"),
    "third": ("moves", "waits", "acts"),
    "past": ("moved", "waited", "acted"),
    "base": ("move", "wait", "act"),
    "preposition": ("near", "by", "with", "behind"),
    "determiner": ("the", "some", "a", "another"),
    "possessive": ("the", "some"),
    "subject": ("someone", "somebody"),
    "object": ("something", "someone"),
    "indefinite": ("someone", "something", "others"),
    "question": ("that",),
}
"""Plainer words of the same kind, in order of preference."""

_INSTEAD = {
    "is": ("was",), "are": ("were",), "was": ("is",), "were": ("are",), "am": ("was",), "has": ("had",),
    "have": ("had",), "had": ("has",), "do": ("did",), "does": ("did",), "did": ("does",), "can": ("may",),
    "could": ("may",), "will": ("may",), "would": ("may",), "may": ("can",), "might": ("can",), "shall": ("may",),
    "should": ("may",), "and": ("or", "with"), "or": ("and",), "but": ("and",), "because": ("and",),
    "while": ("and", "as"), "although": ("and",), "though": ("and",), "if": ("and",), "so": ("and",), "than": ("as",),
    "nobody": ("someone", "somebody"), "nothing": ("something",), "none": ("some",), "no": ("a", "the", "some"),
    "without": ("with",), "nowhere": ("somewhere",), "neither": ("one",), "nor": ("and",), "cannot": ("can",),
    "i": ("someone",), "they": ("people", "others"), "we": ("people", "others"), "you": ("someone",),
    "it": ("something",), "people": ("persons", "humans"), "person": ("human", "thing"), "'s": ("is",), "'re": ("are",),
    "'ve": ("have",), "'ll": ("will",), "'m": ("am",), "'d": ("would",), "to": ("toward",), "of": ("from", "with"),
}  # fmt: skip
"""Words that give way to others than their kind's."""

_STEMS = {"ca": "can", "wo": "will", "sha": "shall"}
_GO = frozenset(["not", "n't", "never", "hardly", "barely"])
_GONE: frozenset[Kind] = frozenset({"adjective", "adverb", "number", "mark"})


def removed(told: Told, words: Collection[str]) -> Iterator[str]:
    """Versions of a sentence without any of these words, best first.

    Adjectives, adverbs, numbers, marks and "not" go; every other word gives way to a plainer one of its kind, a noun
    also with all that belongs to it to "someone" or "something".

    Parameters
    ----------
    told:
        A sentence that has at least one of the words; without, nothing is given.
    words:
        In lower case.
    """
    places = [place for place, word in enumerate(told.words) if word in words]
    yield from without(told, places, barred=frozenset(words))


def without(told: Told, places: Collection[int], *, barred: frozenset[str] = frozenset()) -> Iterator[str]:
    """Versions of a sentence without the words at some places; `barred` words are not put in their place."""
    if not places:
        return
    versions = [_changed(told, places, barred, choice) for choice in range(3)]
    yield from dict.fromkeys(text for text in versions if text is not None)
    if all(told.kinds[place] in ("noun", "plural") for place in places):
        text = _pronouns(told, places)
        if text is not None:
            yield text


def open_places(told: Told, *, kind: Kind | None = None) -> list[int]:
    """Places of the words of one kind; of None: of every open class."""
    return [k for k, found in enumerate(told.kinds) if (found in OPEN if kind is None else found == kind)]


def plain(word: str, kind: Kind) -> tuple[str, ...]:
    """The words that may stand for a word of a kind; () where it may just go."""
    if word in _INSTEAD:
        return _INSTEAD[word]
    if kind == "noun" and word in PEOPLE:
        return ("person", "human", "thing")
    if kind == "plural" and word in PEOPLE_PLURAL:
        return ("people", "persons", "humans")
    return () if word in _GO else _PLAIN.get(kind, ())


def _changed(told: Told, places: Collection[int], barred: frozenset[str], choice: int) -> str | None:
    draft = Draft(told.passage)
    for place in sorted(places, reverse=True):
        word, kind = told.words[place], told.kinds[place]
        options = [option for option in plain(word, kind) if option not in barred and option != word]
        if kind == "determiner" or word == "no":
            options = _articles(told, place, barred)
        if kind == "adjective":
            options = _instead_of_adjective(told, place)
        if options:
            draft.swap(place, options[min(choice, len(options) - 1)])
        elif kind in _GONE or word in _GO:
            draft.drop(place)
            if word == "n't" and place and told.words[place - 1] in _STEMS:
                draft.swap(place - 1, _STEMS[told.words[place - 1]])
            if kind == "number" and place + 1 < len(told.kinds) and "a" not in barred:
                _article_for(told, place, draft)
        else:
            return None
    text = draft.text()
    return text if text and text != told.passage.text else None


def _articles(told: Told, place: int, barred: frozenset[str]) -> list[str]:
    """What may stand for a determiner or "no": "a" before one thing, "some" before several."""
    following = next((kind for kind in told.kinds[place + 1 :] if kind in ("noun", "plural")), "noun")
    wanted = ("the", "some") if following == "plural" else ("a", "the", "another")
    return [word for word in wanted if word not in barred and word != told.words[place]]


def _instead_of_adjective(told: Told, place: int) -> list[str]:
    """ "It is wet" becomes "it is there", "the old sleeps" "the thing sleeps"; before a noun an adjective just goes."""
    before = told.kinds[place - 1] if place else "mark"
    after = told.kinds[place + 1] if place + 1 < len(told.kinds) else "mark"
    if after in ("noun", "plural", "adjective", "past", "ing", "number"):
        return []
    return ["there"] if before == "auxiliary" else ["thing"] if before in ("determiner", "possessive") else []


def _article_for(told: Told, place: int, draft: Draft) -> None:
    """ "One man" becomes "a man"; "two men" "men"."""
    following = next((kind for kind in told.kinds[place + 1 :] if kind in ("noun", "plural")), "plural")
    if following == "noun":
        draft.put(place, "a")


def _pronouns(told: Told, places: Collection[int]) -> str | None:
    """The nouns at these places, each with its article and adjectives, as pronouns."""
    draft = Draft(told.passage)
    subject = subject_of(told)
    taken = len(told.kinds)
    for place in sorted(places, reverse=True):
        if place >= taken:
            # It went with the noun behind it.
            continue
        start = place
        while start and told.kinds[start - 1] in ("adjective", "number", "determiner", "possessive", "noun"):
            start -= 1
            if told.kinds[start] in ("determiner", "possessive"):
                break
        inside = subject is not None and subject[0] <= place < subject[1]
        several = told.kinds[place] == "plural"
        draft.swap(place, ("they" if inside else "them") if several else "it")
        for _ in range(place - start):
            draft.drop(start)
        taken = start
    return draft.text() or None
