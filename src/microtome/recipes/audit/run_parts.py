"""The recipe of an audit, the same for every kind of model: suspect, prove, repair.

parts.suspects() -> explore each -> confirm on fresh inputs -> verdicts -> repair what is proved
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microtome.core.errors import DataError
from microtome.recipes.audit.memory import Memory
from microtome.recipes.audit.nouns import Parts
from microtome.recipes.audit.others import Other
from microtome.recipes.audit.proving import Proof, Tried, confirm, explore, nothing_tested, settle, with_cases
from microtome.recipes.audit.repairing import Repairs, repair
from microtome.recipes.audit.settings import AuditSettings
from microtome.record.one_pass import Progress, silent
from microtome.verify.flips import BAR, VERDICTS

CLEAR = 2 * BAR
"""An answer turns clearly where it turns so much more often than by the control."""


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
    parts: Parts, settings: AuditSettings, *, others: Sequence[Other] = (), memory: Memory | None = None,
    progress: Progress = silent,
) -> Audited:  # fmt: skip
    """Find what a model leans on and should not, prove it by intervention, and repair it.

    Parameters
    ----------
    parts:
        The model with its inputs.
    others:
        Models that the same inputs are shown to.
    memory:
        What an audit that was stopped has explored and proved.

    Raises
    ------
    DataError
        If the one suspect that the user asked for cannot be tested.
    """
    suspects, memory = parts.suspects(), memory or Memory()
    tried: list[Tried] = []
    proofs: list[Proof] = []
    for done, suspect in enumerate(suspects):
        progress("proving suspects", done, len(suspects))
        known = memory.recall(suspect)
        found, problem = known or explore(parts, suspect, settings)
        if known is None:
            memory.keep(suspect, found, problem)
        if problem and settings.concept:
            raise DataError(
                f"The suspect '{suspect.words}' cannot be tested: {problem}",
                expected="a concept of which the data have segments, and inputs to put it into",
                next_step="see what the data hold with `microtome data check`",
            )
        tried += found
        best = strongest(found)
        proofs.append(
            nothing_tested(suspect, problem) if best is None else _confirmed(parts, best, settings, others, memory)
        )
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


def _confirmed(parts: Parts, best: Tried, settings: AuditSettings, others: Sequence[Other], memory: Memory) -> Proof:
    known = memory.recall_proof(best.suspect)
    if known is not None and (known.problem or known.source == best.source):
        return with_cases(parts, known, settings)
    found = confirm(parts, best, settings, others)
    memory.keep_proof(found)
    return found


def strongest(tried: Sequence[Tried]) -> Tried | None:
    """The class of inputs to prove a suspect on; None where none was tried.

    Classes come likeliest first, so the first on which the answer clearly turns is the one that the model confuses;
    where it turns clearly on none, the one on which it turns most.
    """
    clear = [one for one in tried if one.difference >= CLEAR]
    return clear[0] if clear else max(tried, key=lambda one: (one.difference, one.rate), default=None)


def _rank(proof: Proof) -> tuple[int, float, int]:
    difference = proof.test.difference.mean
    return VERDICTS.index(proof.verdict), -difference if difference == difference else 1.0, proof.suspect.number
