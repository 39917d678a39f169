"""Carriers: of at most half of the parts, with their share of the growth of the margin as it was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from microtome.core.formula import Leaf
from microtome.recipes.audit.carriers import Asked, find_carriers
from microtome.recipes.audit.nouns import NO_CHANGE, Cases, Change, Suspect
from microtome.recipes.audit.settings import AuditSettings

PARTS, CASES = 10, 12


class _Linear:
    """A model whose logits are a matrix times its parts, and a rest that belongs to no part."""

    kind, erasable = "neurons", False
    item, classes, known, names, notes = "image", ("land", "sea"), (0, 1), {}, []

    def _unused(self, *_: Any) -> Any:
        raise AssertionError("carriers ask for nothing of this")

    suspects = sources = cases = reverse = read = take = features = last = splits = examples = _unused

    def __init__(self, *, rest: float) -> None:
        self.weight = np.zeros((2, PARTS))
        self.weight[1] = np.linspace(1.0, 0.1, PARTS)
        self.rest = rest

    def answer(self, held: np.ndarray, change: Change = NO_CHANGE) -> np.ndarray:
        kept = np.array([part not in change.parts for part in range(PARTS)])
        logits = (held[:, :PARTS] * kept) @ self.weight.T
        logits[:, 1] += self.rest * held[:, PARTS] - 2.0
        return logits

    def carried(self, cases: Cases, before: np.ndarray, after: np.ndarray, target: int) -> np.ndarray:
        grown = (after - before)[:, :PARTS] * (self.weight[target] - self.weight[0])
        return grown.mean(axis=0)

    def values(self, held: np.ndarray) -> np.ndarray:
        return held[:, :PARTS]


def asked_of(model: Any, *, moved: float = 1.0) -> Asked:
    generator = np.random.default_rng(0)
    before = generator.random((CASES, PARTS + 1)) * 0.1
    after = before + moved
    cases = Cases(0, tuple(map(str, range(CASES))), list(before), list(after), [], np.zeros(CASES, np.int64), "", "")
    right = np.ones(CASES, bool)
    return Asked(cases, before, after, right, right, np.zeros((CASES, 1), bool))


SUSPECT = Suspect(0, 1, Leaf("water"), "water", (0,), 0.9, 0.1, None, None, "why")


@pytest.mark.parametrize("rest", [0.0, 5.5])
def test_shares_are_of_the_growth_that_was_measured(rest: float) -> None:
    model = _Linear(rest=rest)
    asked = asked_of(model)
    found = find_carriers(model, SUSPECT, asked, AuditSettings())  # type: ignore[arg-type]
    assert found is not None
    weights = model.weight[1]
    for part, share in zip(found.parts, found.margin, strict=True):
        assert share == pytest.approx(weights[part] / (weights.sum() + rest))
    assert list(found.parts) == list(range(len(found.parts)))


def test_at_most_half_of_the_parts_are_cut_so_that_the_rest_lends_the_control() -> None:
    model = _Linear(rest=50.0)
    found = find_carriers(model, SUSPECT, asked_of(model), AuditSettings(parts=9))  # type: ignore[arg-type]
    assert found is not None
    assert len(found.parts) == PARTS // 2
    assert found.control
    assert all(not set(chosen) & set(found.parts) for chosen in found.control)


def test_where_no_answer_turns_nobody_carries_anything() -> None:
    model = _Linear(rest=0.0)
    assert find_carriers(model, SUSPECT, asked_of(model, moved=0.01), AuditSettings()) is None  # type: ignore[arg-type]
