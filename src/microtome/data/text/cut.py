"""Running text cut into windows of the model's tokens, each token with the word it belongs to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from microtome.core.errors import DataError
from microtome.data.text.base import Word

Pieces = Callable[[str], tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]
"""Text -> token ids, and the characters [start, end) of each, without special tokens."""

PieceText = Callable[[int], str]
"""Token id -> how it is shown."""


@dataclass(frozen=True, eq=False)
class CutText:
    """A whole text in tokens.

    Attributes
    ----------
    text:
        The text.
    words:
        Its words in order.
    pieces, spans:
        Token ids, and the characters of each.
    word_of:
        For each token the place of its word, -1 where it has none.
    """

    text: str
    words: tuple[Word, ...]
    pieces: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    word_of: tuple[int, ...]

    def first_piece(self, k: int) -> bool:
        """Whether token k is the first of its word."""
        return self.word_of[k] >= 0 and (k == 0 or self.word_of[k - 1] != self.word_of[k])


def cut_text(text: str, words: tuple[Word, ...], pieces: Pieces, *, where: str) -> CutText:
    """Tokens of a text with their words: a token belongs to the word that holds its first character not white space.

    Parameters
    ----------
    text, words:
        The text and its words.
    pieces:
        The model's tokenizer.
    where:
        Names the text, for messages.

    Raises
    ------
    DataError
        When the tokenizer's spans do not run forward within the text.
    """
    ids, spans = pieces(text)
    last = 0
    for start, end in spans:
        if not (last <= start <= end <= len(text)):
            raise DataError(
                f"{where}: the tokenizer gives a token the characters {start} to {end} of {len(text)}, after {last}.",
                expected="tokens in the order of the text",
            )
        last = start
    if len(ids) != len(spans):
        raise DataError(f"{where}: the tokenizer gives {len(ids)} tokens and {len(spans)} spans.", expected="one each")
    starts = [word.start for word in words]
    word_of: list[int] = []
    for start, end in spans:
        first = next((at for at in range(start, end) if not text[at].isspace()), start)
        k = bisect_right(starts, first) - 1
        word_of.append(k if k >= 0 and first < words[k].end else -1)
    return CutText(text, words, ids, spans, tuple(word_of))


def windows(cut: CutText, most: int) -> list[tuple[int, int]]:
    """Token ranges [start, end) of at most `most` tokens that cover a text; no word is cut that fits in a window."""
    found: list[tuple[int, int]] = []
    start, total = 0, len(cut.pieces)
    while start < total:
        end = min(start + most, total)
        back = end
        while end < total and back > start and cut.word_of[back] >= 0 and not cut.first_piece(back):
            back -= 1
        if end < total and back > start:
            end = back
        found.append((start, end))
        start = end
    return found
