"""Texts whose elements are the model's tokens, in windows of running text."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from microtome.core.errors import DataError
from microtome.data.text.assemble import Elements
from microtome.data.text.base import LabelledText, Level, Mark, Passage, TextData, Word
from microtome.data.text.common import Made, check_tags, made, row_place, tag_note
from microtome.data.text.cut import CutText, Pieces, PieceText, cut_text, windows
from microtome.data.text.properties import load_properties
from microtome.data.text.rows import TextRow, TextRows
from microtome.data.text.settings import TextSettings
from microtome.data.text.tags import open_tagger
from microtome.data.text.token_concepts import (
    TOKEN_GROUPS,
    TOKEN_PROPERTIES,
    shown_piece,
    surroundings_of,
    token_views,
)
from microtome.data.text.vectors import Vectors
from microtome.data.text.whole import tag_words, with_tags
from microtome.data.text.words import split_words


@dataclass(frozen=True, eq=False)
class Window:
    """A piece of a text: its key, the text, and the tokens [start, end) that it shows."""

    key: str
    cut: CutText
    start: int
    end: int
    label: str | None


@final
class TokenTexts(TextData):
    """Windows of running text with the concepts of each token. Made by `open_texts`.

    Parameters
    ----------
    shown:
        The windows.
    made:
        Concepts, the set of each token of all windows in order, classes, neighbours, card.
    """

    def __init__(self, shown: tuple[Window, ...], made: Made) -> None:
        self.level: Level = "token"
        self.sides = ("text",)
        self.window = max(window.end - window.start for window in shown)
        self.concepts = made.assembled.concepts
        self.classes = made.classes
        self.neighbours = made.neighbours
        self.card = made.card
        self._windows = shown
        self._sets = made.assembled.sets
        self._fingerprint = made.fingerprint
        self._first = [0]
        for window in shown:
            self._first.append(self._first[-1] + window.end - window.start)

    def __len__(self) -> int:
        return len(self._windows)

    def key(self, index: int) -> str:
        return self._windows[index].key

    def texts(self, index: int) -> tuple[str, ...]:
        return (window_text(self._windows[index])[0],)

    def fingerprint(self) -> str:
        return self._fingerprint

    def read(self, index: int) -> LabelledText:
        window = self._windows[index]
        text, left = window_text(window)
        sets = self._sets[self._first[index] : self._first[index + 1]]
        spans = tuple((a - left, b - left) for a, b in window.cut.spans[window.start : window.end])
        passage = Passage(text, window_words(window.cut, left, left + len(text)))
        label = None if window.label is None else self.classes.index(window.label)
        pieces = window.cut.pieces[window.start : window.end]
        return LabelledText(window.key, (passage,), sets, label=label, pieces=pieces, spans=spans)

    def marks(self, text: LabelledText, concept: int) -> tuple[Mark, ...]:
        # A concept holds of tokens here: `sets` says which.
        return ()


def token_texts(
    rows: TextRows,
    chosen: tuple[TextRow, ...],
    settings: TextSettings,
    *,
    pieces: Pieces,
    piece_text: PieceText,
    vectors: Vectors | Path | None,
    like: TextData | None,
) -> TokenTexts:
    """Windows of a file's texts with their tokens' concepts; see `open_texts`."""
    gold = check_tags(rows, chosen, settings)
    tagger = open_tagger(settings.tagger)
    known: list[tuple[str, Any]] = TOKEN_PROPERTIES.items()
    known += load_properties(settings.properties, [name for name, _ in known])
    show = lru_cache(maxsize=None)(lambda piece: shown_piece(piece_text(piece), piece))
    shown: list[Window] = []
    elements = Elements(known)
    for row in chosen:
        text, words = row.texts[0], split_words(row.texts[0]) if row.words is None else row.words[0]
        if tagger is not None:
            words = with_tags(words, tag_words(words, tagger))
        elif row.words is not None and not gold:
            words = with_tags(words, None)
        cut = cut_text(text, words, pieces, where=row_place(rows, row))
        names = [show(piece) for piece in cut.pieces]
        around = surroundings_of(text, words)
        ranges = windows(cut, settings.window)
        for number, (start, end) in enumerate(ranges):
            key = row.key if len(ranges) == 1 else f"{row.key}#{number:04d}"
            shown.append(Window(key, cut, start, end, row.label))
            for view in token_views(cut, names, start, end, around):
                elements.add(view, lambda row=row, view=view: f"{row_place(rows, row)}, '{view.piece}'")
    if not shown:
        raise DataError(f"'{rows.source}' has no token.", expected="texts that the tokenizer cuts into tokens")
    count = f"{len(elements):,} tokens in {len(shown):,} windows of up to {settings.window}."
    built = made(
        rows,
        chosen,
        settings,
        elements=elements,
        group=TOKEN_GROUPS,
        tagger=tagger,
        vectors=vectors,
        like=like,
        notes=(tag_note(tagger, gold), count),
        extra=(gold, settings.window, [window.cut.pieces[window.start : window.end] for window in shown]),
    )
    return TokenTexts(tuple(shown), built)


def window_text(window: Window) -> tuple[str, int]:
    """The characters that a window's tokens cover, and where they start in the whole text."""
    left = window.cut.spans[window.start][0]
    right = max(end for _, end in window.cut.spans[window.start : window.end])
    return window.cut.text[left:right], left


def window_words(cut: CutText, left: int, right: int) -> tuple[Word, ...]:
    """The words of the characters [left, right), by place in them; a word that is cut keeps the part within."""
    found: list[Word] = []
    at = max(bisect_right([word.start for word in cut.words], left) - 1, 0)
    for word in cut.words[at:]:
        if word.start >= right:
            break
        start, end = max(word.start, left), min(word.end, right)
        if start < end:
            found.append(Word(cut.text[start:end], start - left, end - left, word.sentence, word.tag, word.relation))
    return tuple(found)
