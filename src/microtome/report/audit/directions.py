"""Concepts read from many units at once: a direction beside the best single unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.audit.view import AuditView, Row
from microtome.report.charts import Line, lines_chart
from microtome.report.decompose import cells

STYLES = (("c-one", "direct"), ("c-two", "total"), ("c-three", "third"))
LUCK = 0.05


def directions(view: AuditView) -> Mapping[str, Any] | None:
    """All concepts with a direction, those that gain most first."""
    rows = [row for row in view.rows("concept_directions") if row["iou"] is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: float("inf") if row["gain"] is None else -row["gain"])
    measure = _measure(rows)
    columns = (
        ("concept", False), ("category", False), (f"{measure} of the direction", True), ("chance", True),
        (f"best {view.part}", True), (f"its {measure}", True), ("gain", True), ("p", True),
        (f"{view.part}s needed", True), (view.nouns.items, True),
    )  # fmt: skip
    sheet = cells.Sheet("directions-sheet", "Concepts with a direction, largest gain first", columns,
                        [_line(row) for row in rows])  # fmt: skip
    judged = [row for row in rows if row["p"] is not None]
    return {
        "sheet": sheet, "first": rows[0] if (rows[0]["gain"] or 0.0) > 0 else None, "measure": measure,
        "auroc": any(row["auroc"] for row in rows), "judged": len(judged),
        "above": sum(row["p"] <= LUCK for row in judged), "count": len(rows), "chart": _paths(view, rows),
    }  # fmt: skip


def _measure(rows: list[Row]) -> str:
    kinds = {bool(row["auroc"]) for row in rows}
    return "score" if len(kinds) > 1 else "AUROC" if kinds == {True} else "IoU"


def _line(row: Row) -> list[cells.Cell]:
    best = row["best_unit"]
    needed = "" if row["needed"] is None else f"{row['needed']:,}" + (f" of {row['units']:,}" if row["units"] else "")
    return [
        cells.Cell(str(row["concept"]), row["concept"]), cells.Cell(str(row["category"] or words.MISSING)),
        cells.number(words.number(row["iou"], digits=2), row["iou"], whole=1.0, notch=row["chance"]),
        cells.score(row["chance"]), cells.number(words.MISSING if best is None else str(best), best),
        cells.score(row["iou_best_unit"]),
        cells.Cell(words.signed(row["gain"]), row["gain"], num=True),
        cells.number(words.probability(row["p"]), row["p"]), cells.number(needed or words.MISSING, row["needed"]),
        cells.number(words.count(row["images"]), row["images"]),
    ]  # fmt: skip


def _paths(view: AuditView, rows: list[Row]) -> Mapping[str, Any] | None:
    """How much of a direction a few units hold, for the concepts that gain most."""
    own: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in view.rows("concept_direction_paths"):
        if row["iou"] is not None and row["units"]:
            own[str(row["concept"])].append((row["units"], row["iou"]))
    names = [str(row["concept"]) for row in rows if len(own[str(row["concept"])]) > 1][: len(STYLES)]
    if not names:
        return None
    lines = [Line(sorted(own[name]), style) for name, (style, _) in zip(names, STYLES, strict=False)]
    ends = [(name, min(own[name]), max(own[name])) for name in names]
    told = "; ".join(
        f"{name} from {first[1]:.2f} with {first[0]} to {last[1]:.2f} with {last[0]}" for name, first, last in ends
    )
    chart = lines_chart(
        lines, x_name=f"{view.part}s used", y_name=_measure(rows), doubling=True,
        label=f"Fit of the direction with the first few {view.part}s alone: {told}.",
    )  # fmt: skip
    return {"chart": chart, "legend": [(key, name) for name, (_, key) in zip(names, STYLES, strict=False)]}
