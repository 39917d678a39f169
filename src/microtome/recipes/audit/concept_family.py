"""Concepts beside a concept: what may stand in its place, and what its control is made of.

    blue AND water    ->  green AND water, grey AND water, blue AND sand ...    one word exchanged within its category
    tractor           ->  car, fence, tree ...

A formula is present in an image where it covers at least 1 of 200 of its pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float

from microtome.core.formula import And, Formula, Leaf, Not, conjoin, leaves
from microtome.record.gallery import Gallery

PRESENT = 0.005
"""Share of the pixels that a concept covers where it is present."""
CUTTABLE = 0.01
"""A segment to be pasted covers at least so much of its image."""
MOST_ALTERNATIVES = 40
ALWAYS, SELDOM = 0.9, 0.4
"""What defines a class is present in so many of its images, and in at most so many of the others."""


def atoms_of(concept: Formula) -> tuple[str, ...]:
    """The concepts that a conjunction asserts; the barred ones are left out."""
    parts = concept.children if isinstance(concept, And) else (concept,)
    return tuple(part.name for part in parts if isinstance(part, Leaf))


def conjunctions(formula: Formula, *, without: Iterable[str]) -> list[Formula]:
    """The formula as a list of conjunctions any of which makes it true; words of `without` are struck out.

    Parameters
    ----------
    without:
        Names that a suspect may not be made of: the classes themselves.
    """
    barred = frozenset(without)
    found: list[Formula] = []
    for terms in _dnf(formula, sign=True):
        if any(isinstance(term, Not) and term.child in terms for term in terms):
            continue
        kept = [term for term in terms if next(leaves(term)).name not in barred]
        if any(isinstance(term, Leaf) for term in kept):
            found.append(conjoin(*sorted(set(kept), key=str)))
    return list(dict.fromkeys(found))


def _dnf(formula: Formula, *, sign: bool) -> list[list[Formula]]:
    """Disjunctive normal form: lists of leaves and negated leaves."""
    if isinstance(formula, Not):
        return _dnf(formula.child, sign=not sign)
    if not hasattr(formula, "children"):
        return [[formula if sign else Not(formula)]]
    parts = [_dnf(child, sign=sign) for child in formula.children]  # type: ignore[union-attr]
    if isinstance(formula, And) == sign:
        product: list[list[Formula]] = [[]]
        for part in parts:
            product = [[*left, *right] for left in product for right in part]
        return product
    return [terms for part in parts for terms in part]


def knows(gallery: Gallery, concept: Formula) -> bool:
    """Whether the images are labelled with every concept of the formula."""
    return all(leaf.name in gallery.table.by_name for leaf in leaves(concept))


def share_in(gallery: Gallery, concept: Formula) -> Float[np.ndarray, " image"]:
    """Share of each image that the concept covers; 0 where the images are not labelled with it."""
    return gallery.share(concept) if knows(gallery, concept) else np.zeros(len(gallery))


def present_in(gallery: Gallery, concept: Formula) -> Bool[np.ndarray, " image"]:
    """Images in which the concept is present."""
    return share_in(gallery, concept) >= PRESENT


def alternatives(gallery: Gallery, concept: Formula) -> list[Formula]:
    """Formulas like the concept with one of its words exchanged for another of the category, of which there are
    segments; most often seen first."""
    atoms = atoms_of(concept)
    members: dict[str, list[str]] = {}
    for each in gallery.table.concepts:
        if each.name in gallery.local:
            members.setdefault(each.category, []).append(each.name)
    found: dict[str, tuple[int, Formula]] = {}
    for place, atom in enumerate(atoms):
        for other in members.get(gallery.category_of.get(atom, ""), []):
            if other in atoms:
                continue
            formula = conjoin(*(Leaf(name) for name in sorted((*atoms[:place], other, *atoms[place + 1 :]))))
            count = int((gallery.share(formula) >= CUTTABLE).sum())
            if count:
                found[str(formula)] = (count, formula)
    ranked = sorted(found.values(), key=lambda pair: (-pair[0], str(pair[1])))
    return [formula for _, formula in ranked[:MOST_ALTERNATIVES]]


def rate_in(gallery: Gallery, concept: Formula, label: int) -> float:
    """Share of a class's images in which the concept is present; NaN without an image."""
    images = gallery.of_class(label)
    return float(present_in(gallery, concept)[images].mean()) if len(images) else float("nan")


def defining(gallery: Gallery, label: int, *, against: int | None, barred: Iterable[str]) -> tuple[str, ...]:
    """Concepts that nearly every image of a class shows and others seldom do: what makes it what it is.

    Parameters
    ----------
    gallery:
        Best the shift split, in which a misleading cue is no such concept.
    against:
        The class that it is to be told from: what both show makes neither. None: all other classes.
    barred:
        Names of the classes themselves.
    """
    own = gallery.of_class(label)
    rest = np.flatnonzero((gallery.labels >= 0) & (gallery.labels != label)) if against is None else (
        gallery.of_class(against)
    )  # fmt: skip
    if not len(own) or not len(rest):
        return ()
    names = frozenset(barred)
    found = []
    for concept in gallery.table.concepts:
        if concept.name in names or concept.name not in gallery.local:
            continue
        present = present_in(gallery, Leaf(concept.name))
        if present[own].mean() >= ALWAYS and present[rest].mean() <= SELDOM:
            found.append(concept.name)
    return tuple(found)
