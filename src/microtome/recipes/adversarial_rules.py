"""Rules that edit a sentence pair so that its true label is known; each says why.

The labels are those of inference between sentences. A rule applies only where its reason holds; a pair that it leaves
out is not counted.

Source: McCoy et al. 2019 (HANS: the words of the premise in another order); Mu & Andreas 2020, section 6 ("nobody but",
"near a couch", the premise cut short).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from microtome.data.text.edit import Sides
from microtome.data.text.edit_draft import Draft
from microtome.data.text.edit_templates import appended, subject_of
from microtome.data.text.edit_words import PEOPLE, PEOPLE_PLURAL, Kind, Lexicon, Told
from microtome.data.text.edited import Texts
from microtome.data.text.pair_concepts import NEGATIONS

LABELS = frozenset({"entailment", "neutral", "contradiction"})
FURNITURE = ("couch", "sofa", "bed", "table", "desk", "chair")
_PERSONS = PEOPLE | PEOPLE_PLURAL | {"someone", "somebody", "others", "another", "crowd", "group", "everyone", "and"}
_MUTUAL = frozenset(
    ["meeting", "kissing", "hugging", "embracing", "facing", "fighting", "marrying", "dating", "joining", "touching"]
)
_OPENING: frozenset[Kind] = frozenset({"determiner", "possessive", "number", "adjective", "noun", "plural"})


_ARTICLES: tuple[tuple[Kind], ...] = (("determiner",), ("possessive",), ("number",))


@dataclass(frozen=True)
class Case:
    """A pair to edit: its number, its sides in words, its label."""

    index: int
    sides: Sides
    label: str

    @property
    def texts(self) -> Texts:
        """Premise and hypothesis as they are."""
        return tuple(told.passage.text for told in self.sides)


@dataclass(frozen=True)
class Trick:
    """An edited pair, its control, and which answers are wrong of both."""

    edited: Texts
    control: Texts
    wrong: frozenset[str]
    control_wrong: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """A way to make pairs.

    Attributes
    ----------
    name:
        What is done, for tables.
    true_label:
        What the edited pair's label is, or is not, or `unchanged`.
    make:
        The trick for a pair, None where the rule does not apply.
    """

    name: str
    true_label: str
    make: Callable[[Case, np.random.Generator], Trick | None]


def safe_rules() -> list[Rule]:
    """The rules whose reason is logic alone: they hold of any pair, of the planted world's too."""
    return [
        Rule("premise cut before it says anything", "neutral", _cut_short),
        Rule("“it is not false that” before the hypothesis", "unchanged", _not_false),
    ]


def everyday_rules(lexicon: Lexicon, barred: frozenset[str]) -> list[Rule]:
    """The rules that are about people and things as they are.

    Parameters
    ----------
    lexicon:
        Words of the data; the first of the words of `FURNITURE` that it has is used.
    barred:
        Words that are no control.
    """
    couch = lexicon.first_known(*FURNITURE)
    sure = lexicon.first_known("clearly", "certainly", "surely", "perhaps")
    return [
        Rule("“nobody but” before an entailed hypothesis", "not contradiction", _nobody_but(sure)),
        detail_rule(couch, "contradiction", lexicon, barred, but=FURNITURE, wrong=LABELS - {"neutral"}),
        Rule("who does what to whom, exchanged", "not entailment", _exchanged(lexicon)),
    ]


def _nobody_but(sure: str) -> Callable[[Case, np.random.Generator], Trick | None]:
    """ "Nobody but H" says H, and of everyone else that they do not: nothing of that contradicts a premise that bears
    out H and speaks of one person or group alone. Wrong is the answer contradiction. Control: an adverb instead."""

    def make(case: Case, draw: np.random.Generator) -> Trick | None:
        del draw
        premise, hypothesis = case.sides
        span = subject_of(hypothesis)
        persons = sum(word in _PERSONS for word in premise.words)
        if case.label != "entailment" or span is None or span[0] > 0 or persons > 1:
            return None
        named = not _PERSONS.isdisjoint(hypothesis.words[slice(*span)]) and hypothesis.kinds[0] in _OPENING
        if not named or not NEGATIONS.isdisjoint(hypothesis.words):
            return None
        wrong = frozenset({"contradiction"})
        return _tricked(case, _opened(hypothesis, "nobody but"), _opened(hypothesis, sure), wrong, wrong)

    return make


def detail_rule(
    word: str, leads_to: str, lexicon: Lexicon, barred: frozenset[str], *, but: Sequence[str] = (),
    wrong: frozenset[str] | None = None,
) -> Rule:  # fmt: skip
    """A detail with one word, "near a couch", where the label is known with it.

    A premise that does not speak of the detail leaves it open: an entailed hypothesis with it is neutral. A hypothesis
    that contradicts the premise does so with a detail more. Where both sides get the detail an entailed hypothesis
    stays entailed. Which of the three is used depends on the label that the word is thought to lead to, wrongly.

    Parameters
    ----------
    word:
        A noun, adjective or verb in -ing.
    leads_to:
        The label: contradiction (rule one), entailment (two) or neutral (three).
    lexicon, barred:
        Where control words come from, and which may not be one.
    but:
        The premise must have none of these words either.
    wrong:
        Answers that are wrong; None: `leads_to`.
    """
    true = {"contradiction": "neutral", "entailment": "contradiction", "neutral": "entailment"}[leads_to]
    given = "contradiction" if leads_to == "entailment" else "entailment"
    missed = frozenset({leads_to}) if wrong is None else wrong
    kind = lexicon.kind(word)
    pool = [other for other in lexicon.frequent(kind, 40) if other not in barred and other not in _PERSONS]

    def make(case: Case, draw: np.random.Generator) -> Trick | None:
        used = {*case.sides[0].words, *case.sides[1].words}
        rest = [other for other in pool if other not in used and other != word and other not in but]
        if case.label != given or not used.isdisjoint({word, *but}) or not rest:
            return None
        phrases = [_detail(each, kind) for each in (word, rest[int(draw.integers(len(rest)))])]
        both = [appended(case.sides[1], phrase) for phrase in phrases]
        if leads_to != "neutral":
            return _tricked(case, both[0], both[1], missed, missed)
        premises = [appended(case.sides[0], phrase) for phrase in phrases]
        return Trick((premises[0], both[0]), (premises[1], both[1]), missed, missed)

    where = {"contradiction": "an entailed hypothesis", "entailment": "a contradicted hypothesis"}
    phrase = _detail(word, kind)
    return Rule(f"“{phrase}” at the end of {where.get(leads_to, 'both sides, entailed')}", true, make)


def _cut_short(case: Case, draw: np.random.Generator) -> Trick | None:
    """A premise cut before its first noun, verb, adjective or number says nothing, and from nothing nothing follows:
    neutral. Control: the whole premise with "here" at its end, whose label stays."""
    del draw
    premise, hypothesis = case.sides
    place = 0
    while place < len(premise.kinds) and _says_nothing(premise, place):
        place += 1
    if case.label == "neutral" or not 0 < place < len(premise.kinds):
        return None
    draft = Draft(premise.passage)
    draft.cut(place)
    text = hypothesis.passage.text
    wrong = LABELS - {"neutral"}
    return Trick((draft.text(), text), (appended(premise, "here"), text), wrong, LABELS - {case.label})


def _not_false(case: Case, draw: np.random.Generator) -> Trick | None:
    """ "It is not false that H" says H: the label stays. Control: "it is indeed true that H"."""
    del draw
    hypothesis = case.sides[1]
    if not NEGATIONS.isdisjoint(hypothesis.words) or subject_of(hypothesis) is None:
        return None
    wrong = LABELS - {case.label}
    return _tricked(
        case, _opened(hypothesis, "it is not false that"), _opened(hypothesis, "it is indeed true that"), wrong, wrong
    )


def _exchanged(lexicon: Lexicon) -> Callable[[Case, np.random.Generator], Trick | None]:
    """ "A man is holding a dog" does not entail "a dog is holding a man", though every word is there; verbs that hold
    both ways are left out. Wrong is the answer entailment. Control: another noun instead of the premise's object."""

    def make(case: Case, draw: np.random.Generator) -> Trick | None:
        clause = _clause(case.sides[0])
        pool = [word for word in lexicon.frequent("noun", 40) if word not in case.sides[0].words]
        if clause is None or not pool:
            return None
        rest = _Phrase((*clause.whom.words[:-1], pool[int(draw.integers(len(pool)))]), several=False)
        wrong = frozenset({"entailment"})
        edited, control = (
            _sentence([*who.words, "are" if who.several else "is", clause.verb, *clause.who.words])
            for who in (clause.whom, rest)
        )
        return _tricked(case, edited, control, wrong, wrong)

    return make


@dataclass(frozen=True)
class _Phrase:
    """Article, adjectives and noun."""

    words: tuple[str, ...]
    several: bool


@dataclass(frozen=True)
class _Clause:
    """Who does what to whom; the verb in -ing."""

    who: _Phrase
    verb: str
    whom: _Phrase


def _clause(told: Told) -> _Clause | None:
    """What a sentence begins with where that is such a clause: "a man in red hats is riding a horse"; else None."""
    who, at = _noun_phrase(told, 0)
    while who is not None and told.kinds[at : at + 1] == ("preposition",):
        start = at + 1 + (told.kinds[at + 1 : at + 2] in _ARTICLES)
        at = _nouns_end(told, start)
        if at == start:
            return None
    at += told.words[at : at + 1] in (("is",), ("are",))
    if who is None or told.kinds[at : at + 1] != ("ing",) or told.words[at] in _MUTUAL:
        return None
    whom, end = _noun_phrase(told, at + 1)
    ends = told.kinds[end : end + 1] in ((), ("mark",), ("preposition",), ("conjunction",), ("ing",))
    if whom is None or not ends or told.words[end : end + 1] in (("of",), ("and",)) or whom.words[1:] == who.words[1:]:
        return None
    return _Clause(who, told.words[at], whom)


def _noun_phrase(told: Told, at: int) -> tuple[_Phrase | None, int]:
    """Article, adjectives and noun from a place on, and the place behind; None and the same place without one."""
    end = _nouns_end(told, at + 1)
    if told.kinds[at : at + 1] not in _ARTICLES or end == at + 1:
        return None, at
    return _Phrase(told.words[at:end], told.kinds[end - 1] == "plural"), end


def _nouns_end(told: Told, at: int) -> int:
    """The place behind the adjectives and nouns from a place on; the same place where no noun ends them."""
    end = at
    while end < len(told.kinds) and told.kinds[end] in ("adjective", "noun", "plural"):
        end += 1
    return end if end > at and told.kinds[end - 1] != "adjective" else at


def _sentence(words: Sequence[str]) -> str:
    text = " ".join(words)
    return f"{text[:1].upper()}{text[1:]}."


def _says_nothing(told: Told, place: int) -> bool:
    opening = told.words[0] == "there" and told.words[place] in ("there", "is", "are")
    return opening or told.kinds[place] in ("determiner", "possessive", "preposition")


def _detail(word: str, kind: Kind) -> str:
    # Always "near": no place that a premise speaks of rules it out.
    if kind == "plural":
        return f"near {word}"
    article = "an" if word[:1] in "aeiou" else "a"
    return f"near {article} {word}" + {"adjective": " thing", "ing": " person"}.get(kind, "")


def _opened(told: Told, phrase: str) -> str:
    draft = Draft(told.passage)
    draft.put(0, phrase)
    return draft.text()


def _tricked(
    case: Case, edited: str, control: str, wrong: frozenset[str], control_wrong: frozenset[str]
) -> Trick | None:
    """A trick on the hypothesis alone."""
    premise, hypothesis = case.texts
    if edited in (hypothesis, control):
        return None
    return Trick((premise, edited), (premise, control), wrong, control_wrong)
