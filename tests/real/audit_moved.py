"""What pasting does to a class's score where it turns no answer: the same cases as the audit's, asked once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from microtome.data.base import ItemData
from microtome.models.model import Model
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import ANY, CONFIRM
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.unit_subject import open_unit_subject
from microtome.record.one_pass import silent
from microtome.verify.paired import paired_change

TOP = 5


def moved_rows(
    model: Model, layer: str, data: ItemData, inputs: AuditInputs, settings: AuditSettings, out: Path
) -> list[dict[str, Any]]:
    """A row a suspect: how the logit of its class grows, and how often any other answer is given.

    Each beside the control's mean over draws; the difference in logits with its interval and p, paired over cases.
    """
    subject = open_unit_subject(model, layer, data, inputs, settings, out=out, progress=silent)
    parts = subject.parts(silent)
    rows = []
    for suspect in parts.suspects():
        cases = parts.cases(suspect, ANY, settings.cases, CONFIRM)
        before, after = (parts.answer(parts.read(shown)) for shown in (cases.before, cases.after))
        beside = np.stack([parts.answer(parts.read(draw)) for draw in cases.controls])
        target = suspect.target
        test = paired_change(before[:, target], after[:, target], beside[:, :, target].mean(axis=0), seed=settings.seed)
        truth = cases.truth
        rows.append({
            "concept": str(suspect.concept), "words": suspect.words, "target": model.classes[target],
            "cases": len(cases), "grown": float((after - before)[:, target].mean()), "control": test.control.mean,
            "difference": test.difference.mean, "low": test.difference.low, "high": test.difference.high,
            "p": test.p, "lost": float((after.argmax(axis=1) != truth).mean()),
            "lost_control": float((beside.argmax(axis=2) != truth).mean()),
            "top": float(_in_top(after, target).mean() - _in_top(before, target).mean()),
            "top_control": float(_in_top(beside.reshape(-1, before.shape[1]), target).mean()
                                 - _in_top(before, target).mean()),
        })  # fmt: skip
    return rows


def _in_top(logits: np.ndarray, target: int) -> np.ndarray:
    return (logits > logits[:, [target]]).sum(axis=1) < TOP
