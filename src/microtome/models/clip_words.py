"""The words of the shipped CLIP, one token each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from microtome.core.errors import DataError, nearest

PAD, START, END = 0, 1, 2
_FIRST = 3
_WORD = re.compile(r"[a-z0-9]+")
_MOST_NAMED = 5


def words_in(text: str) -> list[str]:
    """The words of a text, in lower case, without punctuation."""
    return _WORD.findall(text.lower())


class ClipWords:
    """Lower-case words to ids: padding 0, start 1, end 2, then the vocabulary.

    Parameters
    ----------
    words:
        The vocabulary, in the order of its ids; an entry such as "#17" is a number that no text can ask for.
    context:
        Longest text in tokens, start and end included.
    """

    def __init__(self, words: Sequence[str], *, context: int) -> None:
        self.words = tuple(words)
        self.context = context
        self._number = {word: _FIRST + index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return _FIRST + len(self.words)

    def encode(self, texts: Sequence[str]) -> tuple[Int[Tensor, "text pos"], Int[Tensor, " text"]]:
        """Ids, padded to the longest text, and the place of each end.

        Raises
        ------
        DataError
            If a text holds a word that is not in the vocabulary, or is too long.
        """
        rows = [self._row(text) for text in texts]
        ids = torch.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=torch.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
        return ids, torch.tensor([len(row) - 1 for row in rows], dtype=torch.int64)

    def knows(self, text: str) -> bool:
        """Whether every word of a text is in the vocabulary."""
        return all(word in self._number for word in words_in(text))

    def _row(self, text: str) -> list[int]:
        words = words_in(text)
        unknown = [word for word in dict.fromkeys(words) if word not in self._number]
        if unknown or not words:
            said = [word for word in self.words if _WORD.fullmatch(word)]
            raise DataError(
                f"The shipped CLIP knows no word '{unknown[0]}' in \"{text}\"."
                if unknown
                else f'There is no word in the text "{text}".',
                expected=f"words such as {', '.join(nearest(w, said, most=3) for w in unknown[:_MOST_NAMED])}"
                if unknown
                else "words of the planted world",
                next_step="it was trained on captions of the planted world alone (docs/world.md)",
            )
        if len(words) + 2 > self.context:
            raise DataError(
                f'The text "{text[:60]}..." has {len(words)} words, too many for the shipped CLIP.',
                expected=f"at most {self.context - 2} words",
            )
        return [START, *(self._number[word] for word in words), END]
