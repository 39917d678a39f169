"""Text to formula: the inverse of `str(formula)`.

    or_   := and_ (OR and_)*        and_ := not_ (AND not_)*        not_ := NOT not_ | '(' or_ ')' | term
    term := name | NEIGHBOURS '(' name ')'

A name is a run of words other than AND, OR, NOT and NEIGHBOURS, or any text in double quotes with backslash escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from microtome.core.errors import FormulaError
from microtome.core.formula import Formula, Leaf, Neighbours, Not, conjoin, disjoin

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<paren>[()])|(?P<word>[^\s()"]+))')

_NAMES = frozenset({"name", "bare"})

DEEPEST = 50
"""Brackets and NOTs within one another; a reader is lost long before."""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int


def parse(text: str) -> Formula:
    """The formula that `text` writes, NOT binding closest, then AND, then OR.

    >>> str(parse("(water OR river) AND NOT blue"))
    '(water OR river) AND NOT blue'

    Raises
    ------
    FormulaError
        Naming the position of the first thing that cannot be read, or of what is nested too deep.
    """
    tokens = _tokens(text)
    formula, after = _or(text, tokens, 0, 0)
    if after != len(tokens):
        raise _unreadable(text, tokens, after, "the end, AND or OR")
    return formula


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise FormulaError(
                f"The formula {text!r} cannot be read at character {position + 1}: a double quote is not closed.",
                expected='names with brackets or quotes in double quotes: "a (b)"',
                next_step="close the quote",
            )
        position = match.end()
        if (quoted := match["quoted"]) is not None:
            tokens.append(_Token("name", re.sub(r"\\(.)", r"\1", quoted[1:-1]), match.start("quoted")))
        elif (paren := match["paren"]) is not None:
            tokens.append(_Token(paren, paren, match.start("paren")))
        else:
            word, start = match["word"], match.start("word")
            if word in {"AND", "OR", "NOT", "NEIGHBOURS"}:
                tokens.append(_Token(word, word, start))
            elif tokens and tokens[-1].kind == "bare":
                tokens[-1] = _Token("bare", f"{tokens[-1].text} {word}", tokens[-1].start)
            else:
                tokens.append(_Token("bare", word, start))
    return tokens


def _or(text: str, tokens: list[_Token], at: int, depth: int) -> tuple[Formula, int]:
    parts: list[Formula] = []
    while True:
        part, at = _and(text, tokens, at, depth)
        parts.append(part)
        if at >= len(tokens) or tokens[at].kind != "OR":
            return disjoin(*parts), at
        at += 1


def _and(text: str, tokens: list[_Token], at: int, depth: int) -> tuple[Formula, int]:
    parts: list[Formula] = []
    while True:
        part, at = _not(text, tokens, at, depth)
        parts.append(part)
        if at >= len(tokens) or tokens[at].kind != "AND":
            return conjoin(*parts), at
        at += 1


def _not(text: str, tokens: list[_Token], at: int, depth: int) -> tuple[Formula, int]:
    if depth > DEEPEST:
        raise FormulaError(
            f"The formula is nested more than {DEEPEST} deep at character {tokens[at - 1].start + 1}.",
            expected="fewer brackets and NOTs within one another",
            next_step="write it like (water OR river) AND NOT blue",
        )
    if at >= len(tokens):
        raise _unreadable(text, tokens, at, "a concept, NOT or '('")
    token = tokens[at]
    if token.kind == "NOT":
        child, at = _not(text, tokens, at + 1, depth + 1)
        return Not(child), at
    if token.kind == "(":
        inner, at = _or(text, tokens, at + 1, depth + 1)
        if at >= len(tokens) or tokens[at].kind != ")":
            raise _unreadable(text, tokens, at, "')', AND or OR")
        return inner, at + 1
    if token.kind == "NEIGHBOURS":
        kinds = [one.kind for one in tokens[at + 1 : at + 4]]
        if len(kinds) < 3 or kinds[0] != "(" or kinds[1] not in _NAMES or kinds[2] != ")":
            raise _unreadable(text, tokens, at, "NEIGHBOURS(name)")
        return Neighbours(tokens[at + 2].text), at + 4
    if token.kind in _NAMES:
        return Leaf(token.text), at + 1
    raise _unreadable(text, tokens, at, "a concept, NOT or '('")


def _unreadable(text: str, tokens: list[_Token], at: int, expected: str) -> FormulaError:
    where = f"at character {tokens[at].start + 1} ('{tokens[at].text}')" if at < len(tokens) else "at its end"
    return FormulaError(
        f"The formula {text!r} cannot be read {where}.",
        expected=expected,
        next_step="write it like (water OR river) AND NOT blue",
    )
