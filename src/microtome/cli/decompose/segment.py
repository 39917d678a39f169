"""`microtome decompose segment MODEL`: do heatmaps find what a text names?"""

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


def segment(
    model: common.ModelSpec = "world:clip",
    data: Annotated[
        str, typer.Option(help="Masked images: gtsegs_ijcv.mat, arranged@COUNT, or a folder with label pictures.")
    ] = "arranged@300",
    concept: Annotated[
        str | None, typer.Option(help="Whose masks: a concept of the data; planted world: main, objects or a kind.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="One text or class for all; default: what a mask shows.")] = None,
    names: Annotated[Path | None, typer.Option(help="Words for WordNet ids, an id and its words on a line.")] = None,
    methods: Annotated[str, typer.Option(help="Heatmap methods with commas between, or all.")] = "all",
    against: Annotated[
        str | None,
        typer.Option(help="What is subtracted, each in a row: others (things), neutral (texts), none. Default: all."),
    ] = None,
    neutral: Annotated[str, typer.Option(help="Pool of texts whose mean is neutral: general, world, or a file.")] = "",
    rule: Annotated[str, typer.Option(help="Foreground is above: mean, middle, zero, or a quantile.")] = "mean",
    score_size: Annotated[int, typer.Option(help="Side in pixels at which maps are scored.")] = 224,
    shown: Annotated[int, typer.Option(help="Images with pictures in the report.")] = 12,
    layers: Annotated[str | None, typer.Option(help="For the decomposition: heads of these layers alone.")] = None,
    neurons: Annotated[
        Path | None, typer.Option(help="A run of `decompose neurons` with this model: adds the method neurons.")
    ] = None,
    template: common.Template = "",
    out: common.Out = Path("runs/segment"),
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
    """Score heatmaps against masks: the decomposition, other methods, and maps that know nothing, in one table."""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.heat_settings import SegmentSettings, rule_named
    from microtome.recipes.segment_run import segment_images

    settings = SegmentSettings(
        methods=common.listed(methods), against=common.listed(against), rule=rule_named(rule),
        score_size=score_size, shown=shown, layers=common.numbers(layers, "--layers"), neutral=neutral,
        template=template, neurons="" if neurons is None else str(neurons),
        images=common.pass_settings(batch_size=batch_size, strict=strict, limit=limit, seed=seed),
    )  # fmt: skip
    loaded = common.loaded(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = segment_images(
            loaded, data, concept=concept, text=text, names=names, out=out, settings=settings, overwrite=overwrite,
            command=common.command_line(), progress=progress,
        )  # fmt: skip
    print_segmentation(found, as_json=as_json)


def print_segmentation(found: Decomposition, *, as_json: bool) -> None:
    """The table of methods."""
    rows = found.rows("segmentation")
    if as_json:
        import json

        content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
        typer.echo(json.dumps({**content, "segmentation": rows}))
        return
    console = Console()
    table = Table(title="Heat against masks", title_justify="left")
    for name in ("method", "direction"):
        table.add_column(name, no_wrap=True)
    for name in ("pixels", "mIoU", "interval", "mAP"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(f"({row['method']})" if row["control"] else row["method"]), Text(row["direction"] or ""),
            _figure(row["pixel_accuracy"]), _figure(row["miou"]),
            f"{_figure(row['miou_low'])} to {_figure(row['miou_high'])}", _figure(row["map"]),
        )  # fmt: skip
    console.print(table)
    for sentence in (*found.manifest["summary"]["sentences"], *found.manifest["notes"]):
        console.print(f"- {sentence}", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
