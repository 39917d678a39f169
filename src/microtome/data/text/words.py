"""Words and sentences of running text, with the characters they cover."""

from __future__ import annotations

import re

from microtome.data.text.base import Passage, Word

WORD = re.compile(
    r"""
    [^\W\d_]+?(?=n['’]t\b)                  # do|n't, ca|n't
  | (?<=\w)n['’]t\b                         # n't
  | \bcan(?=not\b)                          # can|not
  | (?<=\w)['’](?:s|re|ve|ll|d|m)\b         # clitics
  | (?:[^\W\d_]\.){2,}                      # U.S.
  | \d+(?:[.,:]\d+)*(?:st|nd|rd|th|s)?\b    # 3.5, 12:30, 1st
  | [^\W_]+                                 # a run of letters and digits
  | \.{2,} | -{2,}                          # an ellipsis, a dash of hyphens
  | [^\s]                                   # any other character alone
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What a word is. Punctuation marks are words; hyphens and slashes split; clitics split as in treebanks."""

_ABBREVIATIONS = frozenset(
    ["mr", "mrs", "ms", "dr", "st", "prof", "vs", "jr", "sr", "no", "gen", "col", "sgt", "lt", "etc"]
)
_SENTENCE_END = re.compile(r"""[.!?]+["'”’)\]]*\s+(?=["'“‘(\[]?[^\W_a-z])|\n[^\S\n]*\n\s*""")
_LAST_WORD = re.compile(r"(\w+)\.$")


def lowered(word: str) -> str:
    """How a word is named in concepts: lower case, a curly apostrophe straight."""
    return word.lower().replace("’", "'")


def is_punctuation(word: str) -> bool:
    """Whether a word holds no letter and no digit."""
    return not any(character.isalnum() for character in word)


def split_words(text: str) -> tuple[Word, ...]:
    """The words of a text, cut by `WORD`, each with its characters and the number of its sentence.

    >>> [word.text for word in split_words("He can't. Why?")]
    ['He', 'ca', "n't", '.', 'Why', '?']
    """
    starts = sentence_starts(text)
    words: list[Word] = []
    sentence = 0
    for match in WORD.finditer(text):
        start = match.start()
        while sentence + 1 < len(starts) and starts[sentence + 1] <= start:
            sentence += 1
        words.append(Word(match.group(), start, match.end(), sentence))
    return tuple(words)


def sentence_starts(text: str) -> list[int]:
    """First character of each sentence.

    A sentence ends after full stop, exclamation or question mark, with closing quotes or brackets, where white space
    and then a capital or a digit follow (perhaps behind an opening quote), and at a blank line. Not after a common
    abbreviation ("Dr."), nor after a single capital ("J.").
    """
    starts = [0]
    for match in _SENTENCE_END.finditer(text):
        stop = text[: match.start() + 1]
        last = _LAST_WORD.search(stop[-12:])
        short = last is not None and (last[1].lower() in _ABBREVIATIONS or (len(last[1]) == 1 and last[1] != "I"))
        if not (short and match.group().startswith(".")):
            starts.append(match.end())
    return starts


def passage_of(text: str) -> Passage:
    """A text with the words that `WORD` finds in it, untagged."""
    return Passage(text, split_words(text))
