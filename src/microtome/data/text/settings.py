"""How texts are opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from microtome.core.errors import OptionError

LevelChoice = Literal["auto", "pair", "sentence", "token"]


@dataclass(frozen=True)
class TextSettings:
    """How texts become concepts.

    Attributes
    ----------
    vocabulary:
        How many of the most frequent words (and, of tokens, pieces) become concepts, 1 or more; both sides of a pair
        share them. More finds rarer words and costs time.
    stop_words:
        Words that never do: `none`, `english` (a short list) or a file with one word a line.
    tagger:
        Where parts of speech come from: `auto`, `gold`, `none`, `spacy:MODEL`, `nltk:FILE.conllu`.
    wordnet:
        Add `oth:antonym` and `oth:hypernym`, from NLTK's WordNet.
    neighbours:
        How many words NEIGHBOURS adds to a word, 1 or more. The paper: 5.
    window:
        Most tokens of an item, where elements are tokens; 2 or more.
    properties:
        Properties of the user's own, `FILE.py:FUNCTION` each.
    level:
        What an element is. `auto`: a pair where there are two sides; else a token where the model's tokenizer is
        given and nothing is labelled; else a sentence.
    reader:
        Name of a reader; None = found by looking.
    limit:
        At most this many rows, drawn with `seed`. None = all.
    seed:
        For `limit` and the planted world.
    labels:
        Labels that may occur, in the order of the classes. (): entailment, neutral, contradiction for pairs, any
        for single texts.
    """

    vocabulary: int = 2000
    stop_words: str = "none"
    tagger: str = "auto"
    wordnet: bool = False
    neighbours: int = 5
    window: int = 128
    properties: tuple[str, ...] = ()
    level: LevelChoice = "auto"
    reader: str | None = None
    limit: int | None = None
    seed: int = 0
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("vocabulary", 1), ("neighbours", 1), ("window", 2)):
            if getattr(self, name) < least:
                raise OptionError(f"{name} is {getattr(self, name)}.", expected=f"a whole number from {least}")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit is {self.limit}.", expected="a whole number from 1, or none")
        if self.level not in ("auto", "pair", "sentence", "token"):
            raise OptionError(f"level is '{self.level}'.", expected="auto, pair, sentence or token")
