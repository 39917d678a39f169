"""Properties of tokens in running text, and the views that they are asked about.

Source: the cells of Karpathy, Johnson & Fei-Fei, "Visualizing and Understanding Recurrent Networks" (2015): quotes,
brackets, place in the line; the word, tag and position properties of Dalvi, Durrani et al. (2019-2020).

Quotes, brackets, lines and sentences are those of the whole text; the word before, the token before and repeated
mention are looked for in the token's window alone, since that is all that the model is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from microtome.core.registry import Registry
from microtome.data.text.base import Word
from microtome.data.text.cut import CutText
from microtome.data.text.views import Property, TokenView
from microtome.data.text.words import lowered

TOKEN_PROPERTIES: Registry[Property[TokenView]] = Registry("property of tokens")

_OPEN, _CLOSE = "([{", ")]}"
_LINE_ENDS = (20, 40, 60)
DEEPEST = 3


def position(token: TokenView) -> list[str]:
    """`first`, `second`, `last` word of the sentence; `1-3`, `4-10`, `11+` by its number. None without a word."""
    if token.place < 0:
        return []
    number = token.place + 1
    found = ["1-3" if number <= 3 else "4-10" if number <= 10 else "11+"]
    if number <= 2:
        found.append("first" if number == 1 else "second")
    if number == token.sentence_length:
        found.append("last")
    return found


def depth(token: TokenView) -> str | None:
    """How many brackets are open around it: 1, 2, 3+."""
    if not token.depth:
        return None
    return str(token.depth) if token.depth < DEEPEST else f"{DEEPEST}+"


def capital(token: TokenView) -> str | None:
    """`all` where its word has two letters or more, all capital; `initial` where it starts with a capital."""
    letters = [character for character in token.word or "" if character.isalpha()]
    if len(letters) > 1 and all(character.isupper() for character in letters):
        return "all"
    return "initial" if token.word is not None and token.word[0].isupper() else None


def line(token: TokenView) -> str:
    """Characters since the start of the line: 0-20, 20-40, 40-60, 60+; each bin without its upper end."""
    low = 0
    for high in _LINE_ENDS:
        if token.column < high:
            return f"{low}-{high}"
        low = high
    return f"{low}+"


def mention(token: TokenView) -> str | None:
    """`repeated` where its word came before in the window, else `first`; nothing for words without a letter."""
    if token.repeated is None:
        return None
    return "repeated" if token.repeated else "first"


TOKEN_PROPERTIES.add("tok", lambda token: token.piece)
TOKEN_PROPERTIES.add("word", lambda token: None if token.word is None else lowered(token.word))
TOKEN_PROPERTIES.add("prev", lambda token: None if token.previous_word is None else lowered(token.previous_word))
TOKEN_PROPERTIES.add("tag", lambda token: token.tag)
TOKEN_PROPERTIES.add("relation", lambda token: token.relation)
TOKEN_PROPERTIES.add("position", position)
TOKEN_PROPERTIES.add("quotes", lambda token: "inside" if token.quoted else None)
TOKEN_PROPERTIES.add("brackets", lambda token: "inside" if token.depth else None)
TOKEN_PROPERTIES.add("depth", depth)
TOKEN_PROPERTIES.add("digit", lambda token: any(character.isdigit() for character in token.piece))
TOKEN_PROPERTIES.add("capital", capital)
TOKEN_PROPERTIES.add("line", line)
TOKEN_PROPERTIES.add("mention", mention)

TOKEN_GROUPS = {"tok": "pieces", "word": "words", "prev": "words before"}
"""Limited categories: each keeps its own most frequent values."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Where the characters and words of a text stand.

    Attributes
    ----------
    quoted:
        For each character, 1 between double quotes; the quotes themselves are outside.
    depth:
        Brackets open around it; a bracket itself counts as outside of its pair.
    column:
        Characters since the start of its line.
    places:
        For each word its place in its sentence, and how many words that has.
    """

    quoted: bytes
    depth: list[int]
    column: list[int]
    places: list[tuple[int, int]]


def surroundings_of(text: str, words: tuple[Word, ...]) -> Surroundings:
    """Where characters and words of a text stand. A blank line closes whatever is open: a slip spoils one paragraph."""
    quoted = bytearray(len(text))
    depths, columns = [0] * len(text), [0] * len(text)
    inside, depth, column = False, 0, 0
    for k, character in enumerate(text):
        columns[k] = column
        column += 1
        if character in "“”" or character == '"':
            inside = character == "“" or (character == '"' and not inside)
        elif inside:
            quoted[k] = 1
        if character in _CLOSE:
            depth = max(depth - 1, 0)
        depths[k] = depth
        if character in _OPEN:
            depth += 1
        if character == "\n":
            column = 0
            if k and text[k - 1] == "\n":
                inside, depth = False, 0
    return Surroundings(bytes(quoted), depths, columns, _sentence_places(words))


def shown_piece(text: str, piece: int) -> str:
    """How a token is named in a concept: white space by a sign, a token without a text by its number."""
    name = text.replace(" ", "_").replace("\n", "⏎").replace("\t", "⇥").replace("\r", "⏎")
    name = "".join(character if character.isprintable() else "�" for character in name)
    return name or f"#{piece}"


def token_views(cut: CutText, shown: list[str], start: int, end: int, around: Surroundings) -> Iterator[TokenView]:
    """A view of each token of a window.

    Parameters
    ----------
    cut:
        The whole text.
    shown:
        How each of its tokens is shown.
    start, end:
        The window, as token numbers.
    around:
        `surroundings_of` the text.
    """
    met: set[str] = set()
    for k in range(start, end):
        place = cut.word_of[k]
        word = cut.words[place] if place >= 0 else None
        left, right = cut.spans[k]
        at = next((c for c in range(left, right) if not cut.text[c].isspace()), min(left, max(len(cut.text) - 1, 0)))
        first = cut.first_piece(k) or (k == start and word is not None)
        name = None if word is None else lowered(word.text)
        yield TokenView(
            piece=shown[k],
            start=left,
            end=right,
            text=cut.text,
            word=None if word is None else word.text,
            first_piece=first,
            tag=None if word is None else word.tag,
            relation=None if word is None else word.relation,
            previous_word=_previous(cut, k, start),
            previous_piece=shown[k - 1] if k > start else None,
            place=around.places[place][0] if place >= 0 else -1,
            sentence_length=around.places[place][1] if place >= 0 else 0,
            column=around.column[at],
            quoted=bool(around.quoted[at]),
            depth=around.depth[at],
            repeated=name in met if name is not None and any(c.isalpha() for c in name) else None,
        )
        if name is not None and (k + 1 >= end or cut.word_of[k + 1] != place):
            met.add(name)


def _previous(cut: CutText, k: int, start: int) -> str | None:
    """The word before token k's word (or before it, where it has none), if any of it is in the window."""
    own = cut.word_of[k]
    at = k - 1
    while at >= start and (cut.word_of[at] < 0 or cut.word_of[at] == own):
        at -= 1
    return cut.words[cut.word_of[at]].text if at >= start else None


def _sentence_places(words: tuple[Word, ...]) -> list[tuple[int, int]]:
    """Place in its sentence and the sentence's length, for each word."""
    places: list[int] = []
    lengths: dict[int, int] = {}
    for word in words:
        places.append(lengths.get(word.sentence, 0))
        lengths[word.sentence] = places[-1] + 1
    return [(place, lengths[word.sentence]) for place, word in zip(places, words, strict=True)]
