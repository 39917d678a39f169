"""Properties of sentence pairs and of single sentences.

Source: Mu & Andreas, "Compositional Explanations of Neurons" (2020), section 4.2: words and tags of each side, and how
much the sides overlap. The published code divides the words shared by the words *not* shared; here the share is
|premise and hypothesis| / |hypothesis| over different words, punctuation left out, so that 75 % reads as it sounds
and 100 % is McCoy et al.'s (2019) lexical overlap. Lengths, negation and subset follow Gururangan et al. (2018).
"""

from __future__ import annotations

from microtome.core.registry import Registry
from microtome.data.text.views import PairView, Property, Side
from microtome.data.text.words import is_punctuation

_NEGATIONS = "no not n't never nobody nothing none nowhere neither nor without cannot hardly barely unable"
NEGATIONS = frozenset(_NEGATIONS.split())
"""Negation words, in lower case."""

OVERLAPS = (25, 50, 75)
SHORT, LONG = 5, 9
"""A hypothesis of at most 5 words is short, one of at least 9 long: near the terciles of SNLI."""

OVERLAP_FORMULA = "overlap = |words of both sides| / |words of the hypothesis|, different words without punctuation"

_STOP_WORDS = """
    a an the of in on at to for with by from and or is are was were be been being am it its this that these those as
    there their his her he she they them him i you we me my your our us do does did has have had 's
"""
ENGLISH_STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Articles, prepositions, pronouns and auxiliaries. Negations are no stop words: they are what one looks for."""

PAIR_PROPERTIES: Registry[Property[PairView]] = Registry("property of sentence pairs")
SENTENCE_PROPERTIES: Registry[Property[Side]] = Registry("property of sentences")

WORD_CATEGORIES = frozenset({"pre:tok", "hyp:tok", "tok", "word", "prev"})
"""Categories that keep their most frequent values alone."""


def overlap(pair: PairView) -> list[str]:
    """25, 50, 75: where more than this per cent of the hypothesis's different words are in the premise."""
    words = len(pair.hypothesis.content)
    return [str(percent) for percent in OVERLAPS if 100 * len(pair.shared) > percent * words]


def subset(pair: PairView) -> bool:
    """Every word of the hypothesis is in the premise."""
    return bool(pair.hypothesis.content) and pair.hypothesis.content <= pair.premise.content


def hypothesis_length(pair: PairView) -> str | None:
    """`hyp-short` up to 5 words, `hyp-long` from 9."""
    size = length(pair.hypothesis)
    return None if size == "medium" else f"hyp-{size}"


def longer(pair: PairView) -> str | None:
    """`hyp` where the hypothesis has more words than the premise."""
    return "hyp" if pair.hypothesis.length > pair.premise.length else None


def negation(pair: PairView) -> list[str]:
    """The sides with a negation word."""
    return [name for name, side in (("pre", pair.premise), ("hyp", pair.hypothesis)) if negated(side)]


def length(side: Side) -> str:
    """`short` up to 5 words, `long` from 9, `medium` between; punctuation left out."""
    return "short" if side.length <= SHORT else "long" if side.length >= LONG else "medium"


def negated(side: Side) -> bool:
    """Whether a word of `NEGATIONS` occurs."""
    return not NEGATIONS.isdisjoint(side.words)


def plain_tags(side: Side) -> frozenset[str]:
    """The tags that occur, those of punctuation left out."""
    return frozenset(tag for tag in side.tags if not is_punctuation(tag) and tag != "PUNCT")


PAIR_PROPERTIES.add("pre:tok", lambda pair: pair.premise.words)
PAIR_PROPERTIES.add("hyp:tok", lambda pair: pair.hypothesis.words)
PAIR_PROPERTIES.add("pre:tag", lambda pair: plain_tags(pair.premise))
PAIR_PROPERTIES.add("hyp:tag", lambda pair: plain_tags(pair.hypothesis))
PAIR_PROPERTIES.add("oth:overlap", overlap)
PAIR_PROPERTIES.add("oth:subset", subset)
PAIR_PROPERTIES.add("oth:length", hypothesis_length)
PAIR_PROPERTIES.add("oth:longer", longer)
PAIR_PROPERTIES.add("oth:negation", negation)

SENTENCE_PROPERTIES.add("tok", lambda side: side.words)
SENTENCE_PROPERTIES.add("tag", plain_tags)
SENTENCE_PROPERTIES.add("length", length)
SENTENCE_PROPERTIES.add("negation", negated)
