"""The recipe of an audit, the same for every kind of model: suspect, prove, repair.

parts.suspects() -> explore each -> confirm on fresh inputs -> verdicts -> repair what is proved
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microtome.recipes.audit.nouns import Parts
from microtome.recipes.audit.others import Other
from microtome.recipes.audit.proving import Proof, Tried, confirm, explore, nothing_tested, settle
from microtome.recipes.audit.repairing import Repairs, repair
from microtome.recipes.audit.settings import AuditSettings
from microtome.record.one_pass import Progress, silent
from microtome.verify.flips import VERDICTS


@dataclass(frozen=True, eq=False)
class Audited:
    """What an audit found.

    Attributes
    ----------
    proofs:
        One a suspect: proved ones first, by how much they turn.
    tried:
        Everything that was explored.
    repairs:
        Of proved faults, by the suspect's number.
    """

    proofs: tuple[Proof, ...]
    tried: tuple[Tried, ...]
    repairs: dict[int, Repairs]


def audit_parts(
    parts: Parts, settings: AuditSettings, *, others: Sequence[Other] = (), progress: Progress = silent
) -> Audited:
    """Find what a model leans on and should not, prove it by intervention, and repair it.

    Parameters
    ----------
    parts:
        The model with its inputs.
    others:
        Models that the same inputs are shown to.
    """
    suspects = parts.suspects()
    tried: list[Tried] = []
    proofs: list[Proof] = []
    for done, suspect in enumerate(suspects):
        progress("proving suspects", done, len(suspects))
        found, problem = explore(parts, suspect, settings)
        tried += found
        best = max(found, key=lambda one: (one.difference, one.rate), default=None)
        proofs.append(nothing_tested(suspect, problem) if best is None else confirm(parts, best, settings, others))
    progress("proving suspects", len(suspects), len(suspects))
    ranked = sorted(settle(proofs, fdr=settings.fdr), key=_rank)
    repairs: dict[int, Repairs] = {}
    proved = [proof for proof in ranked if proof.verdict == "proved"] if settings.repair else []
    for done, proof in enumerate(proved, start=1):
        made = repair(parts, proof, settings)
        if made is not None:
            repairs[proof.suspect.number] = made
        progress("repairing", done, len(proved))
    return Audited(tuple(ranked), tuple(tried), repairs)


def _rank(proof: Proof) -> tuple[int, float, int]:
    difference = proof.test.difference.mean
    return VERDICTS.index(proof.verdict), -difference if difference == difference else 1.0, proof.suspect.number
