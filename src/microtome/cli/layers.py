"""`microtome layers MODEL`: every site of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from microtome.models.model import Model
    from microtome.models.text import TextModel


def layers(
    model: Annotated[
        str, typer.Argument(help="world:scenes, world:nli, torchvision:NAME, timm:NAME, hf:NAME, file.py:NAME.")
    ],
    weights: Annotated[Path | None, typer.Option(help="Weight file: safetensors, or .pt/.pth.")] = None,
    size: Annotated[int | None, typer.Option(help="Input size in pixels.")] = None,
    mean: Annotated[str | None, typer.Option(help="Mean of red, green, blue: 0.485,0.456,0.406.")] = None,
    std: Annotated[str | None, typer.Option(help="Standard deviation of red, green, blue.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the layers of MODEL: what each returns and how many units it has."""
    from microtome.models.load import load_any
    from microtome.models.model import Model
    from microtome.models.preprocess import channel_values

    loaded = load_any(
        model,
        weights=weights,
        size=size,
        mean=None if mean is None else channel_values(mean, "--mean"),
        std=None if std is None else channel_values(std, "--std"),
        device=device,
    )
    rows = layer_rows(loaded) if isinstance(loaded, Model) else text_layer_rows(loaded)
    if as_json:
        import json

        typer.echo(json.dumps({"model": loaded.spec, "notes": list(loaded.notes), "layers": rows}))
        return
    _print_table(loaded, rows)


def layer_rows(model: Model) -> list[dict[str, Any]]:
    """For each site: layer, type, shape, units, spatial, default (True for the layer used if none is named)."""
    from microtome.models.hooks import split_layer
    from microtome.models.probe import last_spatial

    sites = model.sites()
    default = last_spatial(model.calls, sites)
    modules = dict(model.module.named_modules())
    return [
        {
            "layer": layer,
            "type": type(modules[split_layer(layer)[0]]).__name__,
            "shape": list(site.shape),
            "units": site.units,
            "spatial": site.spatial,
            "default": site == default,
        }
        for layer, site in sites.items()
    ]


def text_layer_rows(model: TextModel) -> list[dict[str, Any]]:
    """For each site: layer, type, shape, units, role, default (True for the layer used if none is named).

    The shape of a layer of tokens is ["tokens", units]: how many tokens there are is the text's affair.
    """
    from microtome.models.hooks import split_layer
    from microtome.models.text_read import split_part

    sites, roles = model.sites(), model.roles()
    default = model.suggested_site()
    modules = dict(model.module.named_modules())
    return [
        {
            "layer": layer,
            "type": type(modules[split_layer(split_part(layer)[0])[0]]).__name__,
            "shape": ["tokens", site.units] if site.unit_axis == 2 else [site.units],
            "units": site.units,
            "role": roles[layer],
            "default": site == default,
        }
        for layer, site in sites.items()
    ]


def _print_table(model: Model | TextModel, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from microtome.models.model import Model

    images = isinstance(model, Model)
    size = f"3 x {model.preprocess.height} x {model.preprocess.width}" if isinstance(model, Model) else "text"
    table = Table(title=escape(f"{model.spec}: {len(rows)} layers, input {size}"))
    table.add_column("layer", overflow="fold")
    table.add_column("type")
    table.add_column("output", justify="right")
    table.add_column("units", justify="right")
    table.add_column("spatial" if images else "role")
    for row in rows:
        name = escape(row["layer"]) + (" (default)" if row["default"] else "")
        shape = " x ".join(str(length) for length in row["shape"])
        last = ("yes" if row["spatial"] else "") if images else row["role"]
        table.add_row(name, row["type"], shape, str(row["units"]), last)
    # A name that is folded cannot be copied: a narrow terminal wraps the line instead.
    longest = max((len(row["layer"]) for row in rows), default=0)
    console = Console(width=max(Console().width, longest + 60))
    console.print(table)
    for note in model.notes:
        console.print(f"Note: {note}", markup=False)
