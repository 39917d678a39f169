"""Which parts carry a suspect to the answer: cases as the model answers them, and what each part adds on them.

Source: Bau et al. 2020, Understanding the role of individual units in a deep neural network (units ablated together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.recipes.audit.nouns import Carriers, Cases, Change, Parts, Suspect
from microtome.recipes.audit.settings import AuditSettings

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


def find_carriers(parts: Parts, suspect: Suspect, explored: Asked, settings: AuditSettings) -> Carriers | None:
    """The parts through which the concept reaches the answer, on the exploring half.

    Parts are ordered by what they add to the margin; the fewest are taken without which the answer turns at most half
    as often, of at most half of all. None where no part adds to it, or no answer turns.
    """
    order, grown = loudest(parts, explored, suspect.target)
    after, truth = explored.after, explored.cases.truth
    logits = [parts.answer(held) for held in (explored.before, after)]
    whole = float((logits[1].argmax(axis=1) == suspect.target).mean())
    # Of at most half of the parts: the other half lends the control.
    most = min(settings.parts, len(order), len(grown) // 2)
    if whole <= 0 or not most:
        return None
    growth = _margin(logits[1], suspect.target, truth) - _margin(logits[0], suspect.target, truth)
    total = growth if growth > 0 else float("nan")
    chosen = tuple(order[:most])
    for size in (size for size in SIZES if size <= most):
        cut = Change(parts=tuple(order[:size]), how=settings.ablate)
        if float((parts.answer(after, cut).argmax(axis=1) == suspect.target).mean()) <= ENOUGH * whole:
            chosen = tuple(order[:size])
            break
    mass = np.abs(parts.values(explored.before)).mean(axis=0)
    return Carriers(
        chosen, tuple(float(grown[n] / total) for n in chosen),
        matched_sets(mass, chosen, CONTROL_SETS, seed=settings.seed),
    )  # fmt: skip


def _margin(logits: Float[np.ndarray, "case klass"], target: int, truth: Int[np.ndarray, " case"]) -> float:
    return float((logits[:, target] - logits[np.arange(len(truth)), truth]).mean())


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
    own, free = chosen.copy(), rest[~np.isin(rest, chosen)]
    if not len(free):
        return tuple(sorted(own.tolist()))
    for _ in range(2 * len(own)):
        missing = goal - float(mass[own].sum())
        steps = mass[free][None, :] - mass[own][:, None]
        place = np.unravel_index(np.abs(steps - missing).argmin(), steps.shape)
        if abs(steps[place] - missing) >= abs(missing) - 1e-12:
            break
        own[place[0]], free[place[1]] = free[place[1]], own[place[0]]
        free.sort()
    return tuple(sorted(own.tolist()))
