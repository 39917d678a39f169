"""`microtome explain IMAGE --run RUN`: which units speak in one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common


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
    firing = [row for row in rows if row["fires"] and row["part"] is not None][:16]
    for row in [*firing, *(row for row in rows if row["part"] is None)]:
        without = f"{row['without']} ({100 * row['without_change']:+.0f} points)"
        table.add_row(row["title"].removeprefix("unit "), Text(row["words"] or "–"), f"{row['adds']:+.2f}", without)
    console.print(table)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
