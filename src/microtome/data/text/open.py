"""Open texts by one string, and give them their concepts.

pairs.jsonl                     SNLI, MNLI, or {"premise", "hypothesis", "label"} a line
heuristics_evaluation_set.txt   HANS
pairs.tsv, reviews.tsv          a header, tabs between
dev.conllu?tag=upos             gold words and tags; documents, or by=sentence
book.txt?by=line                plain text
hf:NAME?split=validation        the `datasets` library
world:train@5000                the planted world's sentence pairs
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from microtome.core.errors import OptionError
from microtome.data.text.base import Level, TextData
from microtome.data.text.cut import Pieces, PieceText
from microtome.data.text.readers import limited, read_rows
from microtome.data.text.rows import TextRows
from microtome.data.text.settings import TextSettings
from microtome.data.text.tokens import token_texts
from microtome.data.text.vectors import Vectors
from microtome.data.text.whole import whole_texts


def open_texts(
    spec: str | Path,
    settings: TextSettings | None = None,
    *,
    pieces: Pieces | None = None,
    piece_text: PieceText | None = None,
    vectors: Vectors | Path | None = None,
    like: TextData | None = None,
) -> TextData:
    """Open texts as elements with concepts.

    Parameters
    ----------
    spec:
        A file, `hf:NAME`, or `world[:SPLIT][@COUNT]`; `?option=value&...` behind it sets options of the reader.
    settings:
        See `TextSettings`.
    pieces, piece_text:
        The model's tokenizer, for elements that are tokens: text to ids and the characters [start, end) of each, and
        how an id is shown.
    vectors:
        Word vectors, or a file of them, from which NEIGHBOURS is filled. Of a file the words of the concepts are read.
    like:
        Take the concepts, classes and neighbours of these texts: what data held out must have.

    Raises
    ------
    DataError
        When the texts cannot be read; with all problems, each with file and line.
    OptionError
        For settings that contradict each other or the data.
    """
    settings = settings or TextSettings()
    rows = read_rows(spec, settings)
    level = _level(rows, settings, tokenizer=pieces is not None)
    chosen = limited(rows, settings)
    if like is not None and like.level != level:
        raise OptionError(
            f"'{spec}' is read as {level}s, the texts to be alike as {like.level}s.", expected="texts of one kind"
        )
    if settings.wordnet and level != "pair":
        raise OptionError(
            f"wordnet compares two sides, but '{spec}' is read as {level}s.",
            expected="sentence pairs",
            next_step="leave wordnet out",
        )
    if level != "token":
        return _noted(whole_texts(rows, chosen, settings, vectors=vectors, like=like), spec, settings, vectors)
    if pieces is None or piece_text is None:
        raise OptionError(
            "Elements are tokens, but no tokenizer was given.",
            expected="the tokenizer of the model: pieces and piece_text",
            next_step="name a model of texts, or set level to sentence",
        )
    texts = token_texts(rows, chosen, settings, pieces=pieces, piece_text=piece_text, vectors=vectors, like=like)
    return _noted(texts, spec, settings, vectors)


def _noted(texts: TextData, spec: str | Path, settings: TextSettings, vectors: Vectors | Path | None) -> TextData:
    """The texts with a card that says how they were opened, so that they can be opened so again."""
    source = vectors.source if isinstance(vectors, Vectors) else vectors
    told = {**asdict(settings), "vectors": None if source is None else str(source)}
    texts.card = replace(texts.card, spec=str(spec), settings=tuple(told.items()))
    return texts


def _level(rows: TextRows, settings: TextSettings, *, tokenizer: bool) -> Level:
    """What an element is; an OptionError where the data cannot be that."""
    two = len(rows.sides) == 2
    if settings.level == "auto":
        return "pair" if two else "token" if tokenizer and not rows.classes else "sentence"
    if two != (settings.level == "pair"):
        raise OptionError(
            f"level is '{settings.level}', but '{rows.source}' has {len(rows.sides)} text{'s' * two} a row.",
            expected="pair" if two else "sentence or token",
        )
    return settings.level
