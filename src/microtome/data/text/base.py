"""What every text reader returns: texts, and for each of their elements which concepts hold.

An *element* is a whole item (a sentence pair, a sentence) or one of a text's tokens. Where it is a token, the tokens
are the model's own pieces, so that element k of an item and position k of the model's layers are the same thing.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from microtome.data.base import ItemData

Level = Literal["pair", "sentence", "token"]


@dataclass(frozen=True)
class Word:
    """A word of a text.

    Attributes
    ----------
    text:
        As written.
    start, end:
        Characters it covers in the text: `text[start:end]`.
    sentence:
        Number of its sentence within the text, from 0.
    tag:
        Part of speech; None where nobody tagged.
    relation:
        Dependency relation to its head; None where not given.
    """

    text: str
    start: int
    end: int
    sentence: int = 0
    tag: str | None = None
    relation: str | None = None


@dataclass(frozen=True)
class Passage:
    """A text and its words in order."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class LabelledText:
    """One item with its truth.

    Attributes
    ----------
    key:
        Stable name within its data set.
    sides:
        One passage, or premise and hypothesis.
    sets:
        For each element the concepts that hold of it, as ascending indices into `TextData.concepts`. One entry for
        a pair or a sentence, one for each token otherwise.
    label:
        Class as an index into `TextData.classes`, or None.
    pieces:
        Token elements: the model's id of each, without special tokens. Empty otherwise.
    spans:
        Token elements: the characters [start, end) of the text that each covers. Empty otherwise.
    """

    key: str
    sides: tuple[Passage, ...]
    sets: tuple[tuple[int, ...], ...]
    label: int | None = None
    pieces: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Mark:
    """A word that makes a concept hold: place of its side, place of the word in it."""

    side: int
    word: int


class TextData(ItemData):
    """A list of labelled texts that is read one at a time.

    Attributes
    ----------
    level:
        What an element is.
    sides:
        Names of the sides: ("premise", "hypothesis") or ("text",).
    window:
        Elements of the longest item: 1, or the most tokens of one.
    neighbours:
        For each concept the indices of itself and of the concepts whose words are nearest to its word, on the same
        side: what NEIGHBOURS(concept) means. () for a concept without; () altogether without word vectors.
    """

    level: Level
    sides: tuple[str, ...]
    window: int = 1
    neighbours: tuple[tuple[int, ...], ...] = ()

    @abstractmethod
    def read(self, index: int) -> LabelledText:
        """Item `index`. Raises DataError naming file and line when it cannot be read."""

    @abstractmethod
    def texts(self, index: int) -> tuple[str, ...]:
        """The bare texts of item `index`, one a side: what a model is shown."""

    @abstractmethod
    def marks(self, text: LabelledText, concept: int) -> tuple[Mark, ...]:
        """The words by which a concept holds of an item (of any of its tokens); () where no word shows it."""
