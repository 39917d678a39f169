"""Edits that change the truth of one term of a formula, and for each the control edit that changes nothing of it.

    hyp:tok:man         put the word in (a template for each kind of word), take it out
    NEIGHBOURS(...)     put one of its words in, take all of them out
    hyp:tag:NN          put in a word that has this tag nearly always, take out all that have it
    oth:overlap:75      words of the hypothesis give way to words of the premise, or to others
    oth:subset          the same; of the planted world by its grammar, which keeps the label
    oth:negation:hyp    put "not", "no", "never" or "nobody" in, take every negation out
    oth:length, longer  put a phrase that says nothing at the end, cut phrases off

Whether an edit changes the truth is asked of the concepts of the edited text (`edited.Retold`), never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from microtome.core.formula import Formula, Leaf, Term, leaves
from microtome.data.text import edit_sides
from microtome.data.text.base import TextData
from microtome.data.text.edit_file import UserEdit
from microtome.data.text.edit_removal import open_places, removed, without
from microtome.data.text.edit_templates import INSERT, inserted
from microtome.data.text.edit_words import Kind, Lexicon, Told
from microtome.data.text.edit_world import world_of
from microtome.data.text.edited import Retold, Texts
from microtome.data.text.pair_concepts import NEGATIONS

Sides = tuple[Told, ...]
Versions = Callable[[Sides], Iterator[Texts]]
Controls = Callable[[Sides, np.random.Generator], Iterator[Texts]]

RIVALS = 20
"""A control word is drawn from so many of the most frequent words of its kind."""

_RIVALS = {
    **dict.fromkeys(("not", "n't"), ("also", "still")),
    **dict.fromkeys(("never", "hardly", "barely"), ("also", "still", "often", "always")),
    "no": ("the", "some", "every"), "nobody": ("everybody", "somebody", "someone", "everyone"),
    "nothing": ("something", "everything"), "none": ("others", "someone"), "without": ("with", "by"),
}  # fmt: skip
"""Control words of negations: what stands in the same place and denies nothing."""

_NEGATIONS = ("not", "no", "never", "nobody")
_OTHERS: tuple[Kind, ...] = ("adverb", "noun", "adjective", "number", "plural", "ing")


@dataclass(frozen=True)
class Edit:
    """One way to change texts.

    Attributes
    ----------
    doing:
        What is done, as a phrase: `putting “nobody” into the hypothesis`.
    term:
        The term whose truth is changed, as formulas write it.
    side:
        The side that is changed.
    makes:
        What the term becomes; None where the user's own edit does not say.
    versions:
        Edited texts of an item, best first.
    controls:
        Texts with the same kind of edit and another word, in drawn order.
    """

    doing: str
    term: str
    side: str
    makes: bool | None
    versions: Versions
    controls: Controls


@dataclass(frozen=True)
class Plan:
    """The edits of a term, and why some that one might expect are not there."""

    edits: tuple[Edit, ...]
    missing: tuple[str, ...] = ()


@final
class EditBook:
    """Plans edits on one data set.

    Parameters
    ----------
    data:
        Sentence pairs or sentences.
    retold:
        Their concepts.
    lexicon:
        Their words.
    """

    def __init__(self, data: TextData, retold: Retold, lexicon: Lexicon) -> None:
        self._data, self._retold, self._lexicon = data, retold, lexicon
        self._world = world_of(data)

    def told(self, texts: Texts) -> Sides:
        """An item's sides with the kind of each word."""
        return tuple(self._lexicon.told(self._retold.passage(text)) for text in texts)

    def plan(self, term: Term, formula: Formula) -> Plan:
        """Both edits of a term of a formula: what makes it true, what makes it false."""
        category, value = self._parts(term)
        side, _, kind = category.rpartition(":")
        barred = self._words_of(formula)
        if kind == "tok":
            words = [self._value(member) for member in self._retold.members(term)]
            return self._words(term, self._place(side), words, barred)
        if kind == "tag":
            return self._tag(term, self._place(side), value, barred)
        if kind == "negation":
            return self._negation(term, self._place(value), barred)
        if side == "oth" and kind in ("overlap", "subset"):
            return self._overlap(term, value)
        if kind in ("length", "longer"):
            return self._length(term, value)
        return Plan((), (f"There is no template for the concept '{term}'.",))

    def own(self, asked: UserEdit, formula: Formula) -> Edit:
        """An edit that the user wrote down."""
        place, word = self._place(asked.side), asked.word
        side = self._data.sides[place]
        name = f"{'' if len(self._data.sides) == 1 else asked.side + ':'}tok:{word}"
        barred = frozenset({*self._words_of(formula), word})
        if asked.action == "insert":
            return Edit(f"putting “{word}” into the {side}", name, side, True,
                        self._insert(place, [word]), self._insert_others(place, [word], barred))  # fmt: skip
        if asked.action == "remove":
            return Edit(f"taking “{word}” out of the {side}", name, side, False,
                        self._remove(place, frozenset([word])), self._remove_others(place, barred))  # fmt: skip
        replacement = asked.replacement or ""

        def versions(sides: Sides) -> Iterator[Texts]:
            told = sides[place]
            places = [k for k, found in enumerate(told.words) if found == word]
            yield from (
                _with(sides, place, text) for text in _last(edit_sides.swapped(told, places, lambda _: replacement))
            )

        def controls(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            told = sides[place]
            places = [k for k, found in enumerate(told.words) if found == word]
            for other in self._rivals(replacement, frozenset({*barred, replacement}), draw)[:4]:
                for text in _last(edit_sides.swapped(told, places, lambda _, other=other: other)):
                    yield _with(sides, place, text)
            # Where the name is about the word that goes, every word in its place flips it: change another word.
            yield from self._remove_others(place, barred)(sides, draw)

        doing = f"putting “{replacement}” in the place of “{word}” in the {side}"
        return Edit(doing, name, side, None, versions, controls)

    def _words(self, term: Term, place: int, words: Sequence[str], barred: frozenset[str]) -> Plan:
        side = self._data.sides[place]
        one = f"“{words[0]}”" if isinstance(term, Leaf) else f"a word like “{words[0]}”"
        all_ = f"“{words[0]}”" if isinstance(term, Leaf) else f"every word like “{words[0]}”"
        out = Edit(f"taking {all_} out of the {side}", str(term), side, False,
                   self._remove(place, frozenset(words)), self._remove_others(place, barred))  # fmt: skip
        known = [word for word in words if self._lexicon.kind(word) in INSERT]
        if not known:
            return Plan((out,), (f"There is no template that puts “{words[0]}” into a {side}.",))
        into = Edit(f"putting {one} into the {side}", str(term), side, True,
                    self._insert(place, known), self._insert_others(place, known, barred))  # fmt: skip
        return Plan((into, out))

    def _tag(self, term: Term, place: int, tag: str, barred: frozenset[str]) -> Plan:
        if not self._retold.tagged:
            return Plan((), (f"'{term}' cannot be edited: no tagger gives edited texts their tags.",))
        side = self._data.sides[place]
        words = [
            word for word in self._lexicon.tagged(tag) if word not in barred and self._lexicon.kind(word) in INSERT
        ]

        def versions(sides: Sides) -> Iterator[Texts]:
            told = sides[place]
            places = [k for k, word in enumerate(told.passage.words) if word.tag == tag]
            yield from (_with(sides, place, text) for text in without(told, places))
            yield from (_with(sides, place, text) for text in edit_sides.shorter(told))

        def others(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            kinds = [kind for kind in _OTHERS if kind not in {self._lexicon.kind(word) for word in words}]
            for kind in draw.permutation(np.array(kinds)):
                for word in _drawn(self._lexicon.frequent(kind, RIVALS), barred, draw)[:3]:
                    yield from (_with(sides, place, text) for text in inserted(sides[place], word, self._lexicon))

        out = Edit(f"taking every word tagged {tag} out of the {side}", str(term), side, False,
                   versions, self._remove_others(place, barred))  # fmt: skip
        if not words:
            return Plan((out,), (f"No word of the data is tagged {tag} nearly always, so none is put in.",))
        into = Edit(f"putting a word tagged {tag} into the {side}", str(term), side, True,
                    self._insert(place, words[:5]), others)  # fmt: skip
        return Plan((into, out))

    def _negation(self, term: Term, place: int, barred: frozenset[str]) -> Plan:
        side = self._data.sides[place]
        return Plan((
            Edit(f"putting a negation word into the {side}", str(term), side, True,
                 self._insert(place, _NEGATIONS), self._insert_others(place, _NEGATIONS, barred | NEGATIONS)),
            Edit(f"taking every negation word out of the {side}", str(term), side, False,
                 self._remove(place, NEGATIONS), self._remove_others(place, barred | NEGATIONS)),
        ))  # fmt: skip

    def _overlap(self, term: Term, value: str) -> Plan:
        lexicon = self._lexicon

        def by_grammar(sides: Sides, on: bool) -> Iterator[Texts]:
            found = None if self._world is None else self._world.cued(_texts(sides), "overlap", on=on)
            if found is not None:
                yield found

        def more(sides: Sides) -> Iterator[Texts]:
            yield from by_grammar(sides, True)
            yield from (_with(sides, 1, text) for text in edit_sides.more_shared(sides[0], sides[1]))

        def less(sides: Sides) -> Iterator[Texts]:
            yield from by_grammar(sides, False)
            yield from (_with(sides, 1, text) for text in edit_sides.less_shared(sides[0], sides[1], lexicon))

        def controls(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            idle = None if self._world is None else self._world.idle(_texts(sides))
            if idle is not None:
                yield idle
            yield from (_with(sides, 1, text) for text in edit_sides.as_shared(sides[0], sides[1], lexicon, draw))

        what = f"more than {value} % of" if value else "all of"
        taking = f"{what} the hypothesis’s words from the premise"
        return Plan((
            Edit(f"taking {taking}", str(term), "hypothesis", True, more, controls),
            Edit(f"no longer taking {taking}", str(term), "hypothesis", False, less, controls),
        ))  # fmt: skip

    def _length(self, term: Term, value: str) -> Plan:
        place = len(self._data.sides) - 1
        side = self._data.sides[place]

        def versions(sides: Sides) -> Iterator[Texts]:
            for change in (edit_sides.longer, edit_sides.shorter):
                yield from (_with(sides, place, text) for text in change(sides[place]))
            if value == "hyp" and len(sides) == 2:
                yield from (_with(sides, 0, text) for text in edit_sides.shorter(sides[0]))

        def controls(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            for text in edit_sides.other_words(sides[place], self._lexicon, draw):
                yield _with(sides, place, text)

        size = {"hyp": "longer than the premise"}.get(value, value.removeprefix("hyp-"))
        return Plan((
            Edit(f"making the {side} {size}", str(term), side, True, versions, controls),
            Edit(f"making the {side} not {size}", str(term), side, False, versions, controls),
        ))  # fmt: skip

    def _insert(self, place: int, words: Sequence[str]) -> Versions:
        def versions(sides: Sides) -> Iterator[Texts]:
            for word in words:
                if word not in sides[place].words:
                    yield from (_with(sides, place, text) for text in inserted(sides[place], word, self._lexicon))

        return versions

    def _insert_others(self, place: int, words: Sequence[str], barred: frozenset[str]) -> Controls:
        def controls(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            used = barred.union(*(told.words for told in sides))
            for word in words:
                for rival in self._rivals(word, used, draw):
                    for text in inserted(sides[place], rival, self._lexicon):
                        if text != sides[place].passage.text:
                            yield _with(sides, place, text)

        return controls

    def _remove(self, place: int, words: frozenset[str]) -> Versions:
        def versions(sides: Sides) -> Iterator[Texts]:
            yield from (_with(sides, place, text) for text in removed(sides[place], words))

        return versions

    def _remove_others(self, place: int, barred: frozenset[str]) -> Controls:
        """Other words of the kinds that the side's barred words have, then of any open class, then of any."""

        def controls(sides: Sides, draw: np.random.Generator) -> Iterator[Texts]:
            told = sides[place]
            kinds = {told.kinds[k] for k, word in enumerate(told.words) if word in barred}
            ranks = [
                (told.kinds[k] not in kinds, k not in open_places(told), draw.random(), k)
                for k, word in enumerate(told.words)
                if word not in barred and told.kinds[k] != "mark"
            ]
            for *_, k in sorted(ranks):
                for text in without(told, [k], barred=barred):
                    yield _with(sides, place, text)

        return controls

    def _rivals(self, word: str, barred: frozenset[str], draw: np.random.Generator) -> list[str]:
        """Control words for a word: of its kind and frequent, drawn; of kinds with none left adverbs."""
        kind = self._lexicon.kind(word)
        pool = list(_RIVALS.get(word, ())) or self._lexicon.frequent(kind, RIVALS)
        chosen = _drawn(pool, barred, draw)
        return chosen or _drawn(["today", "also", "still", *self._lexicon.frequent("adverb", RIVALS)], barred, draw)

    def _words_of(self, formula: Formula) -> frozenset[str]:
        """Every word that some term of a formula is about."""
        found: set[str] = set()
        for term in leaves(formula):
            category, _ = self._parts(term)
            if category.rpartition(":")[2] == "tok":
                found.update(self._value(member) for member in self._retold.members(term))
            elif category.rpartition(":")[2] == "negation":
                found.update(NEGATIONS)
        return frozenset(found)

    def _parts(self, term: Term) -> tuple[str, str]:
        """Category and value of the term's own concept."""
        own = self._retold.members(term)[0]
        return self._data.concepts[own].category, self._value(own)

    def _value(self, concept: int) -> str:
        found = self._data.concepts[concept]
        return found.name.removeprefix(found.category).removeprefix(":")

    def _place(self, side: str) -> int:
        """Place of a side by the short name that concepts and files of edits use."""
        return 0 if side in ("pre", "text", "") or len(self._data.sides) == 1 else 1


def _texts(sides: Sides) -> Texts:
    return tuple(told.passage.text for told in sides)


def _with(sides: Sides, place: int, text: str) -> Texts:
    """The item with the text of one side."""
    return tuple(text if k == place else told.passage.text for k, told in enumerate(sides))


def _last(texts: Iterator[str]) -> list[str]:
    return list(texts)[-1:]


def _drawn(words: Sequence[str], barred: frozenset[str], draw: np.random.Generator) -> list[str]:
    left = [word for word in words if word not in barred]
    return [left[int(k)] for k in draw.permutation(len(left))]
