"""What a property of text is asked about: a pair, a sentence, or a token with its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from microtome.data.text.base import Passage
from microtome.data.text.words import is_punctuation, lowered

Answer = bool | str | Iterable[str] | None
"""True: the property's own name is the concept. A text: `name:text` is. Several texts: all of these are."""

View = TypeVar("View")
Property = Callable[[View], Answer]


@dataclass(frozen=True, eq=False)
class Side:
    """A text of a pair, or a single sentence.

    Attributes
    ----------
    text:
        As written.
    words:
        Its words in lower case, punctuation included.
    tags:
        Part of speech of each word; () where nobody tagged.
    """

    text: str
    words: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @cached_property
    def content(self) -> frozenset[str]:
        """The different words that are no punctuation."""
        return frozenset(word for word in self.words if not is_punctuation(word))

    @cached_property
    def length(self) -> int:
        """Number of words, punctuation left out."""
        return sum(not is_punctuation(word) for word in self.words)


@dataclass(frozen=True, eq=False)
class PairView:
    """A premise and a hypothesis."""

    premise: Side
    hypothesis: Side

    @property
    def shared(self) -> frozenset[str]:
        """The different words, punctuation left out, that both sides have."""
        return self.premise.content & self.hypothesis.content


@dataclass(frozen=True, eq=False)
class TokenView:
    """A token in running text.

    Attributes
    ----------
    piece:
        The model's token as it is shown (`▁once`).
    start, end:
        Characters it covers in the whole text.
    text:
        The whole text.
    word:
        The word that holds its first character other than white space, as written; None where there is none.
    first_piece:
        Whether it is the first token of its word.
    tag, relation:
        Of its word; None where not given.
    previous_word:
        The word before its word as written, None at the start of a window: what the model is not shown does not count.
    previous_piece:
        The token before, None at the start of a window.
    place, sentence_length:
        Place of its word in its sentence, from 0, and how many words the sentence has; place is -1 without a word.
    column:
        Characters since the start of the line.
    quoted:
        Whether it stands between double quotes.
    depth:
        Brackets open around it.
    repeated:
        Whether its word came before in the window; None for words without a letter.
    """

    piece: str
    start: int
    end: int
    text: str
    word: str | None
    first_piece: bool
    tag: str | None
    relation: str | None
    previous_word: str | None
    previous_piece: str | None
    place: int
    sentence_length: int
    column: int
    quoted: bool
    depth: int
    repeated: bool | None


def side_of(passage: Passage) -> Side:
    """A passage as properties see it."""
    words = tuple(lowered(word.text) for word in passage.words)
    tags = tuple(word.tag for word in passage.words if word.tag is not None)
    return Side(passage.text, words, tags)


def values_of(answer: Answer) -> tuple[str, ...]:
    """An answer as values: () where the property does not hold, ("",) for a bare yes.

    Raises
    ------
    TypeError
        For an answer that is neither yes or no, nor text, nor several texts.
    """
    if answer is None or answer is False:
        return ()
    if answer is True:
        return ("",)
    if isinstance(answer, str):
        return (answer,)
    values = tuple(answer) if isinstance(answer, Iterable) else (answer,)
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"a property gave {values!r}; expected True or False, a text, or several texts")
    return values
