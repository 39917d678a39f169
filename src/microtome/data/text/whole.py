"""Texts whose element is the whole item: a sentence pair or a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import groupby, repeat
from pathlib import Path
from typing import Any, final

from microtome.data.text.assemble import Elements
from microtome.data.text.base import LabelledText, Level, Mark, Passage, TextData, Word
from microtome.data.text.common import Made, check_tags, made, row_place, tag_note
from microtome.data.text.pair_concepts import (
    NEGATIONS,
    OVERLAP_FORMULA,
    PAIR_PROPERTIES,
    SENTENCE_PROPERTIES,
    WORD_CATEGORIES,
)
from microtome.data.text.properties import load_properties
from microtome.data.text.rows import TextRow, TextRows
from microtome.data.text.settings import TextSettings
from microtome.data.text.tags import Tagger, open_tagger
from microtome.data.text.vectors import Vectors
from microtome.data.text.views import PairView, Side, side_of
from microtome.data.text.words import is_punctuation, lowered, split_words

TagsOf = dict[str, tuple[str, ...]]


@final
class WholeTexts(TextData):
    """Sentence pairs or sentences with their concepts. Made by `open_texts`.

    Parameters
    ----------
    rows:
        Texts, keys, labels; gold words where the file has them.
    made:
        Concepts, the set of each item, classes, neighbours, card.
    sides:
        Names of the sides.
    tags:
        Tags of the words of each different text; {} where nobody tagged. Words themselves are cut again when read:
        that is cheap, and keeping them is not.
    gold:
        Whether gold words keep their tags.
    """

    def __init__(
        self, rows: tuple[TextRow, ...], made: Made, *, sides: tuple[str, ...], tags: TagsOf, gold: bool
    ) -> None:
        self.level: Level = "pair" if len(sides) == 2 else "sentence"
        self.sides = sides
        self.concepts = made.assembled.concepts
        self.classes = made.classes
        self.neighbours = made.neighbours
        self.card = made.card
        self._rows = rows
        self._sets = made.assembled.sets
        self._tags = tags
        self._gold = gold
        self._fingerprint = made.fingerprint
        self._class_index = {name: k for k, name in enumerate(self.classes)}
        self._side = {"pre": (0,), "hyp": (len(sides) - 1,)}

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, index: int) -> str:
        return self._rows[index].key

    def texts(self, index: int) -> tuple[str, ...]:
        return self._rows[index].texts

    def fingerprint(self) -> str:
        return self._fingerprint

    def read(self, index: int) -> LabelledText:
        row = self._rows[index]
        label = None if row.label is None else self._class_index[row.label]
        return LabelledText(row.key, passages(row, self._tags, gold=self._gold), (self._sets[index],), label=label)

    def marks(self, text: LabelledText, concept: int) -> tuple[Mark, ...]:
        category = self.concepts[concept].category
        if concept not in text.sets[0]:
            return ()
        value = self.concepts[concept].name.removeprefix(category).removeprefix(":")
        side, _, kind = category.rpartition(":")
        if kind == "tok":
            return self._marked(text, side, lambda word: lowered(word.text) == value)
        if kind == "tag":
            return self._marked(text, side, lambda word: word.tag == value)
        if kind == "negation":
            return self._marked(text, value, lambda word: lowered(word.text) in NEGATIONS)
        if category in {"oth:overlap", "oth:subset"}:
            first, second = ({lowered(word.text) for word in passage.words} for passage in text.sides)
            both = {word for word in first & second if not is_punctuation(word)}
            return self._marked(text, "", lambda word: lowered(word.text) in both)
        return ()

    def _marked(self, text: LabelledText, side: str, chosen: Callable[[Word], bool]) -> tuple[Mark, ...]:
        sides = self._side.get(side, range(len(text.sides)))
        return tuple(Mark(s, k) for s in sides for k, word in enumerate(text.sides[s].words) if chosen(word))


def whole_texts(
    rows: TextRows,
    chosen: tuple[TextRow, ...],
    settings: TextSettings,
    *,
    vectors: Vectors | Path | None,
    like: TextData | None,
) -> WholeTexts:
    """Pairs or sentences of a file with their concepts; see `open_texts`."""
    pairs = len(rows.sides) == 2
    gold = check_tags(rows, chosen, settings)
    tagger = open_tagger(settings.tagger)
    known: list[tuple[str, Any]] = list(PAIR_PROPERTIES.items() if pairs else SENTENCE_PROPERTIES.items())
    if settings.wordnet:
        known += wordnet_properties()
    known += load_properties(settings.properties, [name for name, _ in known])
    tags: TagsOf = {}
    seen: dict[str, Side] = {}
    elements = Elements(known)
    for row in chosen:
        views = [_side(row, number, tags, seen, tagger, gold) for number in range(len(row.texts))]
        view = PairView(views[0], views[1]) if pairs else views[0]
        elements.add(view, lambda row=row: row_place(rows, row))
    notes = (tag_note(tagger, gold), *((f"{OVERLAP_FORMULA}; strictly above 25, 50, 75 %.",) if pairs else ()))
    built = made(
        rows,
        chosen,
        settings,
        elements=elements,
        group=dict.fromkeys(WORD_CATEGORIES, "words"),
        tagger=tagger,
        vectors=vectors,
        like=like,
        notes=notes,
        extra=(gold,),
    )
    return WholeTexts(chosen, built, sides=rows.sides, tags=tags, gold=gold)


def wordnet_properties() -> list[tuple[str, Any]]:
    """Antonyms and hypernyms of pairs. Raises DataError without WordNet."""
    from microtome.data.text.wordnet import WordNet

    net = WordNet()
    return [("oth:antonym", net.antonym), ("oth:hypernym", net.hypernym)]


def _side(row: TextRow, number: int, tags: TagsOf, seen: dict[str, Side], tagger: Tagger | None, gold: bool) -> Side:
    """A side as properties see it; texts that come again (premises do) are cut and tagged once."""
    text = row.texts[number]
    if row.words is None and text in seen:
        return seen[text]
    words = row.words[number] if row.words is not None else split_words(text)
    if tagger is not None:
        tags[text] = tag_words(words, tagger)
        words = with_tags(words, tags[text])
    elif row.words is not None and not gold:
        words = with_tags(words, None)
    side = side_of(Passage(text, words))
    if row.words is None:
        seen[text] = side
    return side


def passages(row: TextRow, tags: TagsOf, *, gold: bool) -> tuple[Passage, ...]:
    """The sides of a row as words with their tags: gold words as they are, others cut from the text."""
    found: list[Passage] = []
    for number, text in enumerate(row.texts):
        words = split_words(text) if row.words is None else row.words[number]
        if text in tags or (row.words is not None and not gold):
            words = with_tags(words, tags.get(text))
        found.append(Passage(text, words))
    return tuple(found)


def tag_words(words: tuple[Word, ...], tagger: Tagger) -> tuple[str, ...]:
    """Tags of the words of a text, sentence by sentence."""
    tags: list[str] = []
    for _, sentence in groupby(words, key=lambda word: word.sentence):
        tags.extend(tagger.tag([word.text for word in sentence]))
    return tuple(sys.intern(tag) for tag in tags)


def with_tags(words: tuple[Word, ...], tags: tuple[str, ...] | None) -> tuple[Word, ...]:
    """The words with other tags; None takes their tags away."""
    given: Iterable[str | None] = repeat(None, len(words)) if tags is None else tags
    return tuple(
        Word(word.text, word.start, word.end, word.sentence, tag, word.relation)
        for word, tag in zip(words, given, strict=True)
    )
