"""Concepts of texts that no file holds: the properties of a data set asked again, of a text that was edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Bool

from microtome.core.errors import FormulaError, OptionError
from microtome.core.formula import Formula, Leaf, Term, evaluate, leaves
from microtome.data.text.assemble import Elements
from microtome.data.text.base import Passage, TextData
from microtome.data.text.pair_concepts import PAIR_PROPERTIES, SENTENCE_PROPERTIES
from microtome.data.text.properties import load_properties
from microtome.data.text.settings import TextSettings
from microtome.data.text.tags import open_tagger
from microtome.data.text.views import PairView, Side, side_of
from microtome.data.text.whole import tag_words, with_tags, wordnet_properties
from microtome.data.text.words import split_words

Texts = tuple[str, ...]
Concepts = frozenset[int]
"""The concepts that hold of an item, as indices into `TextData.concepts`."""


@final
class Retold:
    """Tells which concepts of a data set hold of any sentence pair or sentence.

    The properties, the tagger and the list of concepts are those of the data set, so that an unedited text of it has
    the concepts that it has there.

    Parameters
    ----------
    data:
        Sentence pairs or sentences.
    settings:
        The settings that `data` was opened with.

    Raises
    ------
    OptionError
        For texts whose elements are tokens.
    DataError
        When the tagger or WordNet is not there any more.
    """

    def __init__(self, data: TextData, settings: TextSettings) -> None:
        if data.level == "token":
            raise OptionError(
                f"The elements of {data.card.name} are tokens, which are not edited.",
                expected="sentence pairs or sentences",
            )
        self._data = data
        self._pairs = data.level == "pair"
        known: list[tuple[str, Any]] = list(PAIR_PROPERTIES.items() if self._pairs else SENTENCE_PROPERTIES.items())
        if settings.wordnet:
            known += wordnet_properties()
        self._properties = known + load_properties(settings.properties, [name for name, _ in known])
        self._tagger = open_tagger(settings.tagger)
        self._index = {concept.name: k for k, concept in enumerate(data.concepts)}
        self._answers = {
            (concept.category, concept.name.removeprefix(concept.category).removeprefix(":")): k
            for k, concept in enumerate(data.concepts)
        }
        self._sides: dict[str, tuple[Passage, Side]] = {}

    @property
    def tagged(self) -> bool:
        """Whether edited texts are given tags. Tags that a file brought along say nothing of other texts."""
        return self._tagger is not None

    def passage(self, text: str) -> Passage:
        """A text in words, with tags where there is a tagger."""
        return self._side(text)[0]

    def concepts(self, texts: Sequence[Texts]) -> list[Concepts]:
        """For each item the concepts of the data set that hold of it. Raises OptionError when a property fails."""
        elements = Elements(self._properties)
        for item in texts:
            views = [self._side(text)[1] for text in item]
            view = PairView(views[0], views[1]) if self._pairs else views[0]
            elements.add(view, lambda item=item: f"the edited text {' / '.join(item)!r}")
        return [frozenset(found) for found in elements.sets(self._answers)]

    def members(self, term: Term) -> tuple[int, ...]:
        """The concepts any of which makes a term hold: one, or a word's and those of its neighbours.

        Raises
        ------
        FormulaError
            If the data has no such concept, or knows no neighbours of it.
        """
        if term.name not in self._index:
            raise FormulaError(
                f"The data has no concept '{term.name}'.",
                expected="the data that the run was made on",
                next_step="name it with --data",
            )
        own = self._index[term.name]
        if isinstance(term, Leaf):
            return (own,)
        near = self._data.neighbours[own] if self._data.neighbours else ()
        if not near:
            raise FormulaError(
                f"The data knows no neighbours of '{term.name}'.",
                expected="the word vectors that the run was made with",
                next_step="make the run anew with --vectors",
            )
        return near

    def holds(self, formula: Formula, items: Sequence[Concepts]) -> Bool[np.ndarray, "item"]:
        """Truth of a formula on items of which it is known which concepts hold. Raises FormulaError as `members`."""
        columns: Mapping[str, Bool[np.ndarray, "item"]] = {
            term.column: np.array([not found.isdisjoint(self.members(term)) for found in items], bool)
            for term in leaves(formula)
        }
        return evaluate(formula, columns)

    def _side(self, text: str) -> tuple[Passage, Side]:
        if text not in self._sides:
            words = split_words(text)
            if self._tagger is not None:
                words = with_tags(words, tag_words(words, self._tagger))
            passage = Passage(text, words)
            self._sides[text] = passage, side_of(passage)
        return self._sides[text]
