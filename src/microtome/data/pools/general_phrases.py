"""Descriptions from words and templates: the form in which the lists of the general pool are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SOUNDS_OPEN = ("hour", "honest", "heir", "x-ray", "mri ")
_SOUNDS_CLOSED = ("uni", "use", "eu", "one", "uku", "ute")


@dataclass(frozen=True)
class Phrases:
    """Words of one property and the sentences that they are put into.

    Attributes
    ----------
    property:
        What all of these texts are about.
    templates:
        `{word}` stands for the word, `{a_word}` for the word with its article.
    words:
        The words, with commas between; line ends count as blanks.
    """

    property: str
    templates: tuple[str, ...]
    words: str

    def listed(self) -> tuple[str, ...]:
        """The words."""
        return tuple(" ".join(word.split()) for word in self.words.split(",") if word.strip())

    def texts(self) -> Iterator[tuple[str, str]]:
        """(text, property) of every word in every template, all sentences of a word together."""
        for word in self.listed():
            for template in self.templates:
                text = template.format(word=word, a_word=with_article(word))
                yield text[0].upper() + text[1:], self.property


def with_article(word: str) -> str:
    """The word behind "a" or "an", as it is spoken: a unicycle, an hourglass."""
    lower = word.lower()
    is_open = lower.startswith(_SOUNDS_OPEN) or (lower[0] in "aeiou" and not lower.startswith(_SOUNDS_CLOSED))
    return f"{'an' if is_open else 'a'} {word}"
