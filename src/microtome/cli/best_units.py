"""The table that a finished dissection prints: its best explained units, and where the report is."""

from __future__ import annotations

import json
import math
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.recipes.result import Dissection

_BEST = """
select unit, range, words, score, score_heldout, chance, p, fdr from units
where named order by score_heldout desc, unit limit {most}
"""


def print_result(result: Dissection, *, as_json: bool, most: int = 10) -> None:
    """Print the best named units as a table, or the whole outcome as JSON."""
    summary = result.manifest["summary"]
    if as_json:
        typer.echo(json.dumps(content_of(result)))
        return
    console = Console()
    rows = result.query(_BEST.format(most=most)).to_pylist()
    metric = result.manifest["settings"]["metric"]
    label = "IoU" if metric == "iou" else metric
    if rows:
        table = Table(title=f"The {len(rows)} best explained units", title_justify="left")
        table.add_column("unit", justify="right")
        if any(row["range"] for row in rows):
            table.add_column("range", justify="right")
        table.add_column("fires on")
        for name in (f"{label} searched", f"{label} held out", "by chance", "p"):
            table.add_column(name, justify="right")
        for row in rows:
            place = [str(row["unit"])] + ([str(row["range"])] if any(r["range"] for r in rows) else [])
            numbers = [f"{row[key]:.3f}" for key in ("score", "score_heldout", "chance")]
            table.add_row(*place, Text(row["words"]), *numbers, f"{row['p']:.1g}")
        console.print(table)
    named, others = f"{summary['named']} of {summary['units']} named", f"{summary['not_named']} not named"
    skipped = f", {summary['skipped']} skipped" if summary.get("skipped") else ""
    console.print(f"{named}, {others}, {summary['silent']} silent{skipped}.", highlight=False)
    for note in result.manifest["notes"]:
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(f"Report: {result.report}", markup=False, highlight=False, soft_wrap=True)


def content_of(result: Dissection) -> dict[str, Any]:
    """The whole outcome, ready for JSON."""
    units = [{k: _plain(v) for k, v in row.items()} for row in result.units.to_pylist()]
    return {
        "run": str(result.path), "report": str(result.report), "summary": result.manifest["summary"], "units": units
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
