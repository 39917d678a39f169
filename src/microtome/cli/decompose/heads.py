"""`microtome decompose heads MODEL`: name every attention head in text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common

if TYPE_CHECKING:
    from microtome.recipes.decomposition import Decomposition

_FIRST = 12


def heads(
    model: common.ModelSpec = "world:clip",
    data: common.Data = "arranged@2000",
    texts: Annotated[
        str, typer.Option(help="general, world, or a file: one text a line, with its property after a tab.")
    ] = "",
    out: common.Out = Path("runs/heads"),
    count: Annotated[int, typer.Option("--count", help="Texts for each head.")] = 20,
    layers: Annotated[str | None, typer.Option(help="Layers such as 8-11; default: all.")] = None,
    classes: common.Classes = None,
    template: common.Template = "",
    chance_draws: Annotated[int, typer.Option(help="Turned text pools to compare with, at least 19.")] = 40,
    pairs: Annotated[
        int, typer.Option(help="Pictures of which one property alone is changed, where the data can; 0: none.")
    ] = 100,
    fdr: Annotated[float, typer.Option(help="False-discovery rate of labels.")] = 0.05,
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
    """Name every attention head by the texts that explain what it writes, and test the names."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.decompose_heads import decompose_heads
    from microtome.recipes.decompose_settings import HeadSettings

    settings = HeadSettings(
        texts=count, layers=common.numbers(layers, "--layers"), classes=common.listed(classes), template=template,
        chance_draws=chance_draws, fdr=fdr, pairs=pairs,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    pool = texts or ("world" if model == "world:clip" else "general")
    with progress_bar() as progress:
        found = decompose_heads(
            loaded, data, texts=pool, out=out, settings=settings, overwrite=overwrite,
            command=common.command_line(), progress=progress,
        )  # fmt: skip
    print_heads(found, as_json=as_json)


def print_heads(found: Decomposition, *, as_json: bool) -> None:
    """The heads that write most, with their first texts."""
    rows = found.rows("heads")
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
        typer.echo(json.dumps({**content, "heads": rows}))
        return
    console = Console()
    first = {(row["layer"], row["head"]): [] for row in rows}
    for row in found.rows("head_texts"):
        if row["rank"] < 3:
            first[row["layer"], row["head"]].append(row["text"])
    table = Table(title="Heads that write most", title_justify="left")
    for name in ("head", "share", "label", "p"):
        table.add_column(name, justify="right" if name in ("share", "p") else "left", no_wrap=True)
    table.add_column("texts")
    for row in sorted(rows, key=lambda row: -row["variance"])[:_FIRST]:
        table.add_row(
            f"{row['layer']}.{row['head']}", f"{row['share']:.1%}", row["label"] or "", f"{row['p']:.2g}",
            Text("; ".join(first[row["layer"], row["head"]])),
        )  # fmt: skip
    console.print(table)
    summary = found.manifest["summary"]
    console.print(
        f"{summary['above_chance']} of {summary['heads']} heads are explained better than by random directions; "
        f"{summary['labelled']} have a label.",
        markup=False, highlight=False,
    )  # fmt: skip
    for note in found.manifest["notes"]:
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
