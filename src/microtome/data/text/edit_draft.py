"""A sentence while it is edited: words go in and out, the space between them and the articles are kept right."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.data.text.base import Passage
from microtome.data.text.words import is_punctuation, lowered

_VOWELS = "aeiou"
_SOUND_LIKE_CONSONANTS = ("uni", "use", "usu", "eu", "one", "once", "ur")
_SOUND_LIKE_VOWELS = ("hour", "honest", "honor", "honour", "heir")
_CLITICS = ("'s", "n't", "'re", "'ve", "'ll", "'d", "'m")


@dataclass
class _Piece:
    gap: str
    text: str
    check: bool = field(default=False)
    """Whether its next word is new: then an article is chosen anew."""


class Draft:
    """The words of a passage, each with the space before it.

    Places are those of the words as they stand now: putting words in moves the later ones.

    Parameters
    ----------
    passage:
        A text with its words.
    """

    def __init__(self, passage: Passage) -> None:
        self._pieces: list[_Piece] = []
        at = 0
        for word in passage.words:
            self._pieces.append(_Piece(passage.text[at : word.start], passage.text[word.start : word.end]))
            at = word.end
        self._tail = passage.text[at:]
        self._capital = bool(self._pieces) and self._pieces[0].text[:1].isupper()

    def put(self, at: int, phrase: str) -> None:
        """Put words in before place `at`; the number of words is the place behind the last."""
        fresh = [_Piece("" if word in _CLITICS else " ", word, check=True) for word in phrase.split()]
        if at == 0 and fresh and self._pieces:
            fresh[0].gap, self._pieces[0].gap = self._pieces[0].gap, " "
            self._lower(self._pieces[0])
        self._pieces[at:at] = fresh
        self._touch(at)
        self._touch(at + len(fresh))

    def drop(self, at: int) -> None:
        """Take the word at a place out."""
        gone = self._pieces.pop(at)
        if at == 0 and self._pieces:
            self._pieces[0].gap = gone.gap
        self._touch(at)

    def swap(self, at: int, phrase: str) -> None:
        """Put words in the place of one."""
        first, *others = phrase.split()
        capital = self._pieces[at].text[:1].isupper() and at > 0
        self._pieces[at].text = first.capitalize() if capital else first
        self._pieces[at + 1 : at + 1] = [_Piece(" ", word) for word in others]
        self._touch(at)
        self._touch(at + 1 + len(others))

    def cut(self, at: int) -> None:
        """Take out every word from a place on, but the mark that ends the sentence."""
        end = self._pieces[-1] if self._pieces and is_punctuation(self._pieces[-1].text) else None
        self._pieces[at:] = [] if end is None or at >= len(self._pieces) else [end]

    def text(self) -> str:
        """The sentence as it is now, its first letter a capital where it was one."""
        for piece, after in zip(self._pieces, self._pieces[1:], strict=False):
            if piece.check and piece.text.lower() in ("a", "an"):
                right = _article(after.text)
                piece.text = right.capitalize() if piece.text[0].isupper() else right
        if self._capital and self._pieces:
            first = self._pieces[0]
            first.text = first.text[:1].upper() + first.text[1:]
        whole = "".join(piece.gap + piece.text for piece in self._pieces) + self._tail
        return whole.strip()

    def _touch(self, at: int) -> None:
        """The word at a place is new there: an article before it is to be looked at."""
        if at > 0 and at <= len(self._pieces):
            self._pieces[at - 1].check = True

    def _lower(self, piece: _Piece) -> None:
        # "I" and names in capitals stay; an opening word of a sentence is taken for no name.
        if piece.text != "I" and not piece.text[1:2].isupper() and not piece.text.startswith("I'"):
            piece.text = piece.text[:1].lower() + piece.text[1:]


def _article(word: str) -> str:
    word = lowered(word)
    vowel = word[:1] in _VOWELS and not word.startswith(_SOUND_LIKE_CONSONANTS)
    return "an" if vowel or word.startswith(_SOUND_LIKE_VOWELS) else "a"
