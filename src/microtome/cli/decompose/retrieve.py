"""`microtome decompose retrieve MODEL`: find images alike in one property by the heads that tell it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from microtome.cli.decompose import common

if TYPE_CHECKING:
    from microtome.recipes.decomposition import Decomposition


def retrieve(
    model: common.ModelSpec = "world:clip",
    data: common.Data = "arranged@2000",
    out: common.Out = Path("runs/retrieve"),
    properties: Annotated[
        str | None, typer.Option("--property", help="Properties such as color,count; default: all that are known.")
    ] = None,
    heads: Annotated[
        str | None, typer.Option(help="Heads as LAYER.HEAD, such as 3.1,5.0; default: chosen for each property.")
    ] = None,
    query: Annotated[str, typer.Option(help="A picture file to find images like.")] = "",
    k: Annotated[int, typer.Option("--k", help="Images found for a query.")] = 10,
    queries: Annotated[int, typer.Option(help="At most so many held-out images are queries.")] = 1000,
    most: Annotated[int, typer.Option(help="At most so many heads for a property.")] = 4,
    candidates: Annotated[int, typer.Option(help="Heads that the choice is made among.")] = 12,
    weights: common.Weights = None,
    size: common.Size = None,
    device: common.Device = "auto",
    batch_size: common.BatchSize = 16,
    limit: common.Limit = None,
    strict: common.Strict = False,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    """Find images alike in one property by the heads that tell it, and compare with the whole embedding."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.retrieve import retrieve as run_retrieve
    from microtome.recipes.retrieve_settings import RetrieveSettings

    settings = RetrieveSettings(
        properties=common.listed(properties), heads=common.parts_of(heads, "--heads"), query=query, k=k,
        queries=queries, most=most, candidates=candidates,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = run_retrieve(
            loaded, data, out=out, settings=settings, overwrite=overwrite, command=common.command_line(),
            progress=progress,
        )  # fmt: skip
    print_retrieval(found, as_json=as_json)


def print_retrieval(found: Decomposition, *, as_json: bool) -> None:
    """Precision of each property, and the images found for a picture file."""
    rows = found.rows("retrieval")
    summary = found.manifest["summary"]
    asked = [row for row in found.rows("retrieval_examples") if row["query"] == summary["query"] and row["place"]]
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": summary}
        typer.echo(json.dumps({**content, "retrieval": rows, "found": asked}))
        return
    console = Console()
    if rows:
        table = Table(title=f"Share of the {summary['k']} nearest images with the same", title_justify="left")
        for name in ("property", "heads", "by heads", "by all", "centred", "chance"):
            table.add_column(name, justify="left" if name in ("property", "heads") else "right")
        for row in rows:
            table.add_row(
                row["property"], row["heads"], f"{row['precision']:.1%} ({row['low']:.0%}-{row['high']:.0%})",
                f"{row['full']:.1%} ({row['full_low']:.0%}-{row['full_high']:.0%})", f"{row['centred']:.1%}",
                f"{row['chance']:.1%}",
            )  # fmt: skip
        console.print(table)
    for sentence in summary["sentences"]:
        console.print(sentence, markup=False, highlight=False)
    for name, how in dict.fromkeys((row["property"], row["how"]) for row in asked):
        keys = [row["image"] for row in asked if (row["property"], row["how"]) == (name, how)]
        by = "the whole embedding" if how == "full" else f"the heads{f' of {name}' if name else ''}"
        console.print(f"{summary['query']} by {by}: {', '.join(keys)}", markup=False, highlight=False)
    for note in found.manifest["notes"]:
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
