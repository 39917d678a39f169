"""`microtome decompose heatmap MODEL`: where in images a text, class or head finds what it looks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common
from microtome.core.errors import OptionError

if TYPE_CHECKING:
    from microtome.data.base import ImageData
    from microtome.recipes.decomposition import Decomposition

_FIRST = 24


def heatmap(
    model: common.ModelSpec = "world:clip",
    image: Annotated[list[Path] | None, typer.Option(help="A picture or a folder of them; may be repeated.")] = None,
    data: Annotated[str | None, typer.Option(help="Images by a spec, in place of --image: arranged@8.")] = None,
    images: Annotated[int | None, typer.Option(help="At most this many images, drawn with --seed.")] = None,
    texts: Annotated[str | None, typer.Option(help="Texts with commas between, or a file, one a line.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="A text, commas and all; may be repeated.")] = None,
    class_: Annotated[list[str] | None, typer.Option("--class", help="A class; may be repeated.")] = None,
    head: Annotated[
        str | None, typer.Option(help="Heads such as 5.3,5.4, along each text; without one, how much they write.")
    ] = None,
    direction: Annotated[Path | None, typer.Option(help="A .npy file of vectors of the output's space.")] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option(help="Subtracted: others (default), neutral, none, or a text or class (may be repeated)."),
    ] = None,
    neutral: Annotated[str, typer.Option(help="Pool of texts whose mean is neutral: general, world, or a file.")] = "",
    layers: Annotated[str | None, typer.Option(help="Heads of these layers alone, such as 8-11.")] = None,
    method: Annotated[
        str, typer.Option(help="decomposition, raw-attention, rollout, gradcam, gradient-rollout or lrp.")
    ] = "decomposition",
    template: common.Template = "",
    out: common.Out = Path("runs/heatmap"),
    weights: common.Weights = None,
    size: common.Size = None,
    device: common.Device = "auto",
    batch_size: common.BatchSize = 16,
    strict: common.Strict = False,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    """Show where images speak for a text, a class or a head, patch by patch."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.heat_settings import HeatSettings
    from microtome.recipes.heat_targets import Asked, texts_given
    from microtome.recipes.heatmap_run import heatmap_images

    settings = HeatSettings(
        method=method, layers=common.numbers(layers, "--layers"), minus=tuple(minus or ()), neutral=neutral,
        template=template,
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=images, seed=seed),
    )  # fmt: skip
    asked = Asked(
        (*texts_given(texts), *(text or ())), tuple(class_ or ()), direction, common.parts_of(head, "--head") or ()
    )
    chosen = _images(image, data, images, seed)
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = heatmap_images(
            loaded, chosen, asked=asked, out=out, settings=settings, overwrite=overwrite,
            command=common.command_line(), progress=progress,
        )  # fmt: skip
    print_heatmaps(found, as_json=as_json)


def _images(image: list[Path] | None, data: str | None, images: int | None, seed: int) -> ImageData | str:
    """What is to be looked at. The limit of a spec is applied where it is opened."""
    from microtome.data.pictures import Pictures
    from microtome.data.restrict import Subset

    if image and data is not None:
        raise OptionError("Images are given by --image and by --data.", expected="the one or the other")
    if not image:
        return "arranged@8" if data is None else data
    found = Pictures(image)
    return found if images is None else Subset(found, count=images, seed=seed)


def print_heatmaps(found: Decomposition, *, as_json: bool) -> None:
    """The numbers beside the pictures."""
    rows = found.rows("heatmaps")
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
        typer.echo(json.dumps({**content, "heatmaps": rows}))
        return
    console = Console()
    table = Table(title="Heat", title_justify="left")
    for name in ("image", "heat of"):
        table.add_column(name)
    for name in ("heads", "patches", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[:_FIRST]:
        figures = ("" if row[name] is None else f"{row[name]:+.3f}" for name in ("total", "patches", "output"))
        table.add_row(Text(row["image"]), Text(row["text"]), *figures)
    console.print(table)
    if len(rows) > _FIRST:
        console.print(f"... and {len(rows) - _FIRST} more.", markup=False, highlight=False)
    for sentence in (*found.manifest["summary"]["sentences"], *found.manifest["notes"]):
        console.print(f"- {sentence}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)
