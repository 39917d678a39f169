"""From held-out scores and null draws to names: p, q and the reason where a unit has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microtome.recipes.search_units import SlotResult
from microtome.verify.chance import ChanceSettings, Verdict, judge
from microtome.verify.fdr import q_values


@dataclass(frozen=True)
class Judged:
    """A slot with its verdicts.

    Attributes
    ----------
    verdicts:
        Entry 0 of the chosen length, entry k of length k.
    q:
        False-discovery rate of each verdict over all slots.
    status:
        `named`, `not named`, `silent` or `skipped`.
    reason:
        A sentence where it has no name.
    """

    result: SlotResult
    verdicts: tuple[Verdict, ...]
    q: tuple[float, ...]
    status: str
    reason: str

    @property
    def named(self) -> bool:
        return self.status == "named"


def judge_slots(results: list[SlotResult], chance: ChanceSettings, *, routes: int) -> list[Judged]:
    """Judge every slot at every length; false discoveries are controlled over slots within each length."""
    areas = np.array([sum(result.active) for result in results], float)
    spreads = np.array([result.spread for result in results])
    nulls = [result.null for result in results]
    by_route = [
        judge(np.array([result.scores[route] for result in results]), nulls, areas=areas, spreads=spreads, route=route)
        for route in range(routes)
    ]
    q = np.stack([q_values(np.array([verdict.p for verdict in verdicts])) for verdicts in by_route], axis=1)
    judged = []
    for i, result in enumerate(results):
        verdicts = tuple(verdicts[i] for verdicts in by_route)
        status, reason = _status(result, verdicts[0], q[i, 0], chance)
        judged.append(Judged(result, verdicts, tuple(float(x) for x in q[i]), status, reason))
    return judged


def _status(result: SlotResult, verdict: Verdict, q: float, chance: ChanceSettings) -> tuple[str, str]:
    if not any(result.active) and result.on_void:
        return "silent", "It fires only where nothing is annotated, so nothing can be said of it."
    if not any(result.active):
        return (
            "silent",
            "It never fires above its threshold: too many of its largest activations are equal, if not all.",
        )
    if result.skipped:
        return (
            "skipped",
            f"It is active on {sum(result.active):,} elements, fewer than the {result.skipped:,} that a search needs "
            "(--min-active).",
        )
    if not result.explanations:
        return "not named", "No concept is present where it fires."
    if not chance.permutations:
        return "not named", "No chance baseline was run (--permutations 0), so no name is claimed."
    score = result.scores[0]
    if not score > verdict.chance:
        reached = f"chance reaches {verdict.chance:.3f}"
        return "not named", f"Its best formula scores {score:.3f} on the held-out half; {reached}."
    if not q <= chance.fdr:
        return (
            "not named",
            f"Its best formula scores {score:.3f} on the held-out half against {verdict.chance:.3f} by chance, "
            f"which is not enough to rule chance out (p = {verdict.p:.2g}, q = {q:.2g}, limit {chance.fdr:g}).",
        )
    return "named", ""
