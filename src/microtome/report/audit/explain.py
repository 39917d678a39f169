"""The page of one input: the answer, the parts that fire, what each adds, what the answer is without each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microtome.report import words
from microtome.report.audit.common import Rate, signed_bars, title_of
from microtome.report.audit.pictures import first_picture, text_case
from microtome.report.audit.view import AuditView, Row


def intro(view: AuditView) -> Mapping[str, Any]:
    """The input, the answer, and why in a sentence."""
    answers = answers_of(view.summary.get("top"))
    texts = [row for row in view.rows("finding_texts") if row["text_after"] or row["text_before"]]
    return {
        "picture": first_picture(view.rows("finding_images"), ""),
        "text": text_case({**texts[0], **_unedited(texts[0])}) if texts else None,
        "answer": answers[0] if answers else None,
        "answers": [Rate(name, value) for name, value in answers],
        "sentences": [str(said) for said in view.summary.get("sentences") or []],
        "label": _label(view), "lead": _lead(view),
    }  # fmt: skip


def _unedited(row: Row) -> Mapping[str, Any]:
    text = row["text_before"] or row["text_after"]
    return {"text_before": text, "text_after": text}


def _label(view: AuditView) -> str | None:
    rows = [*view.rows("finding_images"), *view.rows("finding_texts")]
    return next((row["label"] for row in rows if row["label"]), None)


def answers_of(top: Any) -> list[tuple[str, words.Number | None]]:
    """Answers with their probability, however the manifest has them: a list of pairs, one pair, or a mapping."""
    if isinstance(top, Mapping):
        if "answer" in top:
            return [(str(top["answer"]), top.get("probability"))]
        return [(str(name), value) for name, value in top.items()]
    if isinstance(top, str):
        return [(top, None)]
    if isinstance(top, Sequence) and len(top) == 2 and isinstance(top[0], str):
        return [(top[0], top[1])]
    if isinstance(top, Sequence):
        return [found for each in top for found in answers_of(each)]
    return []


def _lead(view: AuditView) -> str:
    """What speaks loudest, in words."""
    parts = [row for row in view.rows("explained_parts") if row["part"] is not None and row["adds"] is not None]
    rows = [row for row in parts if row["fires"]] or parts
    loudest = max(rows, key=lambda row: row["adds"], default=None)
    if loudest is None or loudest["adds"] <= 0:
        return ""
    fires = f", which fires on {loudest['words']}" if loudest["words"] else ""
    return f"Most is added by {title_of(loudest)}{fires} ({words.signed(loudest['adds'])})."


def parts(view: AuditView) -> Mapping[str, Any] | None:
    """The parts with what each adds to the answer."""
    rows = sorted(view.rows("explained_parts"), key=lambda row: (row["rank"] is None, row["rank"] or 0))
    if not rows:
        return None
    answers = answers_of(view.summary.get("top"))
    answer = answers[0][0] if answers else None
    bars = [
        {
            **bar, "title": title_of(bar["row"]),
            "turns": bar["row"]["without"] is not None and answer is not None and bar["row"]["without"] != answer,
            "change": words.signed(bar["row"]["without_change"]),
        }
        for bar in signed_bars(rows, "adds")
    ]  # fmt: skip
    ways = sorted((bar for bar in bars if bar["row"]["part"] is None), key=lambda bar: -(bar["row"]["adds"] or 0.0))
    bars = [bar for bar in bars if bar["row"]["part"] is not None]
    firing = [bar for bar in bars if bar["row"]["fires"]]
    return {
        "firing": firing or bars, "rest": [bar for bar in bars if not bar["row"]["fires"]] if firing else [],
        "directions": ways,
        "answer": answer, "turning": [bar for bar in bars if bar["turns"]],
        "changes": any(row["without_change"] is not None for row in rows),
    }  # fmt: skip
