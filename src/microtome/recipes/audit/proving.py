"""A suspect put to the proof: where is it strongest, does it hold on other inputs, who carries it, what undoes it.

explore   on half of the data: the class of inputs on which the answer turns most, and the parts that carry it
confirm   on the other half: how often the answer turns, beside a control; the same with the carriers cut
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from microtome.core.errors import DataError
from microtome.recipes.audit.carriers import Asked, ask, find_carriers, moved_by
from microtome.recipes.audit.nouns import CONFIRM, EXPLORE, Carriers, Cases, Change, Parts, Suspect
from microtome.recipes.audit.others import Other
from microtome.recipes.audit.settings import AuditSettings
from microtome.verify.fdr import q_values
from microtome.verify.flips import FlipTest, Rate, Verdict, flip_test, rate_of, verdict_of
from microtome.verify.paired import Mean, mean_of


@dataclass(frozen=True, eq=False)
class Tried:
    """A suspect on inputs of one class, on the exploring half.

    Attributes
    ----------
    turned:
        Of the inputs that were answered rightly before, whether the concept turned each.
    beside:
        The same by each draw of the control.
    test:
        The one against the other.
    """

    suspect: Suspect
    source: int
    turned: Bool[np.ndarray, " case"]
    beside: Bool[np.ndarray, "case draw"]
    test: FlipTest

    @property
    def cases(self) -> int:
        """How many."""
        return len(self.turned)

    @property
    def rate(self) -> float:
        """Share turned by the concept."""
        return self.test.turned.rate

    @property
    def control(self) -> float:
        """Share turned by the control."""
        return self.test.control.mean

    @property
    def difference(self) -> float:
        """rate - control."""
        return self.rate - self.control


@dataclass(frozen=True, eq=False)
class Without:
    """How often the answer turns with parts cut, on the confirming half.

    Attributes
    ----------
    carriers:
        The parts.
    rate:
        With all of them cut.
    first:
        With the first alone cut.
    erased:
        With the direction along which the concept moves the parts taken out; None where it moves none.
    control:
        With random sets of as many parts of like mass cut, mean over the sets; NaN without one.
    still_right:
        Share of the unchanged inputs that are still answered rightly with the carriers cut.
    """

    carriers: Carriers
    rate: Rate
    first: Rate
    erased: Rate | None
    control: Mean
    still_right: Rate


@dataclass(frozen=True, eq=False)
class Proof:
    """What came out for one suspect.

    Attributes
    ----------
    suspect, source:
        What, and on inputs of which class.
    cases:
        The confirming cases that were answered rightly before.
    turned:
        Whether each was turned.
    test, q, verdict:
        See `verify.flips`.
    without:
        With its carriers cut; None where no part carries it.
    reverse:
        The concept taken out of inputs of its class: how often the class is lost; None where that cannot be done.
    reverse_how:
        How it was taken out.
    transfer:
        For other models how often the same inputs turn their answer.
    kept:
        Of the cases that were made, the numbers of those in `cases`.
    explored:
        The exploring cases: what repairs may learn from.
    problem:
        Why nothing could be tested; empty otherwise.
    """

    suspect: Suspect
    source: int
    cases: Cases | None
    turned: Bool[np.ndarray, " case"]
    test: FlipTest
    q: float
    verdict: Verdict
    without: Without | None = None
    reverse: FlipTest | None = None
    reverse_how: str = ""
    transfer: Mapping[str, FlipTest | None] | None = None
    kept: tuple[int, ...] = ()
    explored: Asked | None = None
    problem: str = ""


def explore(parts: Parts, suspect: Suspect, settings: AuditSettings) -> tuple[list[Tried], str]:
    """The suspect on inputs of each likely class, and why nothing could be tried (empty where something was)."""
    found: list[Tried] = []
    problem = ""
    for source in parts.sources(suspect):
        try:
            cases = parts.cases(suspect, source, settings.trials, EXPLORE)
        except DataError as error:
            problem = error.what
            continue
        if not len(cases):
            continue
        asked = ask(parts, cases, suspect.target)
        right = asked.right
        if right.any():
            found.append(tried_on(suspect, source, asked.turned[right], asked.control[right], seed=settings.seed))
    if not found and not problem:
        problem = f"No {parts.item} could be changed: each shows the concept already, or has no room for it."
    return found, "" if found else problem


def tried_on(
    suspect: Suspect, source: int, turned: Bool[np.ndarray, " case"], beside: Bool[np.ndarray, "case draw"], *,
    seed: int,
) -> Tried:  # fmt: skip
    """What trying a suspect gave, with its test."""
    return Tried(suspect, source, turned, beside, flip_test(turned, beside, seed=seed))


def confirm(parts: Parts, tried: Tried, settings: AuditSettings, others: Sequence[Other]) -> Proof:
    """The suspect on fresh inputs of the class on which it was strongest. The verdict comes later (`settle`)."""
    suspect, source = tried.suspect, tried.source
    asked = ask(parts, parts.cases(suspect, source, settings.cases, CONFIRM), suspect.target)
    if not asked.right.any():
        return nothing_tested(
            suspect, f"No {parts.item} of the half that counts could be changed and was answered rightly."
        )
    test = flip_test(asked.turned[asked.right], asked.control[asked.right], seed=settings.seed)
    explored = ask(parts, parts.cases(suspect, source, settings.cases, EXPLORE), suspect.target)
    without = _without(parts, suspect, explored, asked, settings)
    reverse, how = _reverse(parts, suspect, source, settings)
    transfer = {other.name: _transferred(other, asked.cases, suspect.target, settings.seed) for other in others}
    kept = np.flatnonzero(asked.right)
    return Proof(
        suspect, source, chosen_cases(asked.cases, kept), asked.turned[kept], test, float("nan"), "not proved",
        without, reverse, how, transfer, tuple(kept.tolist()), explored,
    )  # fmt: skip


def with_cases(parts: Parts, proof: Proof, settings: AuditSettings) -> Proof:
    """A proof that was found before, with its inputs made again: they are the same for the same seed."""
    if proof.problem:
        return proof
    cases = parts.cases(proof.suspect, proof.source, settings.cases, CONFIRM)
    return replace(proof, cases=chosen_cases(cases, np.array(proof.kept, np.int64)))


def explored_of(parts: Parts, proof: Proof, settings: AuditSettings) -> Asked:
    """The exploring cases of a proof; read again where it was found before."""
    if proof.explored is not None:
        return proof.explored
    cases = parts.cases(proof.suspect, proof.source, settings.cases, EXPLORE)
    return ask(parts, cases, proof.suspect.target)


def nothing_tested(suspect: Suspect, problem: str) -> Proof:
    """A suspect of which no case could be made."""
    none = np.zeros((0,), bool)
    test = flip_test(none, np.zeros((0, 1), bool), seed=0)
    return Proof(suspect, -1, None, none, test, float("nan"), "not proved", problem=problem)


def settle(proofs: Sequence[Proof], *, fdr: float) -> list[Proof]:
    """Verdicts, with p corrected for all suspects that were tested."""
    q = q_values(np.array([proof.test.p for proof in proofs])) if proofs else np.zeros(0)
    return [
        replace(proof, q=float(own), verdict=proof.verdict if proof.problem else verdict_of(proof.test, own, fdr=fdr))
        for proof, own in zip(proofs, q, strict=True)
    ]


def chosen_cases(cases: Cases, rows: np.ndarray) -> Cases:
    """Some of the cases."""
    return replace(
        cases, keys=tuple(cases.keys[row] for row in rows), before=[cases.before[row] for row in rows],
        after=[cases.after[row] for row in rows], controls=[[draw[row] for row in rows] for draw in cases.controls],
        truth=cases.truth[rows], marks=[cases.marks[row] for row in rows] if len(cases.marks) else (),
    )  # fmt: skip


def _without(parts: Parts, suspect: Suspect, explored: Asked, asked: Asked, settings: AuditSettings) -> Without | None:
    right = asked.right
    if not len(explored.cases) or not right.any():
        return None
    carriers = find_carriers(parts, suspect, explored, settings)
    if carriers is None:
        return None

    def turned(change: Change) -> Bool[np.ndarray, " case"]:
        return parts.answer(asked.after, change).argmax(axis=1)[right] == suspect.target

    def cut(chosen: tuple[int, ...]) -> Change:
        return Change(parts=chosen, how=settings.ablate)

    beside = [turned(cut(chosen)) for chosen in carriers.control]
    still = parts.answer(asked.before, cut(carriers.parts)).argmax(axis=1) == asked.cases.truth
    moved = moved_by(parts, explored)
    erased = None if moved is None else rate_of(turned(Change(direction=moved)))
    sets = np.stack(beside).mean(axis=0) if beside else np.zeros(0)
    return Without(
        carriers, rate_of(turned(cut(carriers.parts))), rate_of(turned(cut(carriers.parts[:1]))), erased,
        mean_of(sets, seed=settings.seed), rate_of(still[right]),
    )  # fmt: skip


def _reverse(parts: Parts, suspect: Suspect, source: int, settings: AuditSettings) -> tuple[FlipTest | None, str]:
    """How often the class is lost where the concept is taken out of its inputs."""
    cases = parts.reverse(suspect, source, settings.cases)
    if cases is None or not len(cases):
        return None, ""
    answers = [parts.answer(parts.read(inputs)).argmax(axis=1) for inputs in (cases.before, cases.after)]
    right = answers[0] == cases.truth
    lost = right & (answers[1] != cases.truth)
    beside = [parts.answer(parts.read(draw)).argmax(axis=1) != cases.truth for draw in cases.controls]
    control = right[:, None] & np.stack(beside, axis=1)
    return flip_test(lost[right], control[right], seed=settings.seed), cases.how


def _transferred(other: Other, cases: Cases, target: int, seed: int) -> FlipTest | None:
    """The same inputs shown to another model, among those that it answers rightly; None where it lacks the class."""
    if not other.knows(target):
        return None
    before, after = other.answers(cases.before), other.answers(cases.after)
    beside = [other.answers(draw) for draw in cases.controls]
    right = before == cases.truth
    control = right[:, None] & np.stack([draw == target for draw in beside], axis=1)
    return flip_test((right & (after == target))[right], control[right], seed=seed)
