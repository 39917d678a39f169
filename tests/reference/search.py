"""The searches, slow and literal: one dense mask a concept, every formula evaluated element by element, float64.

Nothing here knows of signatures, fingerprints, inclusion and exclusion or bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from microtome.core.formula import (
    Formula,
    Leaf,
    Neighbours,
    Not,
    Term,
    conjoin,
    disjoin,
    evaluate,
    length,
    negations,
)


def iou(holds: np.ndarray, unit: np.ndarray) -> float:
    """|F and U| / |F or U| in float64; 0 where both are empty."""
    union = np.float64(np.logical_or(holds, unit).sum())
    return float(np.float64(np.logical_and(holds, unit).sum()) / union) if union else 0.0


def term_of(column: str) -> Term:
    """The leaf whose column is called so: a concept by name, or NEIGHBOURS of one."""
    return Neighbours(column.partition("\t")[2]) if column.startswith("NEIGHBOURS\t") else Leaf(column)


def all_formulas(names: list[str], longest: int) -> Iterator[Formula]:
    """Every and/or tree of up to three leaves, each negatable, that is false where no concept is present."""
    nowhere = {name: np.zeros(1, bool) for name in names}
    for formula in _trees(names, longest):
        if not evaluate(formula, nowhere)[0]:
            yield formula


def _trees(names: list[str], longest: int) -> Iterator[Formula]:
    literals = [leaf for name in names for leaf in (term_of(name), Not(term_of(name)))]
    yield from literals
    if longest < 2:
        return
    pairs: list[Formula] = [join(a, b) for join in (conjoin, disjoin) for a, b in permutations(literals, 2)]
    yield from pairs
    if longest < 3:
        return
    for pair in pairs:
        for leaf in literals:
            yield conjoin(pair, leaf)
            yield disjoin(pair, leaf)


def best_iou(columns: dict[str, np.ndarray], unit: np.ndarray, longest: int) -> float:
    """The highest IoU of all formulas of at most `longest` leaves."""
    return max(iou(evaluate(formula, columns), unit) for formula in all_formulas(list(columns), longest))


@dataclass(frozen=True)
class Candidate:
    """A formula with its mask; `key` orders formulas of equal score: leaves, NOTs, then names in the order written."""

    formula: Formula
    mask: np.ndarray
    score: float
    steps: tuple[tuple[int, int, int], ...]
    """(concept, operation, second concept): 0 seed, 1 OR, 2 AND, 3 AND NOT, 4 AND (first OR second)."""

    @property
    def key(self) -> tuple[object, ...]:
        padded = self.steps + ((-1, -1, -1),) * 12
        return (-self.score, length(self.formula), negations(self.formula), padded)


def beam(columns: dict[str, np.ndarray], unit: np.ndarray, *, width: int, longest: int) -> list[Candidate]:
    """Beam search as `methods/dissect/beam_loop`, on masks: the best candidate for each length."""
    names = list(columns)
    kept = _cut(
        [
            Candidate(term_of(name), columns[name], iou(columns[name], unit), ((i, 0, -1),))
            for i, name in enumerate(names)
            if (columns[name] & unit).any()
        ],
        width,
    )
    best, later, done = ([kept[0]] if kept else []), [], set()
    for allowed in range(2, longest + 1):
        pool = kept + later
        threshold = max((iou(candidate.mask, unit) for candidate in kept), default=0.0)
        later = []
        for parent in kept:
            if parent.steps in done:
                continue
            done.add(parent.steps)
            pool += _one_leaf(parent, columns, unit)
            if length(parent.formula) + 2 <= longest:
                later += _either(parent, columns, unit, threshold)
        later = _cut(later, width)
        kept = _cut(pool, width)
        if kept:
            best.append(kept[0])
        assert allowed >= 2
    return best


def _one_leaf(parent: Candidate, columns: dict[str, np.ndarray], unit: np.ndarray) -> list[Candidate]:
    out = []
    for c, (name, column) in enumerate(columns.items()):
        leaf = term_of(name)
        options = (
            (1, disjoin(parent.formula, leaf), parent.mask | column),
            (2, conjoin(parent.formula, leaf), parent.mask & column),
            (3, conjoin(parent.formula, Not(leaf)), parent.mask & ~column),
        )
        for operation, formula, mask in options:
            if mask.any() and not np.array_equal(mask, parent.mask):
                if operation == 1 and not (column & unit).any():
                    continue
                out.append(Candidate(formula, mask, iou(mask, unit), (*parent.steps, (c, operation, -1))))
    return out


def _either(parent: Candidate, columns: dict[str, np.ndarray], unit: np.ndarray, threshold: float) -> list[Candidate]:
    # Of f AND (y OR z) both y and z are plain concepts; NEIGHBOURS is itself an OR.
    names = [name for name in columns if isinstance(term_of(name), Leaf)]
    worth = []
    for y, name in enumerate(names):
        both = parent.mask & columns[name]
        a, n = int((both & unit).sum()), int(both.sum())
        if a and n != parent.mask.sum():
            worth.append((-((1.0 + threshold) * a - threshold * n), y))
    out = []
    for _, y in sorted(worth)[:3]:
        for z, name in enumerate(names):
            with_z = parent.mask & columns[name]
            if z == y or not (with_z & unit).any() or not (with_z & ~columns[names[y]]).any():
                continue
            mask = parent.mask & (columns[names[y]] | columns[name])
            low, high = min(y, z), max(y, z)
            formula = conjoin(parent.formula, disjoin(Leaf(names[low]), Leaf(names[high])))
            out.append(Candidate(formula, mask, iou(mask, unit), (*parent.steps, (low, 4, high))))
    return out


def _cut(candidates: list[Candidate], width: int) -> list[Candidate]:
    """Merge formulas of equal mask (the preferred one stays), then keep the best."""
    merged: dict[bytes, Candidate] = {}
    for candidate in candidates:
        key = candidate.mask.tobytes()
        if key not in merged or candidate.key < merged[key].key:
            merged[key] = candidate
    return sorted(merged.values(), key=lambda candidate: candidate.key)[:width]


def best_single(columns: dict[str, np.ndarray], unit: np.ndarray) -> tuple[str, float]:
    """The concept of the highest IoU; the first of equals."""
    return max(((name, iou(column, unit)) for name, column in columns.items()), key=lambda pair: pair[1])


def best_beside(columns: dict[str, np.ndarray], unit: np.ndarray, *, singles: int) -> float:
    """The highest IoU of f OR (x AND y), f OR (x AND NOT y), f AND (x OR y) for the best single terms f.

    x is a concept, y any term; of terms of equal IoU the first count as the best.
    """
    order = sorted(columns, key=lambda name: -iou(columns[name], unit))[:singles]
    plain = [column for name, column in columns.items() if isinstance(term_of(name), Leaf)]
    return max(
        iou(mask, unit)
        for f in (columns[name] for name in order)
        for x in plain
        for y in columns.values()
        for mask in (f | (x & y), f | (x & ~y), f & (x | y))
    )
