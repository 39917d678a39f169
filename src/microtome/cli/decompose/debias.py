"""`microtome decompose debias MODEL`: ablate the heads that tell a nuisance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from microtome.cli.decompose import common

if TYPE_CHECKING:
    from microtome.recipes.decomposition import Decomposition

_FIRST = 8


def debias(
    model: common.ModelSpec = "world:clip",
    data: common.Data = "birds@2000",
    test: Annotated[
        str | None, typer.Option(help="Images that count; default: birds:shift for birds, else half of --data.")
    ] = None,
    out: common.Out = Path("runs/debias"),
    by: Annotated[str, typer.Option(help="Property that is to be answered; default: the class.")] = "",
    nuisance: Annotated[str, typer.Option(help="Property that must not matter; default: the place.")] = "",
    heads: Annotated[str | None, typer.Option(help="Heads as LAYER.HEAD, such as 3.1,5.0; default: chosen.")] = None,
    label: Annotated[str, typer.Option(help="The heads that --run labelled so, such as surface.")] = "",
    run: Annotated[str, typer.Option(help="A run of `microtome decompose heads` on the same model.")] = "",
    top: Annotated[int | None, typer.Option(help="How many heads; default: chosen, at most four.")] = None,
    control_draws: Annotated[int, typer.Option(help="Random sets of as many heads, at least 19.")] = 200,
    classes: common.Classes = None,
    template: common.Template = "",
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
    """Ablate the direct effect of heads that tell a nuisance, and compare the worst group before and after."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.debias import debias as run_debias
    from microtome.recipes.debias_settings import DebiasSettings

    settings = DebiasSettings(
        by=by, nuisance=nuisance, heads=common.parts_of(heads, "--heads"), label=label, run=run, top=top,
        control_draws=control_draws, classes=common.listed(classes), template=template,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = run_debias(
            loaded, data, test=test, out=out, settings=settings, overwrite=overwrite, command=common.command_line(),
            progress=progress,
        )  # fmt: skip
    print_groups(found, as_json=as_json)


def print_groups(found: Decomposition, *, as_json: bool) -> None:
    """Groups before and after, and the heads that tell the nuisance most."""
    groups, chosen = found.rows("groups"), found.rows("chosen")
    summary = found.manifest["summary"]
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": summary}
        typer.echo(json.dumps({**content, "groups": groups, "chosen": chosen}))
        return
    console = Console()
    table = Table(title="Accuracy", title_justify="left")
    table.add_column("group")
    for name in ("images", "before", "after"):
        table.add_column(name, justify="right", no_wrap=True)
    held = {(row["state"], row["group"]): row for row in groups}
    for group in dict.fromkeys(row["group"] for row in groups):
        states = [held["before", group], held["after", group]]
        shown = (f"{row['accuracy']:.1%} ({row['low']:.0%}-{row['high']:.0%})" for row in states)
        table.add_row(group, str(states[0]["images"]), *shown)
    console.print(table)
    heads = Table(title=f"Heads that tell the {summary['nuisance']} most", title_justify="left")
    for name in ("head", summary["nuisance"], summary["by"], "of all variance", ""):
        heads.add_column(name, justify="right", no_wrap=True)
    for row in chosen[:_FIRST]:
        heads.add_row(
            f"{row['layer']}.{row['head']}", f"{row['nuisance_share']:.1%}", f"{row['class_share']:.1%}",
            f"{row['variance']:.1%}", "ablated" if row["chosen"] else "",
        )  # fmt: skip
    console.print(heads)
    for sentence in (*summary["sentences"], *(f"- {note}" for note in found.manifest["notes"])):
        console.print(sentence, markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
