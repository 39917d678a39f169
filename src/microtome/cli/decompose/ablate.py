"""`microtome decompose ablate MODEL`: which layers and heads matter, directly and in total."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from microtome.cli.decompose import common

if TYPE_CHECKING:
    from microtome.recipes.decomposition import Decomposition


def ablate(
    model: common.ModelSpec = "world:clip",
    data: common.Data = "arranged@2000",
    out: common.Out = Path("runs/ablate"),
    by: Annotated[str, typer.Option(help="Property that is to be answered: class, color ...")] = "",
    heads: Annotated[
        str | None, typer.Option(help="Heads as LAYER.HEAD, such as 3.1,5.0; default: the four that tell --by most.")
    ] = None,
    total_images: Annotated[
        int, typer.Option(help="Held-out images for the total effect in the model itself; 0: direct effects alone.")
    ] = 256,
    retrained: Annotated[
        bool, typer.Option("--retrained", help="Also train a probe anew on the ablated outputs of every step.")
    ] = False,
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
    """Replace MLPs, attention layers, heads or the embedding by their means, and see what the answers lose."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.ablate_terms import AblateSettings, ablate_terms

    settings = AblateSettings(
        by=by, heads=common.parts_of(heads, "--heads"), total_images=total_images, retrained=retrained,
        classes=common.listed(classes), template=template,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = ablate_terms(
            loaded, data, out=out, settings=settings, overwrite=overwrite, command=common.command_line(),
            progress=progress,
        )  # fmt: skip
    print_curves(found, as_json=as_json)


def print_curves(found: Decomposition, *, as_json: bool) -> None:
    """The curves, a line a step, and what they say."""
    rows = found.rows("curves")
    summary = found.manifest["summary"]
    if as_json:
        import json

        typer.echo(
            json.dumps({"run": str(found.path), "report": str(found.report), "summary": summary, "curves": rows})
        )
        return
    console = Console()
    columns = list(dict.fromkeys((row["probe"], row["kind"]) for row in rows))
    table = Table(title=f"Accuracy ({summary['by']}) without", title_justify="left")
    table.add_column("terms")
    for probe, kind in columns:
        table.add_column(f"{probe}, {kind}", justify="right")
    held = {(row["curve"], row["step"], row["probe"], row["kind"]): row for row in rows}
    base = {(row["probe"], row["kind"]): row["base"] for row in rows}
    table.add_row("nothing", *(f"{base[column]:.1%}" for column in columns))
    for curve, step, terms in dict.fromkeys((row["curve"], row["step"], row["terms"]) for row in rows):
        own = (held.get((curve, step, *column)) for column in columns)
        table.add_row(terms, *("" if row is None else f"{row['accuracy']:.1%}" for row in own))
    console.print(table)
    for sentence in (*summary["sentences"], *(f"- {note}" for note in found.manifest["notes"])):
        console.print(sentence, markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
