"""What sort of word a word is, as far as it decides how it is put into a sentence.

Words of closed classes are listed; others go by their tags where the data has some, else by their endings and by the
company that they keep in the data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, final

from microtome.data.text.base import Passage
from microtome.data.text.words import is_punctuation, lowered

Kind = Literal[
    "noun", "plural", "adjective", "ing", "third", "past", "base", "adverb", "preposition", "determiner", "possessive",
    "number", "subject", "object", "indefinite", "negation", "conjunction", "auxiliary", "question", "clitic", "mark",
]  # fmt: skip
"""`third`: a verb in -s; `past`: a past form or participle; `clitic`: 's and its kin; `mark`: punctuation."""

_CLOSED: dict[Kind, str] = {
    "determiner": "a an the this that these those some any every each another all both many several few most",
    "possessive": "his her their its my your our",
    "number": "one two three four five six seven eight nine ten eleven twelve hundred",
    "subject": "he she they we i you it",
    "object": "him them me us himself herself themselves itself",
    "indefinite": "someone somebody everyone everybody anyone anybody something everything anything others",
    "negation": "no not n't never nobody nothing none nowhere neither nor without cannot hardly barely",
    "conjunction": "and or but because while although though if so than",
    "auxiliary": (
        "is are was were am be been being has have had do does did can could will would shall should may might"
    ),
    "question": "who whom whose which what where when why how",
    "preposition": (
        "in on at to of for with by from into onto near under over behind through across along around between against "
        "inside outside above below beside towards toward during after before about down up off out upon like next as"
    ),
    "adverb": (
        "there here very too also just still now then again together away outdoors indoors only alone far true false"
    ),
    "clitic": "'s 're 've 'll 'd 'm",
}
CLOSED: dict[str, Kind] = {word: kind for kind, words in _CLOSED.items() for word in words.split()}
"""Words of closed classes, in lower case."""

OPEN: frozenset[Kind] = frozenset({"noun", "plural", "adjective", "ing", "third", "past", "base", "adverb"})

_TAGS: dict[str, Kind] = {
    "NN": "noun", "NNP": "noun", "PROPN": "noun", "NNS": "plural", "NNPS": "plural", "JJ": "adjective",
    "JJR": "adjective", "JJS": "adjective", "ADJ": "adjective", "VBG": "ing", "VBZ": "third", "VBD": "past",
    "VBN": "past", "VB": "base", "VBP": "base", "RB": "adverb", "RBR": "adverb", "RBS": "adverb", "ADV": "adverb",
    "IN": "preposition", "TO": "preposition", "RP": "preposition", "ADP": "preposition", "CD": "number",
    "NUM": "number", "DT": "determiner", "DET": "determiner", "PRP$": "possessive", "PRP": "subject",
    "PRON": "subject", "CC": "conjunction", "CCONJ": "conjunction", "SCONJ": "conjunction", "MD": "auxiliary",
    "AUX": "auxiliary", "WDT": "question", "WP": "question", "WRB": "question", "POS": "clitic",
}  # fmt: skip

_PEOPLE = (
    "man woman boy girl child kid person lady guy player worker dancer singer artist musician athlete toddler baby "
    "human gentleman mother father brother sister couple doctor actor friend student teacher rider cyclist runner"
)
PEOPLE = frozenset(_PEOPLE.split())
"""Words for one person, in lower case."""

PEOPLE_PLURAL = frozenset(
    {*(f"{word}s" for word in PEOPLE), "men", "women", "children", "people", "ladies", "babies", "gentlemen"}
)

_BE = frozenset(["is", "are", "was", "were", "be", "been", "being"])
_MODALS = frozenset(["to", "can", "could", "will", "would", "shall", "should", "may", "might", "do", "does", "did"])
_MANY = frozenset(["two", "three", "four", "five", "some", "many", "several", "few", "these", "those", "both", "of"])
LEAST = 3
"""A word that occurs less often is no control: nobody knows what it is."""


@dataclass(frozen=True)
class Told:
    """A passage with the kind of each word."""

    passage: Passage
    words: tuple[str, ...]
    """In lower case."""
    kinds: tuple[Kind, ...]


@final
class Lexicon:
    """The words of a data set: how often each occurs, its kind, its tags.

    Parameters
    ----------
    passages:
        The texts, each as often as it shall count.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        self.counts: Counter[str] = Counter()
        self._tags: dict[str, Counter[str]] = defaultdict(Counter)
        self._frames: dict[str, Counter[str]] = defaultdict(Counter)
        for passage in passages:
            words = [lowered(word.text) for word in passage.words]
            self.counts.update(words)
            for place, word in enumerate(passage.words):
                if word.tag is not None:
                    self._tags[words[place]][word.tag] += 1
                elif words[place] not in CLOSED:
                    before = words[place - 1] if place else ""
                    after = words[place + 1] if place + 1 < len(words) else ""
                    self._frames[words[place]].update(_frames(before, after))
        self._kinds: dict[str, Kind] = {}
        self._by_kind: dict[Kind, list[str]] = defaultdict(list)
        for word, count in sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0])):
            if count >= LEAST:
                self._by_kind[self.kind(word)].append(word)

    def kind(self, word: str) -> Kind:
        """The kind of a word, in lower case; a word that the data does not have goes by its ending."""
        if word not in self._kinds:
            self._kinds[word] = self._found(word)
        return self._kinds[word]

    def told(self, passage: Passage) -> Told:
        """A passage with the kind of each word: its tag there decides where it has one."""
        words = tuple(lowered(word.text) for word in passage.words)
        kinds: tuple[Kind, ...] = tuple(
            _TAGS[word.tag] if word.tag in _TAGS and text not in CLOSED else self.kind(text)
            for word, text in zip(passage.words, words, strict=True)
        )
        return Told(passage, words, kinds)

    def frequent(self, kind: Kind, most: int = 60) -> list[str]:
        """The most frequent words of a kind, most frequent first."""
        return self._by_kind[kind][:most]

    def tagged(self, tag: str, most: int = 20) -> list[str]:
        """The most frequent of the words whose tag is this one in nine of ten places."""
        found = [
            (tags[tag], word)
            for word, tags in self._tags.items()
            if tags[tag] >= LEAST and tags[tag] >= 0.9 * tags.total()
        ]
        return [word for _, word in sorted(found, key=lambda pair: (-pair[0], pair[1]))[:most]]

    def first_known(self, *words: str) -> str:
        """The first of some words that the data has at all; else the first."""
        return next((word for word in words if self.counts[word]), words[0])

    def _found(self, word: str) -> Kind:
        if word in CLOSED:
            return CLOSED[word]
        if is_punctuation(word):
            return "mark"
        if word[:1].isdigit():
            return "number"
        tags = self._tags.get(word)
        if tags:
            tag = tags.most_common(1)[0][0]
            if tag in _TAGS:
                return _TAGS[tag]
            if tag in ("NOUN", "VERB"):
                return _by_ending(word, verb=tag == "VERB")
        frames = self._frames.get(word, Counter())
        if word.endswith("s") and any(self.counts[form] for form in _ing_forms(word)):
            # "looks" beside "looking": a verb, unless it is counted or pointed at.
            return "plural" if frames["one"] + frames["many"] > frames["acts"] else "third"
        return _by_frames(word, frames)


def _frames(before: str, after: str) -> list[str]:
    """What a word's neighbours say of it."""
    ends = not after or is_punctuation(after) or CLOSED.get(after) in ("preposition", "conjunction", "auxiliary")
    found: list[str] = []
    if CLOSED.get(before) in ("determiner", "possessive", "number") or before == "no":
        found.append(("many" if before in _MANY else "one") if ends else "before a noun")
    if before in _MODALS and CLOSED.get(after) in ("determiner", "possessive", "preposition", None) and before:
        found.append("base")
    if before in _BE and ends:
        found.append("told")
    acts = CLOSED.get(after) in ("determiner", "possessive") and CLOSED.get(before) not in ("preposition", "determiner")
    if acts or before in PEOPLE or before in ("he", "she", "it", "who"):
        found.append("acts")
    return found


def _ing_forms(word: str) -> tuple[str, ...]:
    """How the -ing form of a verb in -s may be written: looks, runs, rides, watches, carries."""
    stem = word[:-1]
    bare = stem.removesuffix("e")
    return f"{stem}ing", f"{stem}{stem[-1:]}ing", f"{bare}ing", f"{bare.removesuffix('i')}ying"


def _by_frames(word: str, frames: Counter[str]) -> Kind:
    noun = frames["one"] + frames["many"]
    if word.endswith("ing") and len(word) > 4:
        return "noun" if noun > frames["told"] + frames["acts"] and frames["one"] > 0 else "ing"
    if word.endswith("ly") and noun == 0:
        return "adverb"
    if word.endswith("ed") and len(word) > 4 and noun <= frames["before a noun"]:
        return "adjective" if frames["before a noun"] > frames["acts"] + frames["told"] else "past"
    if frames["before a noun"] > noun or (frames["told"] > noun and not word.endswith("s")):
        return "adjective"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return "third" if frames["acts"] > noun else "plural"
    if word in PEOPLE_PLURAL or frames["many"] > frames["one"]:
        return "plural"
    return "base" if frames["base"] > noun else "noun"


def _by_ending(word: str, *, verb: bool) -> Kind:
    if not verb:
        return "plural" if word.endswith("s") and not word.endswith("ss") else "noun"
    return (
        "ing" if word.endswith("ing") else "third" if word.endswith("s") else "past" if word.endswith("d") else "base"
    )
