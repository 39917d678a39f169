"""Put a word into a sentence, or take it out, so that the sentence still reads: one template a kind of word.

Every template gives versions of the sentence, best first; none where it knows no way. What the edit does to the truth
of a formula is asked of the concepts afterwards, not assumed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from microtome.data.text.edit_draft import Draft
from microtome.data.text.edit_words import CLOSED, Kind, Lexicon, Told

NEAR = ("near", "by", "beside", "with", "on")
"""What joins a noun to a sentence: the first of these that the data has."""

_VERBS: frozenset[Kind] = frozenset({"auxiliary", "third", "past", "ing", "base"})
_NOUNS: frozenset[Kind] = frozenset({"noun", "plural"})
_MIDDLE = frozenset(["not", "n't", "never", "hardly", "barely"])
_SINGULAR_FORM = {"are": "is", "were": "was", "have": "has", "do": "does", "am": "is", "'re": "is", "'m": "is"}
_PLURAL_FORM = {"is": "are", "was": "were", "has": "have", "does": "do", "am": "are", "'s": "are", "'m": "are"}

_IDLE = (("of", "course"), ("no", "doubt"))

Template = Callable[[Told, str, Lexicon], Iterator[str]]


def inserted(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    """Versions of a sentence that have the word, best first; see `INSERT`."""
    template = INSERT.get(lexicon.kind(word))
    if template is not None and told.words:
        yield from template(told, word, lexicon)


def end_of(told: Told) -> int:
    """Place behind the last word, before the marks that end the sentence."""
    place = len(told.words)
    while place and told.kinds[place - 1] == "mark":
        place -= 1
    return place


def subject_of(told: Told) -> tuple[int, int] | None:
    """Places [start, end) of what stands before the first verb; None where nothing does."""
    start = 0
    while start < len(told.kinds) and told.kinds[start] in ("adverb", "mark"):
        start += 1
    for place in range(start, len(told.kinds)):
        if told.kinds[place] in _VERBS:
            return (start, place) if place > start else None
    return None


def first_noun(told: Told) -> int | None:
    """Place of the first noun, or None; "course" in "of course" and "doubt" in "no doubt" are none."""
    places = [place for place, kind in enumerate(told.kinds) if kind in _NOUNS]
    return next((k for k in places if told.words[max(k - 1, 0) : k + 1] not in _IDLE), None)


def appended(told: Told, phrase: str) -> str:
    """The sentence with words at its end, before the full stop."""
    draft = Draft(told.passage)
    draft.put(end_of(told), phrase)
    return draft.text()


def _put(told: Told, at: int, phrase: str) -> str:
    draft = Draft(told.passage)
    draft.put(at, phrase)
    return draft.text()


def _swap(told: Told, at: int, phrase: str) -> str:
    draft = Draft(told.passage)
    draft.swap(at, phrase)
    return draft.text()


def _noun(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    yield appended(told, f"{lexicon.first_known(*NEAR)} a {word}")


def _plural(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    yield appended(told, f"{lexicon.first_known(*NEAR)} {word}")


def _adjective(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    place = first_noun(told)
    if place is not None:
        while place and told.kinds[place - 1] in ("adjective", "noun"):
            place -= 1
        yield _put(told, place, word)


def _number(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    single = word in ("one", "1")
    for place, kind in enumerate(told.kinds):
        if kind == ("noun" if single else "plural"):
            start = place
            while start and told.kinds[start - 1] in ("adjective", "noun"):
                start -= 1
            if start and told.kinds[start - 1] in ("determiner", "number"):
                yield _swap(told, start - 1, word)
            elif start == 0 or told.kinds[start - 1] != "possessive":
                yield _put(told, start, word)
            break
    yield appended(told, f"{lexicon.first_known('with', *NEAR)} {word} other{'' if single else 's'}")


def _ing(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    if "ing" in told.kinds:
        place = told.kinds.index("ing") + 1
        if place == len(told.kinds) or told.kinds[place] in ("mark", "preposition", "conjunction"):
            yield _put(told, place, f"and {word}")
    yield appended(told, f"while {word}")


def _joined(kind: Kind, otherwise: str) -> Template:
    def template(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
        del lexicon
        if kind in told.kinds:
            yield _put(told, told.kinds.index(kind) + 1, f"and {word}")
        yield appended(told, otherwise.format(word=word))

    return template


def _adverb(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    if word in ("very", "too", "so"):
        place = next((k for k, kind in enumerate(told.kinds) if kind == "adjective"), None)
        if place is not None:
            yield _put(told, place, word)
    elif word in ("also", "still", "just", "only", "always", "often") or word in _MIDDLE:
        yield from _middle(told, word, lexicon)
    else:
        yield appended(told, word)


def _preposition(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    for place, kind in enumerate(told.kinds):
        after = told.kinds[place + 1] if place + 1 < len(told.kinds) else "mark"
        if kind == "preposition" and told.words[place] not in ("of", "to", "as") and after not in ("mark", "base"):
            yield _swap(told, place, word)
            break
    yield appended(told, "to rest" if word == "to" else f"{word} something")


def _determiner(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    for place, kind in enumerate(told.kinds):
        if kind in ("determiner", "possessive") and place + 1 < len(told.kinds):
            yield _swap(told, place, word)
    place = first_noun(told)
    if place is not None:
        while place and told.kinds[place - 1] in ("adjective", "noun", "number"):
            place -= 1
        if place == 0 or told.kinds[place - 1] not in ("determiner", "possessive"):
            yield _put(told, place, word)
    yield appended(told, f"{lexicon.first_known(*NEAR)} {word} {'thing' if word not in _MANY else 'things'}")


_MANY = frozenset(["these", "those", "some", "all", "both", "many", "several", "few", "most"])


def _subject(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    """The word as the subject of the sentence, the verb after it agreeing."""
    span = subject_of(told)
    if span is not None:
        start, end = span
        draft = Draft(told.passage)
        several = word in ("they", "we", "you", "i", "others")
        form = _PLURAL_FORM if several else _SINGULAR_FORM
        verb = form.get(told.words[end], told.passage.words[end].text)
        verb = _base_of(verb) if several and told.kinds[end] == "third" else verb
        if word == "i":
            word, verb = "I", {"is": "am", "are": "am", "were": "was", "has": "have"}.get(told.words[end], verb)
        draft.swap(end, verb)
        for _ in range(end - start):
            draft.drop(start)
        draft.put(start, word)
        yield draft.text()
    if CLOSED.get(word) != "subject":
        yield from _object(told, word, lexicon)


def _base_of(verb: str) -> str:
    """A verb in -s without it."""
    if verb.endswith("ies"):
        return f"{verb[:-3]}y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "oes")) else verb.removesuffix("s")


def _object(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    yield appended(told, f"{lexicon.first_known('with', *NEAR)} {word}")


def _middle(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    """After the first auxiliary; else before the verb, or, for "not", in front of the whole."""
    del lexicon
    place = next((k for k, kind in enumerate(told.kinds) if kind == "auxiliary"), None)
    if place is not None:
        yield _put(told, place + 1, word)
        return
    span = subject_of(told)
    if word in ("not", "n't", "also", "still"):
        yield _put(told, 0, f"It is {word} true that")
    elif span is not None:
        yield _put(told, span[1], word)


def _negation(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    if word in _MIDDLE:
        yield from _middle(told, word, lexicon)
    elif word == "no":
        yield from _determiner(told, word, lexicon)
    elif word in ("nobody", "nothing"):
        yield from _subject(told, word, lexicon)
    elif word == "none":
        yield from _subject(told, "none", lexicon)
    elif word == "without":
        yield appended(told, "without anything")
    elif word == "cannot":
        place = next((k for k, text in enumerate(told.words) if CLOSED.get(text) == "auxiliary"), None)
        yield appended(told, "and cannot stop") if place is None else appended(told, "and cannot leave")
    elif word == "nowhere":
        yield appended(told, "and nowhere else")
    elif word in ("neither", "nor"):
        yield appended(told, f"{word} anything else" if word == "nor" else "and neither is anyone else")


def _conjunction(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    for place, kind in enumerate(told.kinds):
        if kind == "conjunction" and word in ("and", "or"):
            yield _swap(told, place, word)
            break
    clauses = ("because", "while", "although", "though", "if", "so")
    ending = "something else happens" if word in clauses else "something else"
    yield appended(told, f"{word} {ending}")


def _auxiliary(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    endings = {
        **dict.fromkeys(("is", "are", "was", "were"), "and there {word} more"),
        **dict.fromkeys(("has", "have", "had"), "and they {word} more"),
        **dict.fromkeys(("do", "does", "did"), "and so {word} everyone"),
        **dict.fromkeys(("can", "could", "will", "would", "shall", "should", "may", "might"), "and it {word} go on"),
    }
    if word in endings:
        yield appended(told, endings[word].format(word=word))


def _question(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    if word not in ("whom", "whose"):
        yield appended(told, f"and one can see {word}")


def _mark(told: Told, word: str, lexicon: Lexicon) -> Iterator[str]:
    del lexicon
    if word in (".", "!", "?"):
        yield f"{told.passage.text.rstrip(' .!?')}{word}"
    elif word == ",":
        for place in range(2, len(told.words)):
            if told.kinds[place] in ("preposition", "conjunction") and told.kinds[place - 1] != "mark":
                at = told.passage.words[place - 1].end
                yield f"{told.passage.text[:at]},{told.passage.text[at:]}"
                return


INSERT: dict[Kind, Template] = {
    "noun": _noun, "plural": _plural, "adjective": _adjective, "number": _number, "ing": _ing,
    "third": _joined("third", "and {word}"), "past": _joined("past", "and {word}"),
    "base": _joined("base", "to {word}"), "adverb": _adverb, "preposition": _preposition,
    "determiner": _determiner, "possessive": _determiner, "subject": _subject, "object": _object,
    "indefinite": _subject, "negation": _negation, "conjunction": _conjunction, "auxiliary": _auxiliary,
    "question": _question, "mark": _mark,
}  # fmt: skip
"""How a word of each kind is put in. Clitics have no template."""
