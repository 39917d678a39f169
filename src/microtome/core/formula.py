"""Logical formulas over concepts: (water OR river) AND NOT blue.

A formula is a tree of `Leaf`, `Neighbours`, `Not`, `And`, `Or`. `And` and `Or` hold two or more children and never a
child of their own kind, so that every formula has one shape and one text. Its length is the number of its leaves; a
`Neighbours` is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from microtome.core.errors import FormulaError

_BARE_WORD = re.compile(r'[^\s()"]+')
_RESERVED = frozenset({"AND", "OR", "NOT", "NEIGHBOURS"})


@dataclass(frozen=True)
class Leaf:
    """A concept, by name."""

    name: str

    def __str__(self) -> str:
        return quote(self.name)

    @property
    def column(self) -> str:
        """What its column is called in `evaluate`."""
        return self.name


@dataclass(frozen=True)
class Neighbours:
    """True where a concept of a word holds, or one of the words nearest to it; which those are, the data says.

    Source: Mu & Andreas 2020, section 3.2 (the operator NEIGHBORS over word vectors).
    """

    name: str

    def __str__(self) -> str:
        return f"NEIGHBOURS({quote(self.name)})"

    @property
    def column(self) -> str:
        """What its column is called in `evaluate`: no concept's name holds a tab."""
        return f"NEIGHBOURS\t{self.name}"


@dataclass(frozen=True)
class Not:
    """True where `child` is false."""

    child: Formula

    def __str__(self) -> str:
        text = str(self.child)
        return f"NOT ({text})" if isinstance(self.child, And | Or) else f"NOT {text}"


@dataclass(frozen=True)
class And:
    """True where all children are. Build it with `conjoin`, which flattens."""

    children: tuple[Formula, ...]

    def __str__(self) -> str:
        return " AND ".join(f"({c})" if isinstance(c, Or) else str(c) for c in self.children)


@dataclass(frozen=True)
class Or:
    """True where some child is. Build it with `disjoin`, which flattens."""

    children: tuple[Formula, ...]

    def __str__(self) -> str:
        return " OR ".join(f"({c})" if isinstance(c, And) else str(c) for c in self.children)


Term = Leaf | Neighbours
Formula = Leaf | Neighbours | Not | And | Or


def conjoin(*parts: Formula) -> Formula:
    """`parts[0] AND parts[1] AND ...`, flattened; one part stays itself."""
    flat = tuple(c for part in parts for c in (part.children if isinstance(part, And) else (part,)))
    return flat[0] if len(flat) == 1 else And(flat)


def disjoin(*parts: Formula) -> Formula:
    """`parts[0] OR parts[1] OR ...`, flattened; one part stays itself."""
    flat = tuple(c for part in parts for c in (part.children if isinstance(part, Or) else (part,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def negate(part: Formula) -> Formula:
    """`NOT part`; a double negation is taken off."""
    return part.child if isinstance(part, Not) else Not(part)


def leaves(formula: Formula) -> Iterator[Term]:
    """The leaves from left to right, repeats included."""
    match formula:
        case Leaf() | Neighbours():
            yield formula
        case Not(child):
            yield from leaves(child)
        case And(children) | Or(children):
            for child in children:
                yield from leaves(child)


def length(formula: Formula) -> int:
    """Number of leaves."""
    return sum(1 for _ in leaves(formula))


def negations(formula: Formula) -> int:
    """Number of NOTs."""
    match formula:
        case Leaf() | Neighbours():
            return 0
        case Not(child):
            return 1 + negations(child)
        case And(children) | Or(children):
            return sum(negations(child) for child in children)


def evaluate(formula: Formula, columns: Mapping[str, Bool[np.ndarray, "*elements"]]) -> Bool[np.ndarray, "*elements"]:
    """Truth of the formula on each element.

    Parameters
    ----------
    columns:
        For each leaf's `column` (of a `Leaf` the concept's name) a boolean array; all of one shape.

    Raises
    ------
    FormulaError
        If a leaf has no column.
    """
    match formula:
        case Leaf(name) | Neighbours(name):
            if formula.column not in columns:
                raise FormulaError(
                    f"The formula names the concept '{name}', which is not in the data.",
                    expected="names of concepts of the data set",
                    next_step="see the concepts with `microtome data check`",
                )
            return columns[formula.column]
        case Not(child):
            return ~evaluate(child, columns)
        case And(children):
            return np.logical_and.reduce([evaluate(child, columns) for child in children])
        case Or(children):
            return np.logical_or.reduce([evaluate(child, columns) for child in children])


def words(formula: Formula) -> str:
    """The formula as a phrase: `water or river, but not blue`."""
    match formula:
        case Leaf(name):
            return name
        case Neighbours(name):
            return f"something like {name}"
        case Not(child):
            inner = words(child)
            return f"not ({inner})" if isinstance(child, And | Or) else f"not {inner}"
        case Or(children):
            return " or ".join(f"({words(c)})" if isinstance(c, And) else words(c) for c in children)
        case And(children):
            kept = [c for c in children if not isinstance(c, Not)]
            barred = [c for c in children if isinstance(c, Not)]
            said = " and ".join(f"({words(c)})" if isinstance(c, Or) else words(c) for c in kept)
            if not kept:
                return " and ".join(words(c) for c in barred)
            without = " and ".join(words(c) for c in barred)
            return f"{said}, but {without}" if without else said


def quote(name: str) -> str:
    """The name as `parse` reads it back: bare where it can be, else in double quotes."""
    pieces = name.split(" ")
    bare = all(_BARE_WORD.fullmatch(piece) and piece not in _RESERVED for piece in pieces)
    if bare:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
