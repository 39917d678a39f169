"""What the pages of an audit share: points, intervals, rates as bars, signed bars, what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microtome.report import words
from microtome.report.audit.view import AuditView, Row
from microtome.report.decompose.common import settings_of

PERCENT = 100.0
NEGLIGIBLE = 0.05


@dataclass(frozen=True)
class Rate:
    """A share as a bar with its interval.

    Attributes
    ----------
    name, note:
        What it is a share of, and what a reader should know, in a low voice.
    value, low, high:
        The share and its 95 % interval, 0 to 1; None = not known.
    notch:
        Where a mark stands, such as the control; None = none.
    style:
        `one` (the change itself), `two` (a control) or `three` (something else that was done).
    """

    name: str
    value: words.Number | None
    low: words.Number | None = None
    high: words.Number | None = None
    note: str = ""
    notch: words.Number | None = None
    style: str = "one"

    @property
    def interval(self) -> str:
        """The interval in words; empty where it is not known."""
        return "" if self.low is None or self.high is None else f"{words.share(self.low)} to {words.share(self.high)}"


def points(value: words.Number | None, *, digits: int = 0) -> str:
    """A difference of shares in points: `+12 points`."""
    return words.MISSING if value is None else f"{_bare(value, digits)} points"


def points_between(low: words.Number | None, high: words.Number | None, *, digits: int = 0) -> str:
    """An interval of differences: `+4 to +20 points`; empty where it is not known."""
    return "" if low is None or high is None else f"{_bare(low, digits)} to {_bare(high, digits)} points"


def _bare(value: words.Number, digits: int) -> str:
    percent = round(PERCENT * value, digits)
    # Minus zero would be written with its sign.
    return words.signed(percent, digits=digits) if percent else "0"


def price(value: words.Number | None) -> str:
    """Points of accuracy that something costs: `1.2 points`, `nothing`, `gains 0.4 points`."""
    if value is None:
        return words.MISSING
    if abs(value) < NEGLIGIBLE:
        return "nothing"
    return f"{value:.1f} points" if value > 0 else f"gains {-value:.1f} points"


def between(low: words.Number | None, high: words.Number | None) -> str:
    """` (95 % interval 12 % to 15 %)`; empty where it is not known."""
    if low is None or high is None:
        return ""
    return f" (95\u00a0% interval {words.share(low)} to {words.share(high)})"


def capital(text: str) -> str:
    """The text with a capital letter."""
    return text[:1].upper() + text[1:]


def full_stop(text: str) -> str:
    """The text as a sentence."""
    text = capital(text.strip())
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def signed_bars(rows: Sequence[Row], key: str) -> list[dict[str, Any]]:
    """Rows with a bar to the left or right of zero; the longest is half the width."""
    longest = max((abs(row[key]) for row in rows if row[key] is not None), default=0.0)
    return [
        {
            "row": row, "value": words.signed(row[key]),
            "side": "against" if (row[key] or 0.0) < 0 else "for",
            "part": 50 * abs(row[key]) / longest if row[key] is not None and longest else 0.0,
        }
        for row in rows
    ]  # fmt: skip


def title_of(row: Row) -> str:
    """A part's name: `unit 37`."""
    return str(row["title"] or row["part"])


def what_was_done(view: AuditView) -> Mapping[str, Any]:
    """Model, data and settings as a list of facts; notes that a reader should know."""
    manifest = view.manifest
    return {
        "facts": [(name, text) for name, text in _facts(view) if text],
        "settings": [(name, text) for name, text in settings_of(view.settings) if text],
        "notes": list(dict.fromkeys(str(note) for note in manifest.get("notes") or [] if note)),
        "created": manifest.get("created", ""),
    }


def _facts(view: AuditView) -> list[tuple[str, str]]:
    model, data, shift = view.manifest["model"], view.manifest["data"], view.manifest.get("shift")
    layer = view.layer.removeprefix("layer ")
    build = [view.model, f"layer {layer}" if layer else ""]
    build.append(view.parts(int(model["units"])) if model.get("units") else "")
    classes = len(model.get("classes") or ())
    build.append("" if not classes else "1 class" if classes == 1 else f"{classes:,} classes")
    accuracy = view.summary.get("accuracy")
    return [
        ("Classifier", ", ".join(part for part in build if part)),
        ("Right answers", "" if accuracy is None else words.share(accuracy)),
        (capital(view.nouns.items), _named(view, data)),
        ("Shift split", shift if isinstance(shift, str) else _named(view, shift) if shift else ""),
        ("Built on the run", str(view.summary.get("run") or "")),
    ]


def _named(view: AuditView, data: Mapping[str, Any]) -> str:
    count = data.get("images")
    return ", ".join(part for part in (str(data.get("name") or ""), view.items(count) if count else "") if part)
