"""Tables of single concepts against the unit, with raw counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.report.parts.common import categories_of, concept_of, scale_of
from microtome.report.view import RangeView, Row, RunView, UnitView


def overlaps(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The concepts that overlap the unit most."""
    rows = sorted(ranged.overlaps, key=lambda row: row["rank"])
    return _table(view, rows)


def categories(view: RunView, unit: UnitView, ranged: RangeView) -> Mapping[str, Any] | None:
    """The best single concept of each category, best first."""
    rows = sorted(ranged.categories, key=lambda row: (-(row["iou"] or 0.0), row["category"]))
    return _table(view, rows)


def _table(view: RunView, rows: list[Row]) -> Mapping[str, Any] | None:
    if not rows:
        return None
    listed = [
        {
            "row": row,
            "concept": concept_of(view, row["concept"]),
            "categories": categories_of(view, row["category"]),
        }
        for row in rows
    ]
    return {"rows": listed, "scale": scale_of([row["iou"] for row in rows])}
