"""What the unit does: pictures it fires on, where it disagrees with its name, and how strongly it fires."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.charts import Bar, Mark, histogram
from microtome.report.parts.common import pictures
from microtome.report.parts.passages import passages
from microtome.report.view import RangeView, RunView, UnitView


def top_images(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The images, or the texts, that the unit fires on most."""
    shown = _shown(view, unit, ranged, "top")
    if not shown:
        return None
    judged = any(one["right"] is not None for one in shown)
    return {"shown": shown, "named": ranged.named, "ranged": bool(ranged.number), "judged": judged}


def deciles(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """One example from each tenth of the unit's positive activations: the top ones are not all of it."""
    shown = _shown(view, unit, ranged, "decile")
    return {"shown": shown, "ranged": bool(ranged.number)} if shown else None


def disagreements(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """Where the name holds and the unit is silent, and the other way round."""
    misses = _shown(view, unit, ranged, "miss")
    alarms = _shown(view, unit, ranged, "false alarm")
    return {"misses": misses, "alarms": alarms, "named": ranged.named} if misses or alarms else None


def _shown(view: RunView, unit: UnitView, ranged: RangeView, kind: str) -> list[Mapping[str, Any]]:
    """Exemplars of one kind, as pictures or as passages."""
    return (passages if view.nouns.text else pictures)(view, unit, ranged, kind)


def activations(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The histogram of activations on a logarithmic axis, with the threshold or the range marked."""
    rows = [row for row in unit.histogram if row["low"] is not None and row["high"] is not None]
    if not rows or not any(row["count"] for row in rows):
        return None
    row = ranged.row
    bars = [Bar(r["low"], r["high"], math.log10(1 + r["count"])) for r in rows]
    low, high = row["low"], row["high"]
    marks, band = [], None
    if low is not None:
        marks.append(Mark(low, f"{'from' if ranged.number else 'T ='} {words.activation(low)}"))
        band = (low, rows[-1]["high"] if high is None else high)
    total = sum(r["count"] for r in rows)
    label = (
        f"Histogram of {total:,} activations from {words.activation(rows[0]['low'])} to "
        f"{words.activation(rows[-1]['high'])}, counts on a logarithmic axis"
        + ("." if low is None else f"; the unit counts as firing above {words.activation(low)}.")
    )
    chart = histogram(
        bars,
        marks=marks,
        band=band,
        x_name="activation",
        y_name="how often (log)",
        label=label,
        y_ticks=False,
        height=200,
    )
    return {"chart": chart, "row": row, "total": total, "ranged": bool(ranged.number), "elements": view.nouns.elements}


def when_active(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """How often the network is right where the unit fires, and where it is silent."""
    row = ranged.row
    if row["accuracy_active"] is None:
        return None
    classes = row["top_classes"]
    if isinstance(classes, list | tuple):
        classes = ", ".join(str(name) for name in classes)
    return {"row": row, "classes": classes, "overall": view.manifest["summary"].get("accuracy")}
