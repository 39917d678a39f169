"""The words of the sentence pairs: for each thing that can be said, the ways to say it."""

from __future__ import annotations

import re

from microtome.data.world.dice import mix
from microtome.data.world.objects import KINDS

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "car": ("car", "automobile"),
    "boat": ("boat", "ship"),
    "house": ("house", "home"),
    "rock": ("rock", "boulder"),
    "person": ("person", "human"),
    "sign": ("sign", "signboard"),
    "streetlamp": ("streetlamp", "lamppost"),
    "umbrella": ("umbrella", "parasol"),
    "pine": ("pine", "conifer"),
    "flower": ("flower", "blossom"),
    "mushroom": ("mushroom", "toadstool"),
    "gull": ("gull", "seagull"),
    "fence": ("fence", "railing"),
    "chair": ("chair", "seat"),
    "lighthouse": ("lighthouse", "beacon"),
    "vehicle": ("vehicle",),
    "plant": ("plant",),
    "bird": ("bird",),
    "building": ("building",),
    "grass": ("grass", "turf"),
    "road": ("road", "tarmac"),
    "soil": ("soil", "earth"),
    "wood": ("wood", "timber"),
    "stone": ("stone", "paving"),
    "red": ("red", "scarlet"),
    "blue": ("blue", "azure"),
    "grey": ("grey", "ashen"),
    "yellow": ("yellow", "golden"),
    "green": ("green", "emerald"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy"),
    "black": ("black", "inky"),
    "white": ("white", "ivory"),
    "brown": ("brown", "tawny"),
    "orange": ("orange", "amber"),
    "plain": ("plain", "unpatterned"),
    "striped": ("striped", "banded"),
    "dotted": ("dotted", "spotted"),
    "checked": ("checked", "chequered"),
    "zigzag": ("zigzag", "zigzagged"),
    "left": ("on the left", "at the far left"),
    "right": ("on the right", "at the far right"),
    "middle": ("in the middle", "at the centre"),
    "on": ("on the", "upon the"),
}
_COUNTS: dict[int, tuple[str, ...]] = {
    2: ("two", "a pair of"),
    3: ("three", "a trio of"),
    4: ("four", "a group of four"),
    5: ("five", "a group of five"),
    6: ("six", "a group of six"),
    7: ("seven", "a group of seven"),
    8: ("eight", "a group of eight"),
}
MOST = max(_COUNTS)
"""The largest number that has a word."""

ONLY_PLURAL = frozenset(name for name, kind in KINDS.items() if kind.name == kind.plural)
_WORD = re.compile(r"[a-z]+")


class Wording:
    """Chooses among synonyms, for each word apart, so that changing one word of a text changes no other.

    Parameters
    ----------
    style:
        Seed.
    other:
        Choose the synonym that the same style without `other` does not.
    """

    def __init__(self, style: int, *, other: bool = False) -> None:
        self._style = style
        self._other = other

    def of(self, word: str) -> str:
        """The word or a synonym."""
        return self._choose(word, _SYNONYMS.get(word, (word,)))

    def number(self, count: int) -> str:
        """A count of 2 to `MOST` in words."""
        return self._choose(f"count {count}", _COUNTS[count])

    def plural(self, subject: str) -> str:
        """A kind's name or synonym in the plural."""
        word = self.of(subject)
        if subject in KINDS and word == KINDS[subject].name:
            return KINDS[subject].plural
        return word + ("es" if word.endswith(("s", "x", "ch")) else "s")

    def draw(self, label: str, ways: int) -> int:
        """A way to say something, 0 to `ways` - 1."""
        return (mix(self._style, label) + self._other) % ways

    def _choose(self, label: str, options: tuple[str, ...]) -> str:
        return options[self.draw(label, len(options))]


def article(words: str) -> str:
    """The words with "a" or "an" in front."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def unique_words(text: str) -> frozenset[str]:
    """The different words of a text in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def overlap(premise: str, hypothesis: str) -> float:
    """Share of the hypothesis's different words that are in the premise: |P and H| / |H|, punctuation left out.

    0 where the hypothesis has no words.
    """
    first, second = unique_words(premise), unique_words(hypothesis)
    return len(first & second) / len(second) if second else 0.0
