"""`microtome explain IMAGE --run RUN`: which units speak in one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common

SHOWN = 16
"""Units in the table."""


def explain(
    image: Annotated[Path, typer.Argument(help="A picture file.")],
    run: Annotated[Path, typer.Option(help="A run of `microtome dissect` or `audit` on images.")],
    out: common.Out = Path("runs/explain"),
    model: Annotated[str | None, typer.Option(help="The run's model, where it is not found as the run says.")] = None,
    weights: common.Weights = None,
    size: common.Size = None,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    """Which units fire on IMAGE, what they stand for, what each adds, and what the answer becomes without each."""
    from microtome.models.load import load
    from microtome.recipes.audit.explain import explain_image, opened_run

    told, _ = opened_run(run)
    loaded = load(model or told.manifest["model"]["spec"], weights=weights, size=size, device=device)
    found = explain_image(image, run, model=loaded, out=out, overwrite=overwrite, command=common.command_line())
    rows = found.rows("explained_parts")
    summary = found.manifest["summary"]
    if as_json:
        import json

        typer.echo(json.dumps({"run": str(found.path), "report": str(found.report), "summary": summary, "units": rows}))
        return
    console = Console()
    for sentence in summary["sentences"]:
        console.print(sentence, markup=False, highlight=False)
    table = Table(title="Units that fire, by what they add to the answer or take from it", title_justify="left")
    for name in ("unit", "stands for", "adds", "without it"):
        table.add_column(name, justify="left" if name in ("stands for", "without it") else "right")
    firing = [row for row in rows if row["fires"] and row["part"] is not None]
    for row in firing[:SHOWN]:
        table.add_row(str(row["part"]), _named(row), f"{row['adds']:+.2f}", _without(row))
    console.print(table)
    if len(firing) > SHOWN:
        console.print(f"{len(firing) - SHOWN} more in the report.", highlight=False)
    for row in (row for row in rows if row["part"] is None):
        seen = "is seen here" if row["fires"] else "is not seen here"
        said = f"The {row['title']} {seen} and adds {row['adds']:+.2f}; without it {_without(row)}."
        console.print(said, markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)


def _named(row: dict[str, Any]) -> Text:
    """What a unit stands for, with a mark where its name is no better than chance."""
    return Text(f"{row['words'] or '–'}{'' if row['named'] or not row['words'] else ' (?)'}")


def _without(row: dict[str, Any]) -> str:
    """The answer without a unit, and how its probability changes."""
    return f"{row['without']} ({100 * row['without_change']:+.0f} points)"
