"""A suspect put to the proof: where is it strongest, does it hold on other inputs, who carries it, what undoes it.

explore   on half of the data: the class of inputs on which the answer turns most, and the parts that carry it
confirm   on the other half: how often the answer turns, beside a control; the same with the carriers cut
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from microtome.core.errors import DataError
from microtome.recipes.audit.nouns import CONFIRM, EXPLORE, Carriers, Cases, Change, Parts, Suspect
from microtome.recipes.audit.others import Other
from microtome.recipes.audit.settings import AuditSettings
from microtome.verify.fdr import q_values
from microtome.verify.flips import FlipTest, Rate, Verdict, flip_test, rate_of, verdict_of
from microtome.verify.paired import Mean, mean_of

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Numbers of parts that are tried together."""
CONTROL_SETS, DRAWN = 5, 500
ENOUGH = 0.5
"""Parts carry a suspect where without them the answer turns at most so many times as often."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Cases with what the model made of them, read once.

    Attributes
    ----------
    cases:
        The inputs.
    before, after:
        What `Parts.read` gave of them.
    right:
        Answered rightly before.
    turned:
        Right before, and answered with the target afterwards.
    control:
        The same by each draw of the control.
    """

    cases: Cases
    before: Any
    after: Any
    right: Bool[np.ndarray, " case"]
    turned: Bool[np.ndarray, " case"]
    control: Bool[np.ndarray, "case draw"]


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


def ask(parts: Parts, cases: Cases, target: int) -> Asked:
    """Show the model all inputs of some cases."""
    before, after = parts.read(cases.before), parts.read(cases.after)
    beside = [parts.answer(parts.read(draw)).argmax(axis=1) == target for draw in cases.controls]
    right = parts.answer(before).argmax(axis=1) == cases.truth
    controls = np.stack(beside, axis=1) if beside else np.zeros((len(right), 1), bool)
    turned = right & (parts.answer(after).argmax(axis=1) == target)
    return Asked(cases, before, after, right, turned, right[:, None] & controls)


def moved_by(parts: Parts, asked: Asked) -> Float[np.ndarray, " part"] | None:
    """The direction along which the concept moves the parts: the mean of what changed. None where no part moves, or no
    direction over parts can be taken out."""
    if not parts.erasable:
        return None
    moved = (parts.values(asked.after) - parts.values(asked.before)).mean(axis=0)
    return moved if np.isfinite(moved).all() and moved.any() else None


def loudest(parts: Parts, asked: Asked, target: int) -> tuple[list[int], Float[np.ndarray, " part"]]:
    """Parts that add to the margin where the concept comes in, most first; and what each adds."""
    grown = parts.carried(asked.cases, asked.before, asked.after, target)
    return [int(n) for n in np.argsort(-grown, kind="stable") if grown[n] > 0], grown


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


def find_carriers(parts: Parts, suspect: Suspect, explored: Asked, settings: AuditSettings) -> Carriers | None:
    """The parts through which the concept reaches the answer, on the exploring half.

    Parts are ordered by what they add to the margin; the fewest are taken without which the answer turns at most half
    as often. None where the margin does not grow, or no answer turns.
    """
    order, grown = loudest(parts, explored, suspect.target)
    total = float(grown.sum())
    after = explored.after
    whole = float((parts.answer(after).argmax(axis=1) == suspect.target).mean())
    if total <= 0 or whole <= 0 or not order:
        return None
    chosen = tuple(order[: settings.parts])
    for size in (size for size in SIZES if size <= min(settings.parts, len(order))):
        cut = Change(parts=tuple(order[:size]), how=settings.ablate)
        if float((parts.answer(after, cut).argmax(axis=1) == suspect.target).mean()) <= ENOUGH * whole:
            chosen = tuple(order[:size])
            break
    mass = np.abs(parts.values(explored.before)).mean(axis=0)
    return Carriers(
        chosen, tuple(float(grown[n] / total) for n in chosen),
        matched_sets(mass, chosen, CONTROL_SETS, seed=settings.seed),
    )  # fmt: skip


def matched_sets(
    mass: Float[np.ndarray, " part"], chosen: Sequence[int], count: int, *, seed: int
) -> tuple[tuple[int, ...], ...]:
    """Random sets of as many other parts, with nearly the same mass in all.

    Of 500 random sets those nearest in mass are taken, and each is then mended: one part at a time is exchanged for
    the one that brings the sum nearest.

    Parameters
    ----------
    mass:
        Of every part, at least 0.
    chosen:
        The set to be matched. Where fewer other parts are left, there is no control.
    """
    rest = np.setdiff1d(np.arange(len(mass)), np.array(chosen, np.int64))
    size, goal = len(chosen), float(mass[list(chosen)].sum())
    if len(rest) < size or not size:
        return ()
    generator = np.random.default_rng([seed, 61])
    drawn = np.stack([generator.permutation(rest)[:size] for _ in range(DRAWN)])
    away = np.abs(mass[drawn].sum(axis=1) - goal)
    found: list[tuple[int, ...]] = []
    for row in np.argsort(away, kind="stable"):
        mended = _mended(mass, drawn[row], rest, goal)
        if mended not in found:
            found.append(mended)
        if len(found) == count:
            break
    return tuple(found)


def _mended(mass: np.ndarray, chosen: np.ndarray, rest: np.ndarray, goal: float) -> tuple[int, ...]:
    """The set with single parts exchanged as long as its mass comes nearer to the goal."""
    own = chosen.copy()
    for _ in range(2 * len(own)):
        missing = goal - float(mass[own].sum())
        free = np.setdiff1d(rest, own)
        if not len(free):
            break
        steps = mass[free][None, :] - mass[own][:, None]
        place = np.unravel_index(np.abs(steps - missing).argmin(), steps.shape)
        if abs(steps[place] - missing) >= abs(missing) - 1e-12:
            break
        own[place[0]] = free[place[1]]
    return tuple(sorted(int(n) for n in own))


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
