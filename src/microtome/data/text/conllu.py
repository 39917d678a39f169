"""CoNLL-U: words with gold tags and relations, and the exact text that they came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from microtome.core.errors import DataError
from microtome.data.problems import Collector
from microtome.data.text.base import Word
from microtome.data.text.rows import (
    LONGEST_SENTENCE,
    ONE_SIDE,
    TextRow,
    TextRows,
    digest_of,
    fault,
    file_lines,
    unique_keys,
)

COLUMNS = 10
UPOS, XPOS, RELATION, MISC = 3, 4, 7, 9
EMPTY = "_"
_NUMBER = re.compile(r"(\d+)(?:-(\d+)|\.(\d+))?")


@dataclass
class _Token:
    """A word of the surface: one line, or the span of a multiword token."""

    form: str
    tag: str | None
    relation: str | None
    space: bool


@dataclass
class _Sentence:
    line: int
    starts_document: bool = False
    starts_paragraph: bool = False
    document: str = ""
    key: str = ""
    text: str | None = None
    tokens: list[_Token] = field(default_factory=list)


def is_conllu(path: Path, first: str) -> bool:
    """Whether a file is CoNLL-U: by its suffix, or a first line of ten columns that starts with 1."""
    return path.suffix.lower() == ".conllu" or (first.startswith("1\t") and first.count("\t") == COLUMNS - 1)


def read_conllu(path: Path, *, universal: bool = False, by: Literal["document", "sentence"] = "document") -> TextRows:
    """Documents or sentences of a CoNLL-U file with gold words.

    The text is put together from the forms and SpaceAfter=No; a new paragraph starts on a line of its own. A multiword
    token (`don't`) is cut into its words where their forms make it up, else it is one word with all their tags.

    Parameters
    ----------
    path:
        The file.
    universal:
        Tags from UPOS instead of XPOS.
    by:
        What a row is: a document (`# newdoc`; the whole file where there is none) or a sentence.

    Raises
    ------
    DataError
        With all problems of the file, each with its line.
    """
    problems = Collector()
    sentences = [s for s in _sentences(path, universal, problems) if s.tokens]
    for sentence in sentences:
        _check_text(path, sentence, problems)
    groups = [[s] for s in sentences] if by == "sentence" else _documents(sentences)
    rows = [_row(group, by) for group in groups]
    unique_keys(rows, path, problems)
    problems.settle()
    if not rows:
        raise DataError(f"'{path}' has no sentence.", expected="CoNLL-U with at least one word")
    notes = (f"{len(sentences):,} sentences in {len(groups):,} rows; tags are {'UPOS' if universal else 'XPOS'}.",)
    return TextRows(tuple(rows), ONE_SIDE, (), "conllu", str(path), digest_of(path), notes)


def gold_sentences(path: Path, *, universal: bool = False) -> list[list[tuple[str, str]]]:
    """(word, tag) of every sentence, to train a tagger on. Raises DataError where a word has no tag."""
    problems = Collector()
    sentences = [s for s in _sentences(path, universal, problems) if s.tokens]
    problems.settle()
    for sentence in sentences:
        if any(token.tag is None for token in sentence.tokens):
            raise fault(path, sentence.line, "a word of this sentence has no tag.", expected="a tag for every word")
    if not sentences:
        raise DataError(f"'{path}' has no sentence.", expected="CoNLL-U with at least one word")
    return [[(token.form, token.tag or "") for token in sentence.tokens] for sentence in sentences]


def _sentences(path: Path, universal: bool, problems: Collector) -> Iterator[_Sentence]:
    """Sentences in order; lines that are wrong become problems."""
    tag_column = UPOS if universal else XPOS
    block: list[tuple[int, list[str]]] = []
    current: _Sentence | None = None
    for line, text in file_lines(path, problems):
        if not text.strip():
            if current is not None:
                current.tokens = _tokens(path, block, tag_column, problems)
                yield current
            current, block = None, []
            continue
        if current is None:
            current = _Sentence(line)
        if text.startswith("#"):
            _comment(current, text[1:].strip())
            continue
        columns = text.split("\t")
        if len(columns) != COLUMNS:
            what = f"{len(columns)} columns."
            problems.add(fault(path, line, what, expected=f"{COLUMNS} columns with tabs between them"))
        else:
            block.append((line, columns))
    if current is not None:
        current.tokens = _tokens(path, block, tag_column, problems)
        yield current


def _comment(sentence: _Sentence, text: str) -> None:
    name, _, value = (part.strip() for part in text.partition("="))
    if name.startswith("newdoc"):
        sentence.starts_document, sentence.document = True, value
    elif name.startswith("newpar"):
        sentence.starts_paragraph = True
    elif name == "sent_id":
        sentence.key = value
    elif name == "text":
        sentence.text = value


def _tokens(path: Path, block: list[tuple[int, list[str]]], tag_column: int, problems: Collector) -> list[_Token]:
    """Surface tokens of one sentence."""
    tokens: list[_Token] = []
    span: tuple[int, int, str, bool] | None = None
    parts: list[_Token] = []
    expected = 1
    for line, columns in block:
        number = _NUMBER.fullmatch(columns[0])
        form = columns[1].strip()
        if number is None or not form:
            what = f"'{columns[0]}' is no word number." if number is None else "the word is empty."
            problems.add(fault(path, line, what, expected="1, 2, 3 ..., 4-5 or 8.1, and a word"))
            return []
        if number[3] is not None:
            continue
        first = int(number[1])
        if first != expected:
            problems.add(fault(path, line, f"the word number is {columns[0]}.", expected=f"{expected}"))
            return []
        space = "SpaceAfter=No" not in columns[MISC].split("|")
        if number[2] is not None:
            span = (first, int(number[2]), form, space)
            continue
        expected += 1
        token = _Token(form, _given(columns[tag_column]), _given(columns[RELATION]), space)
        if span is None:
            tokens.append(token)
            continue
        parts.append(token)
        if first == span[1]:
            tokens.extend(_multiword(span[2], parts, span[3]))
            span, parts = None, []
    if span is not None:
        problems.add(fault(path, block[-1][0], f"the word '{span[2]}' ends before its parts.", expected=f"{span[1]}"))
    return tokens


def _multiword(form: str, parts: list[_Token], space: bool) -> list[_Token]:
    if "".join(part.form for part in parts) == form:
        last = len(parts) - 1
        return [_Token(p.form, p.tag, p.relation, space and k == last) for k, p in enumerate(parts)]
    tags = [part.tag for part in parts if part.tag is not None]
    return [_Token(form, "+".join(tags) or None, parts[0].relation, space)]


def _given(value: str) -> str | None:
    return None if value in {EMPTY, ""} else value


def _check_text(path: Path, sentence: _Sentence, problems: Collector) -> None:
    built = _surface(sentence).rstrip()
    if len(built) > LONGEST_SENTENCE:
        what = f"the sentence has {len(built):,} characters."
        problems.add(fault(path, sentence.line, what, expected=f"at most {LONGEST_SENTENCE:,}"))
    if sentence.text is not None and " ".join(sentence.text.split()) != " ".join(built.split()):
        problems.add(
            fault(
                path,
                sentence.line,
                f"the words make '{built[:60]}', the text says '{sentence.text[:60]}'.",
                expected="words and SpaceAfter=No that make up the text",
            )
        )


def _surface(sentence: _Sentence) -> str:
    return "".join(token.form + (" " if token.space else "") for token in sentence.tokens)


def _documents(sentences: list[_Sentence]) -> list[list[_Sentence]]:
    groups: list[list[_Sentence]] = []
    for sentence in sentences:
        if sentence.starts_document or not groups:
            groups.append([])
        groups[-1].append(sentence)
    return groups


def _row(group: list[_Sentence], by: str) -> TextRow:
    words: list[Word] = []
    text = ""
    for number, sentence in enumerate(group):
        if number and sentence.starts_paragraph:
            text = text.rstrip(" ") + "\n\n"
        for token in sentence.tokens:
            words.append(Word(token.form, len(text), len(text) + len(token.form), number, token.tag, token.relation))
            text += token.form + (" " if token.space else "")
    first = group[0]
    key = (first.key if by == "sentence" else first.document) or f"{first.line:06d}"
    return TextRow(key, (text.rstrip(),), None, first.line, (tuple(words),))
