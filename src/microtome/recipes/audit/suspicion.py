"""Which concepts are suspects: what a class's parts detect, and is not part of what makes the class.

With a shift split a concept is suspect where the class shows it less often there:

    gap = P(C | class, data) - P(C | class, shift),   p of Fisher's exact test, q over all candidates

Without one every concept is that goes with the class in the data and is not on the class's allow-list, and they are
ranked by a measured effect: what the class's margin loses, on its own items, with the concept's parts cut.

    effect = mean over items of the class of (margin - margin without the parts)
    margin = the class's logit - the mean of the others

Source: Fisher 1935; Benjamini & Hochberg 1995; Gururangan et al. 2018 (artefacts by class-conditional counts).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.concept_words import spoken
from microtome.core.formula import Formula, leaves, length, words
from microtome.recipes.audit.nouns import Change, Suspect
from microtome.verify.fdr import q_values

GAP = 0.15
"""Least difference of shares that makes a concept suspect."""
MEASURED_ON, POOL = 64, 3
"""Items of a class on which effects are measured, and how many times as many suspects as are asked for."""
Given = Literal["class", "concept"]
ALIKE = 0.8
"""Jaccard overlap of two concepts' items from which on they are one suspect."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A concept that parts of the model detect, for a class that they speak for.

    Attributes
    ----------
    target:
        The class.
    concept:
        The concept.
    parts:
        The parts, loudest first.
    loudness:
        What they add to the class, together.
    """

    target: int
    concept: Formula
    parts: tuple[int, ...]
    loudness: float


@dataclass(frozen=True, eq=False)
class Seen:
    """Where a concept is present.

    Attributes
    ----------
    data, shift:
        In each item of the data, and of the shift split (None without one).
    """

    data: Bool[np.ndarray, " item"]
    shift: Bool[np.ndarray, " shifted"] | None


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of the items, as outputs of the model; -1 = unknown."""

    data: Int[np.ndarray, " item"]
    shift: Int[np.ndarray, " shifted"] | None


Effect = Callable[[Candidate], float]
"""What a class loses without a candidate's parts."""


def cut_effect(
    asked: Any, held: Any, truth: Int[np.ndarray, " item"], half: Bool[np.ndarray, " item"], how: str
) -> Effect:
    """The measured effect of candidates, on items of the exploring half.

    Parameters
    ----------
    asked:
        The model: see `asked.AskedModel`.
    held:
        Its items, as read.
    half:
        Which of them may choose what is proved.
    how:
        What cut parts are set to.
    """
    own: dict[int, tuple[Any, float]] = {}
    known: dict[tuple[int, tuple[int, ...]], float] = {}

    def margin(logits: Float[np.ndarray, "item klass"], target: int) -> float:
        others = (logits.sum(axis=1) - logits[:, target]) / max(logits.shape[1] - 1, 1)
        return float((logits[:, target] - others).mean())

    def effect(candidate: Candidate) -> float:
        target, key = candidate.target, (candidate.target, candidate.parts)
        if target not in own:
            rows = np.flatnonzero((truth == target) & half)
            rows = (rows if len(rows) else np.flatnonzero(half))[:MEASURED_ON]
            taken = asked.take(held, rows)
            own[target] = taken, margin(asked.answer(taken), target)
        if key not in known:
            taken, before = own[target]
            known[key] = before - margin(asked.answer(taken, Change(parts=candidate.parts, how=how)), target)
        return known[key]

    return effect


def rank_suspects(
    candidates: Sequence[Candidate], seen: Mapping[str, Seen], classes: Classes, *, names: Sequence[str], most: int,
    fdr: float, allowed: Mapping[int, frozenset[str]], labelled: bool = True, text: bool = False,
    given: Given = "class", effect: Effect | None = None,
) -> list[Suspect]:  # fmt: skip
    """Candidates that are suspect, worst first.

    Parameters
    ----------
    seen:
        By the concept's text.
    names:
        Of the classes.
    most:
        At most so many.
    allowed:
        For each class the names that may make it what it is; a concept made of them alone is no suspect.
    labelled:
        False where the items are not labelled with the concepts: then loudness decides.
    text:
        Whether concepts are of texts, to put them into words.
    given:
        `class`: shares are of the class's items that show the concept. `concept`: of the items that show the concept
        those of the class, which tells more where a concept is rare.
    effect:
        Ranks what is suspect without a shift split; None: the gap does.
    """
    weigh = _weighed if given == "class" else _weighed_by_concept
    rows = [weigh(each, seen[str(each.concept)], classes) for each in candidates]
    rows = [row for row in rows if not _is_allowed(row.candidate, allowed)]
    q = q_values(np.array([row.p for row in rows])) if rows else np.zeros(0)
    kept: list[tuple[float, _Weighed, float]] = []
    for row, corrected in zip(rows, q, strict=True):
        gap = row.share - (row.others if row.shift is None else row.shift)
        if not labelled:
            kept.append((row.candidate.loudness, row, corrected))
        elif gap >= GAP - 1e-9 and (row.shift is None or corrected <= fdr):
            kept.append((gap, row, corrected))
    kept.sort(key=lambda entry: (-entry[0], length(entry[1].candidate.concept), str(entry[1].candidate.concept)))
    distinct, effects = _distinct(kept, seen), dict[int, float]()
    if effect is not None and classes.shift is None:
        distinct = distinct[: POOL * most]
        # Class after class: what is kept of a class's items serves all its concepts.
        by_class = sorted(distinct, key=lambda entry: entry[0].candidate.target)
        effects = {id(row): effect(row.candidate) for row, _ in by_class}
        distinct.sort(key=lambda entry: -effects[id(entry[0])])
    return _named(distinct, effects, names, most=most, labelled=labelled, text=text, given=given)


@dataclass(frozen=True, eq=False)
class _Weighed:
    candidate: Candidate
    share: float
    others: float
    shift: float | None
    p: float


def _weighed(candidate: Candidate, seen: Seen, classes: Classes) -> _Weighed:
    own, rest = classes.data == candidate.target, (classes.data >= 0) & (classes.data != candidate.target)
    share, others = _mean(seen.data[own]), _mean(seen.data[rest])
    if seen.shift is None or classes.shift is None:
        return _Weighed(candidate, share, others, None, float("nan"))
    there = classes.shift == candidate.target
    shift = _mean(seen.shift[there])
    return _Weighed(candidate, share, others, shift, _fisher(seen.data[own], seen.shift[there]))


def _weighed_by_concept(candidate: Candidate, seen: Seen, classes: Classes) -> _Weighed:
    own = classes.data == candidate.target
    share, base = _mean(own[seen.data]), _mean(own[classes.data >= 0])
    if seen.shift is None or classes.shift is None:
        return _Weighed(candidate, share, base, None, float("nan"))
    there = classes.shift == candidate.target
    return _Weighed(candidate, share, base, _mean(there[seen.shift]), _fisher(own[seen.data], there[seen.shift]))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _fisher(one: Bool[np.ndarray, " item"], other: Bool[np.ndarray, " item_"]) -> float:
    """One-sided p that the first share is no larger than the second."""
    from scipy.stats import fisher_exact

    if not len(one) or not len(other):
        return 1.0
    table = [[int(one.sum()), int((~one).sum())], [int(other.sum()), int((~other).sum())]]
    return float(np.asarray(fisher_exact(table, alternative="greater"))[1])


def _is_allowed(candidate: Candidate, allowed: Mapping[int, frozenset[str]]) -> bool:
    own = allowed.get(candidate.target)
    return own is not None and all(leaf.name in own for leaf in leaves(candidate.concept))


def _distinct(kept: list[tuple[float, _Weighed, float]], seen: Mapping[str, Seen]) -> list[tuple[_Weighed, float]]:
    """Of concepts of one class that are present in the same items the first; it takes over the others' parts."""
    found: list[tuple[_Weighed, float]] = []
    for _, row, q in kept:
        mine = seen[str(row.candidate.concept)]
        for place, (other, other_q) in enumerate(found):
            same = other.candidate.target == row.candidate.target
            if same and _alike(mine, seen[str(other.candidate.concept)]):
                parts = tuple(dict.fromkeys([*other.candidate.parts, *row.candidate.parts]))
                found[place] = (replace(other, candidate=replace(other.candidate, parts=parts)), other_q)
                break
        else:
            found.append((row, q))
    return found


def _alike(one: Seen, other: Seen) -> bool:
    both = [(one.data, other.data)]
    if one.shift is not None and other.shift is not None:
        both.append((one.shift, other.shift))
    joint = sum(int((a & b).sum()) for a, b in both)
    either = sum(int((a | b).sum()) for a, b in both)
    return either > 0 and joint / either >= ALIKE


def _named(
    rows: Sequence[tuple[_Weighed, float]], effects: Mapping[int, float], names: Sequence[str], *, most: int,
    labelled: bool, text: bool, given: Given,
) -> list[Suspect]:  # fmt: skip
    found: list[Suspect] = []
    for number, (row, q) in enumerate(rows[:most]):
        each = row.candidate
        said = spoken(each.concept) if text else words(each.concept)
        why, effect = _why(row, said, names[each.target], labelled=labelled, given=given), effects.get(id(row))
        if effect is not None:
            why += f"; without its parts the margin of {names[each.target]} changes by {-effect:+.2f}"
        found.append(Suspect(
            number, each.target, each.concept, said, each.parts, row.share, row.others, row.shift,
            None if row.shift is None else float(q), why, effect,
        ))  # fmt: skip
    return found


def _why(row: _Weighed, said: str, name: str, *, labelled: bool, given: Given) -> str:
    """The ground for suspicion."""
    share, others = f"{100 * row.share:.0f} %", f"{100 * row.others:.0f} %"
    if not labelled:
        return f"parts that speak for {name} detect {said}; the items to be changed are not labelled with it"
    if given == "concept":
        first = f"{share} of the items with {said} are {name}"
        if row.shift is None:
            return f"{first}, and {others} of all items; it is on no allow-list"
        return f"{first} in the data, {100 * row.shift:.0f} % in the shift split"
    if row.shift is None:
        return f"{share} of {name} show {said}, and {others} of the others; it is on no allow-list"
    return f"{share} of {name} show {said} in the data, {100 * row.shift:.0f} % in the shift split"
