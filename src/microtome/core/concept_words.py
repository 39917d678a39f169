"""Concepts of text in plain words: `hyp:tok:man` is “man” in the hypothesis.

A concept of text is named `category:value`, the category itself of one part or two (`tok`, `hyp:tok`). A name that is
not of this kind, such as a concept of images, is its own wording.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from microtome.core.formula import And, Formula, Leaf, Not, Or, words

SIDES = {"pre": "premise", "hyp": "hypothesis"}
NEIGHBOURS = re.compile(r"NEIGHBOURS\((.*)\)", re.DOTALL)
_TOKEN = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<paren>[()])|(?P<word>[^\s()"]+)')
_JOINERS = frozenset({"AND", "OR", "NOT"})

TAGS = {
    "CC": "conjunction",
    "CD": "number",
    "DT": "article or determiner",
    "EX": "“there” of existence",
    "FW": "foreign word",
    "IN": "preposition",
    "JJ": "adjective",
    "JJR": "comparative",
    "JJS": "superlative",
    "LS": "list mark",
    "MD": "modal verb",
    "NN": "noun",
    "NNS": "plural noun",
    "NNP": "proper name",
    "NNPS": "plural name",
    "PDT": "predeterminer",
    "POS": "possessive ending",
    "PRP": "pronoun",
    "PRP$": "possessive pronoun",
    "RB": "adverb",
    "RBR": "comparative adverb",
    "RBS": "superlative adverb",
    "RP": "particle",
    "SYM": "symbol",
    "TO": "“to”",
    "UH": "interjection",
    "VB": "verb, base form",
    "VBD": "verb, past tense",
    "VBG": "verb in -ing",
    "VBN": "verb, past participle",
    "VBP": "verb, present",
    "VBZ": "verb in -s",
    "WDT": "question determiner",
    "WP": "question pronoun",
    "WP$": "possessive question word",
    "WRB": "question adverb",
    "ADJ": "adjective",
    "ADP": "preposition",
    "ADV": "adverb",
    "AUX": "auxiliary verb",
    "CCONJ": "conjunction",
    "DET": "determiner",
    "INTJ": "interjection",
    "NOUN": "noun",
    "NUM": "number",
    "PART": "particle",
    "PRON": "pronoun",
    "PROPN": "proper name",
    "PUNCT": "punctuation",
    "SCONJ": "subordinating conjunction",
    "VERB": "verb",
    "X": "other word",
    ".": "end of sentence",
    ",": "comma",
    ":": "colon or dash",
}
"""Parts of speech of the Penn and the Universal tag sets, in words."""

_CATEGORIES = {
    "pre:tok": "word of the premise",
    "hyp:tok": "word of the hypothesis",
    "oth:overlap": "shared words",
    "pre:tag": "part of speech in the premise",
    "hyp:tag": "part of speech in the hypothesis",
    "oth:length": "length",
    "oth:longer": "which side is longer",
    "oth:negation": "negation",
    "oth:subset": "hypothesis within the premise",
    "oth:antonym": "opposites",
    "oth:hypernym": "wider or narrower word",
    "oth": "relation of the two sides",
    "tag": "part of speech",
    "prev": "word before",
    "tok": "word or token",
    "line": "position in the line",
    "position": "position in the sentence",
    "mention": "first or repeated",
    "capital": "capital letters",
    "digit": "digits",
    "relation": "grammatical relation",
    "depth": "brackets within brackets",
}

_FIXED = {
    "oth:subset": "a hypothesis made of the premise’s words alone",
    "oth:longer:hyp": "a hypothesis longer than the premise",
    "oth:antonym": "opposites on the two sides",
    "oth:hypernym": "a word and a wider or narrower one on the two sides",
    "quotes:inside": "text inside quotes",
    "brackets:inside": "text inside brackets",
    "negation": "a negation word",
    "capital:initial": "a capital at the start",
    "capital:all": "capitals throughout",
    "mention:first": "the first mention of a word",
    "mention:repeated": "a word mentioned before",
    "position:first": "the first word of a sentence",
    "position:second": "the second word of a sentence",
    "position:last": "the last word of a sentence",
    "digit": "a digit",
    "tok:_": "a space alone",
    "tok:▁": "a space alone",
    "tok:⏎": "a line end",
    "tok:<0x0A>": "a line end",
    "tok:<0x09>": "a tab",
    "quotes": "text inside quotes",
    "brackets": "text inside brackets",
    "capital": "a capital letter",
}

_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"oth:overlap:(\d+)", "more than {0} % of the hypothesis’s words shared with the premise"),
    (r"oth:length:(pre|hyp)-(\w+)", "a {1} {side}"),
    (r"oth:negation:(pre|hyp)", "a negation word in the {side}"),
    (r"(pre|hyp):tok:(.+)", "“{1}” in the {side}"),
    (r"(pre|hyp):tag:(.+)", "{tag} in the {side}"),
    (r"tok:(.+)", "“{0}”"),
    (r"word:(.+)", "the word “{0}”"),
    (r"prev:(.+)", "what follows “{0}”"),
    (r"tag:(.+)", "{tag}"),
    (r"length:(\w+)", "a {0} sentence"),
    (r"position:(\d+)[-–](\d+)", "words {0} to {1} of a sentence"),
    (r"position:(\d+)\+", "words from the {0}th of a sentence on"),
    (r"line:(\d+)[-–](\d+)", "characters {0} to {1} of a line"),
    (r"line:(\d+)\+", "characters from {0} of a line on"),
    (r"depth:(\d+\+?)", "text {0} brackets deep"),
    (r"relation:(.+)", "the grammatical relation {0}"),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL), wording) for pattern, wording in _PATTERNS)


@dataclass(frozen=True)
class Term:
    """A leaf of a formula as written: the concept, and whether it stands in NEIGHBOURS(...)."""

    concept: str
    neighbours: bool = False

    def __str__(self) -> str:
        return f"NEIGHBOURS({self.concept})" if self.neighbours else self.concept


def plain(name: str) -> str:
    """A concept, or NEIGHBOURS of one, as a noun phrase.

    >>> plain("hyp:tok:man"), plain("NEIGHBOURS(hyp:tok:man)")
    ('“man” in the hypothesis', 'a word like “man” in the hypothesis')

    Parameters
    ----------
    name:
        A concept as its data set names it, or `NEIGHBOURS(concept)`.

    Returns
    -------
    The phrase; `name` itself where it is no concept of text.
    """
    if near := NEIGHBOURS.fullmatch(name):
        phrase = plain(_unquoted(near[1]))
        return f"a word like {phrase.removeprefix('the word ')}"
    if name in _FIXED:
        return _FIXED[name]
    for pattern, wording in _COMPILED:
        if match := pattern.fullmatch(name):
            parts = match.groups()
            return wording.format(*parts, side=SIDES.get(parts[0], ""), tag=_tag(parts[-1]))
    return name


def plain_category(category: str) -> str:
    """A category of concepts in plain words: `hyp:tok` is "word of the hypothesis"; others stay as they are."""
    return _CATEGORIES.get(category, category)


def spoken(formula: Formula) -> str:
    """The formula as a phrase with its concepts in plain words.

    >>> from microtome.core.parse import parse
    >>> spoken(parse("hyp:tok:nobody AND NOT oth:subset"))
    '“nobody” in the hypothesis, but not a hypothesis made of the premise’s words alone'
    """
    return words(_renamed(formula))


def _renamed(formula: Formula) -> Formula:
    match formula:
        case Leaf(name):
            return Leaf(plain(name))
        case Not(child):
            return Not(_renamed(child))
        case And(children):
            return And(tuple(_renamed(child) for child in children))
        case Or(children):
            return Or(tuple(_renamed(child) for child in children))
        case other:
            return Leaf(plain(str(other)))


def terms(text: str) -> tuple[Term, ...]:
    """The leaves that the text of a formula writes, in order of appearance, each once.

    Parameters
    ----------
    text:
        A formula as `str` gives it. Other text yields what stands between its brackets and its AND, OR, NOT.
    """
    found: dict[Term, None] = {}
    run: list[str] = []
    near = False

    def close() -> None:
        nonlocal near
        if run:
            found[Term(" ".join(run), near)] = None
            run.clear()
            near = False

    for match in _TOKEN.finditer(text):
        word = match["word"]
        if match["quoted"] is not None:
            close()
            run.append(_unescaped(match["quoted"]))
            close()
        elif match["paren"] == "(" and run == ["NEIGHBOURS"]:
            run.clear()
            near = True
        elif word is None or word in _JOINERS:
            close()
        else:
            run.append(word)
    close()
    return tuple(found)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _unquoted(text: str) -> str:
    """A name as `formula.quote` wrote it, without its quotes."""
    text = text.strip()
    return _unescaped(text[1:-1]) if len(text) > 1 and text[0] == text[-1] == '"' else text


def _tag(tag: str) -> str:
    """A part of speech with its abbreviation: `a noun (NN)`."""
    if tag not in TAGS:
        return f"the tag {tag}"
    word = TAGS[tag]
    article = "" if word.startswith("“") else "an " if word[0] in "aeiou" else "a "
    return f"{article}{word} ({tag})"
