"""`microtome decompose neurons MODEL`: name the neurons of a layer by what they do through later heads."""

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

_FIRST, _TEXTS = 12, 4


def neurons(
    model: common.ModelSpec = "world:clip",
    data: common.Data = "arranged@2000",
    texts: Annotated[
        str, typer.Option(help="general, world, or a file: one text a line, with its property after a tab.")
    ] = "",
    out: common.Out = Path("runs/neurons"),
    layer: Annotated[int | None, typer.Option(help="Whose neurons; default: three quarters up.")] = None,
    listed: Annotated[int, typer.Option(help="Neurons with a page: those whose effect varies most.")] = 40,
    count: Annotated[int, typer.Option("--count", help="Texts in a neuron's code, 1 to 128.")] = 16,
    method: Annotated[str, typer.Option(help="omp (orthogonal matching pursuit) or lasso.")] = "omp",
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
    """Name a layer's neurons by sparse text codes of their effect through later heads, and test the names."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.decompose_neurons import decompose_neurons
    from microtome.recipes.neuron_settings import NeuronSettings

    settings = NeuronSettings(
        layer=layer, listed=listed, texts=count, method=method, classes=common.listed(classes), template=template,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    pool = texts or ("world" if model == "world:clip" else "general")
    with progress_bar() as progress:
        found = decompose_neurons(
            loaded, data, texts=pool, out=out, settings=settings, overwrite=overwrite,
            command=common.command_line(), progress=progress,
        )  # fmt: skip
    _print(found, as_json=as_json)


def _print(found: Decomposition, *, as_json: bool) -> None:
    rows = found.rows("neurons")
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
        typer.echo(json.dumps({**content, "neurons": rows, "effects": found.rows("effects")}))
        return
    console = Console()
    texts: dict[int, list[str]] = {}
    for row in found.rows("neuron_texts"):
        texts.setdefault(row["neuron"], []).append(f"{row['coefficient']:+.2f} {row['text']}")
    table = Table(title="Neurons whose effect varies most", title_justify="left")
    for name in ("neuron", "one direction", "cosine", "r (chance)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("texts")
    for row in rows[:_FIRST]:
        table.add_row(
            str(row["neuron"]), f"{row['first_share']:.0%}", f"{row['cosine']:.2f}",
            f"{row['score']:.2f} ({row['score_chance']:.2f})", Text("; ".join(texts[row["neuron"]][:_TEXTS])),
        )  # fmt: skip
    console.print(table)
    for sentence in (*found.manifest["summary"]["sentences"], *found.manifest["notes"]):
        console.print(f"- {sentence}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
