"""What kind of thing a unit's formula says it is: one meaning, a meaning with exceptions, several, or none we know.

    abstraction             one concept, a conjunction, or an OR of concepts that are near each other
    specialisation          the same AND NOT something
    polysemantic            an OR of concepts that are far apart
    outside the inventory   no formula fits, yet the unit's top images are alike in the layer's own space
    unclear                 anything else; `why` says what was missing

A formula is read as an OR of alternatives, each some concepts AND NOT others, however it was written: equal formulas
get equal kinds, and `flower AND (green OR grey)` is two alternatives that share `flower`. The distance of two
alternatives is that of their nearest two concepts; of three or more the two furthest apart count. Whether top images
are alike is asked in `alikeness`.

Source: Mu & Andreas 2020, Compositional Explanations of Neurons, section 4 (abstractions, specialisations and
polysemantic units, told apart there by hand). Deviations: distances with stated limits instead of judgement, and the
kind `outside the inventory`, which needs no formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError
from microtome.core.formula import And, Formula, Leaf, Neighbours, Not, Or
from microtome.verify.concept_distance import Distance, Limits
from microtome.verify.proportions import wilson

Kind = Literal["abstraction", "specialisation", "polysemantic", "outside the inventory", "unclear"]
KINDS: tuple[Kind, ...] = get_args(Kind)

POOR_IOU = 0.04
"""A formula below this held-out IoU explains nothing: the bar of a detector in Bau et al. 2017."""

CHANCE_P = 0.05
"""A score with a larger p (or q, where units are many) is not above chance."""

ALIKE_LEVEL = 0.95
"""Top images are alike when their mean cosine is above that of this share of random sets of as many images."""


@dataclass(frozen=True)
class Alike:
    """How alike a unit's top images are.

    Attributes
    ----------
    cosine:
        Mean cosine over the pairs of them.
    level:
        What `ALIKE_LEVEL` of the random sets stay below.
    p:
        (1 + sets at least as alike) / (1 + sets).
    """

    cosine: float
    level: float
    p: float

    @property
    def above(self) -> bool:
        """Whether they are more alike than chance makes images."""
        return self.cosine > self.level


@dataclass(frozen=True)
class UnitKind:
    """One unit's kind.

    Attributes
    ----------
    unit:
        `layer:index`.
    why:
        A sentence for people, with the numbers that decided.
    distance:
        Between the two alternatives furthest apart, 0 where they share a concept; NaN where the formula has no
        alternatives, or it is not known.
    """

    unit: str
    kind: Kind
    why: str
    distance: float


@dataclass(frozen=True)
class KindShare:
    """How many of `units` units are of a kind, with the 95 % interval of the share."""

    kind: Kind
    count: int
    units: int
    interval: tuple[float, float]

    @property
    def share(self) -> float:
        """count / units; 0 where there are none."""
        return self.count / self.units if self.units else 0.0


def kind_of(
    unit: str, formula: Formula | None, *, iou: float, p: float, alike: Alike | None, distance: Distance,
    limits: Limits, poor: float = POOR_IOU,
) -> UnitKind:  # fmt: skip
    """The kind of one unit.

    Parameters
    ----------
    formula:
        Its best formula; None where there is none.
    iou, p:
        Held-out IoU of the formula, and its p or q against chance; NaN = not judged, which counts as chance.
    alike:
        Of its top images; None = not asked: a unit without a good formula is then unclear.
    distance, limits:
        How far apart concepts are, and what counts as near and far; see `verify.concept_distance`.
    poor:
        Below this IoU a formula explains nothing, in [0, 1].
    """
    good = formula is not None and iou >= poor and p <= CHANCE_P
    if formula is None or not good:
        return _without_formula(unit, _poor_words(formula, iou, p, poor), alike)
    terms = [term for term in _terms(formula, holds=True) if term.barred.isdisjoint(term.named)]
    if any(not term.named for term in terms) or not terms:
        return UnitKind(
            unit, "unclear", "The formula, or an alternative in it, only says what the unit is not.", np.nan
        )
    pairs = combinations(terms, 2)
    apart, one, other = max(
        (_nearest(a.named, b.named, distance) for a, b in pairs), key=_unknown_last, default=(np.nan, "", "")
    )
    if one and np.isnan(apart):
        return UnitKind(unit, "unclear", f"How far '{one}' and '{other}' are apart is not known.", np.nan)
    if one and apart >= limits.far:
        why = f"'{one}' and '{other}' are far apart ({apart:.2f}, far is {limits.far:.2f} or more)."
        return UnitKind(unit, "polysemantic", why, apart)
    if one and apart > limits.near:
        why = f"'{one}' and '{other}' are neither near nor far ({apart:.2f}; {limits.near:.2f} to {limits.far:.2f})."
        return UnitKind(unit, "unclear", why, apart)
    said = f"All alternatives are near: at most {apart:.2f} apart, near is {limits.near:.2f} or less." if one else ""
    said = "All alternatives share a concept." if one == other != "" else said
    barred = sorted(frozenset().union(*(term.barred for term in terms)))
    if barred:
        without = "It leaves out " + " and ".join(f"'{name}'" for name in barred) + "."
        return UnitKind(unit, "specialisation", f"{said} {without}".strip(), apart)
    whole = "One concept." if len(terms[0].named) == 1 else "Concepts that hold together."
    return UnitKind(unit, "abstraction", said or whole, apart)


def alikeness(
    vectors: Float[np.ndarray, "image unit"], top: Int[np.ndarray, " top"], unit: int, *, sets: int = 1000,
    seed: int = 0,
) -> Alike:  # fmt: skip
    """Whether a unit's top images are alike to the rest of its layer.

    Mean cosine over all pairs of the top images' activation vectors, taken about the mean of all images (else the units
    that are always on decide), without the unit itself, which is large on all of them by choice.

    Parameters
    ----------
    vectors:
        Pooled activations of all images that were looked at.
    top:
        The unit's top images, at least two.
    sets:
        Random sets of as many images, without repeats; p is never below 1 / (1 + sets).
    seed:
        Decides the sets.

    Raises
    ------
    DataError
        With fewer than two top images, or fewer images than that beside them.
    """
    if len(top) < 2 or len(vectors) < 2 * len(top):
        raise DataError(
            f"{len(top)} top images of {len(vectors)} cannot be compared with random ones.",
            expected="at least two top images, and twice as many images in all",
        )
    others = np.delete(vectors, unit, axis=1).astype(np.float64)
    centred = others - others.mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unitary = centred / np.where(length > 0, length, 1.0)
    generator = np.random.default_rng([seed, unit])
    drawn = np.array([
        _mean_cosine(unitary[generator.choice(len(vectors), len(top), replace=False)]) for _ in range(sets)
    ])  # fmt: skip
    cosine = _mean_cosine(unitary[top])
    return Alike(cosine, float(np.quantile(drawn, ALIKE_LEVEL)), (1 + int((drawn >= cosine).sum())) / (1 + sets))


def shares(kinds: Sequence[UnitKind]) -> tuple[KindShare, ...]:
    """How many units are of each kind, in the order of `KINDS`, with Wilson intervals."""
    found = []
    for kind in KINDS:
        count = sum(one.kind == kind for one in kinds)
        found.append(KindShare(kind, count, len(kinds), wilson(count, len(kinds))))
    return tuple(found)


def _poor_words(formula: Formula | None, iou: float, p: float, poor: float) -> str:
    if formula is None:
        return "The unit has no formula"
    if not p <= CHANCE_P:
        return f"The formula is not above chance (p {p:.3f})"
    return f"The formula's held-out IoU is {iou:.3f}, below {poor:.3f}"


def _without_formula(unit: str, poor: str, alike: Alike | None) -> UnitKind:
    if alike is None:
        return UnitKind(unit, "unclear", f"{poor}; its top images were not compared.", np.nan)
    numbers = f"mean cosine {alike.cosine:.2f}, {ALIKE_LEVEL:.0%} of random sets stay below {alike.level:.2f}"
    if alike.above:
        return UnitKind(unit, "outside the inventory", f"{poor}, yet its top images are alike ({numbers}).", np.nan)
    return UnitKind(unit, "unclear", f"{poor}, and its top images are not alike ({numbers}).", np.nan)


@dataclass(frozen=True)
class _Term:
    """One alternative: concepts that hold together, and concepts that must not."""

    named: tuple[str, ...]
    barred: frozenset[str]


def _terms(formula: Formula, *, holds: bool) -> list[_Term]:
    """The formula as an OR of alternatives; `holds` = False: its negation."""
    match formula:
        case Not(child):
            return _terms(child, holds=not holds)
        case Leaf(name) | Neighbours(name):
            return [_Term((name,), frozenset()) if holds else _Term((), frozenset({name}))]
        case And(children) | Or(children):
            parts = [_terms(child, holds=holds) for child in children]
            if isinstance(formula, Or) == holds:
                return [term for part in parts for term in part]
            return [
                _Term(
                    tuple(dict.fromkeys(name for term in chosen for name in term.named)),
                    frozenset().union(*(term.barred for term in chosen)),
                )
                for chosen in product(*parts)
            ]


def _nearest(one: tuple[str, ...], other: tuple[str, ...], distance: Distance) -> tuple[float, str, str]:
    """The nearest two concepts of two alternatives, one that they share at 0; NaN where a distance is not known."""
    for name in one:
        if name in other:
            return 0.0, name, name
    found = [(distance(a, b), a, b) for a in one for b in other]
    unknown = [entry for entry in found if np.isnan(entry[0])]
    return unknown[0] if unknown else min(found)


def _unknown_last(entry: tuple[float, str, str]) -> float:
    """For a maximum: a distance that is not known counts as the largest."""
    return np.inf if np.isnan(entry[0]) else entry[0]


def _mean_cosine(unitary: Float[np.ndarray, "top unit"]) -> float:
    """Mean of u_i . u_j over i < j, from the length of the sum."""
    count = len(unitary)
    total = unitary.sum(axis=0)
    return float((total @ total - (unitary * unitary).sum()) / (count * (count - 1)))
