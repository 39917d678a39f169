"""An audit that is stopped goes on from what it explored and proved, and ends as one that was not stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microtome.core.formula import Leaf
from microtome.recipes.audit import run_parts
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.memory import Memory
from microtome.recipes.audit.nouns import Carriers, Suspect
from microtome.recipes.audit.proving import Proof, Without, nothing_tested, tried_on
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.verify.flips import flip_test, rate_of
from microtome.verify.paired import Mean

SUSPECT = Suspect(0, 1, Leaf("water"), "water", (3,), 0.9, 0.1, None, None, "why")


def some_proof() -> Proof:
    generator = np.random.default_rng(0)
    turned, control = generator.random(20) < 0.7, generator.random((20, 2)) < 0.1
    test = flip_test(turned, control, seed=0)
    rates = [rate_of(generator.random(20) < share) for share in (0.2, 0.5, 0.3, 0.9)]
    carriers = Carriers((3, 1), (0.5, 0.25), ((4, 5), (6, 7)))
    without = Without(carriers, rates[0], rates[1], rates[2], Mean(float("nan"), float("nan"), float("nan")), rates[3])
    return Proof(
        SUSPECT, 0, None, turned, test, float("nan"), "not proved", without, test, "filled", {"other": test, "b": None},
        tuple(range(20)),
    )  # fmt: skip


def test_what_is_kept_is_what_is_recalled(tmp_path: Path) -> None:
    proof, generator = some_proof(), np.random.default_rng(1)
    tried = [tried_on(SUSPECT, 0, generator.random(8) < 0.5, generator.random((8, 2)) < 0.2, seed=4)]
    first = Memory(tmp_path / "cache", seed=4, others=["other", "b"])
    assert first.recall(SUSPECT) is None
    assert first.recall_proof(SUSPECT) is None
    first.keep(SUSPECT, tried, "")
    first.keep_proof(proof)
    for memory in (first, Memory(tmp_path / "cache", seed=4, others=["other", "b"])):
        explored = memory.recall(SUSPECT)
        assert explored is not None
        assert (explored[0][0].test, explored[1]) == (tried[0].test, "")
        again = memory.recall_proof(SUSPECT)
        assert again is not None
        assert repr(again) == repr(proof)
    assert Memory(tmp_path / "cache", others=["another"]).recall_proof(SUSPECT) is None
    assert Memory(tmp_path / "cache").recall(SUSPECT) is not None


def test_a_proof_that_failed_is_kept_with_its_problem_and_a_damaged_file_is_done_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep_proof(nothing_tested(SUSPECT, "There is no segment."))
    again = Memory(tmp_path).recall_proof(SUSPECT)
    assert again is not None
    assert (again.problem, again.source, len(again.turned)) == ("There is no segment.", -1, 0)
    (tmp_path / "proofs.json").write_text("{")
    assert Memory(tmp_path).recall_proof(SUSPECT) is None


class _StopError(RuntimeError):
    pass


def _stop(*_: Any, **__: Any) -> Any:
    raise _StopError


def test_a_stopped_audit_ends_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = DissectSettings(method="netdissect", permutations=20, units=tuple(range(90, 106)))
    run = dissect(data="world@320", out=tmp_path / "units", settings=units)
    one = {"concept": "water", "target": "waterbird", "source": "landbird"}
    settings = AuditSettings(images=320, cases=20, directions=0, **one)
    inputs = AuditInputs(run=run.path)

    def audited(name: str) -> Audit:
        return audit(data="world@320", out=tmp_path / name, inputs=inputs, settings=settings)

    whole = audited("whole")
    assert whole.proved, "there is something to repair, so that the audit is stopped where it repairs"
    with monkeypatch.context() as patched:
        patched.setattr(run_parts, "repair", _stop)
        with pytest.raises(_StopError):
            audited("stopped")
    assert not (tmp_path / "stopped" / "manifest.json").exists()
    with monkeypatch.context() as patched:
        patched.setattr(run_parts, "explore", _stop)
        patched.setattr(run_parts, "confirm", _stop)
        again = audited("stopped")
    for table in ("findings", "finding_parts", "confusions", "repairs", "repair_groups", "finding_images"):
        own, other = whole.rows(table), again.rows(table)
        assert [{k: v for k, v in row.items() if k != "command"} for row in own] == [
            {k: v for k, v in row.items() if k != "command"} for row in other
        ]
