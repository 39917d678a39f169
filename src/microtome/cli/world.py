"""`microtome world preview`: a sheet of planted scenes with their masks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="The planted world: scenes whose every pixel is known.", no_args_is_help=True)


@app.callback()
def world() -> None:
    """The planted world: scenes whose every pixel is known."""


@app.command()
def preview(
    out: Annotated[Path, typer.Option("--out", help="PNG file to write.")],
    seed: Annotated[int, typer.Option(help="Another seed, another world.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=400, help="Number of scenes.")] = 16,
    size: Annotated[int, typer.Option(min=16, max=512, help="Pixels of a scene's side.")] = 96,
    split: Annotated[str, typer.Option(help="train, validation, heldout or shift.")] = "train",
    captions: Annotated[bool, typer.Option("--captions", help="Print each scene's caption.")] = False,
) -> None:
    """Write a sheet of scenes; beside each scene what its pixels are: objects, parts and surfaces."""
    # Imported here, so that `microtome --help` does not pay for numpy and Pillow.
    from PIL import Image

    from microtome.core.errors import OptionError
    from microtome.data.world.dataset import World
    from microtome.data.world.preview import preview_sheet
    from microtome.data.world.shortcuts import split_named

    if out.suffix.lower() != ".png":
        raise OptionError(
            f"Cannot write a preview to '{out}'.",
            expected="a file name that ends in .png",
            next_step="rename it",
        )
    scenes = World(split_named(split), count=count, size=size, seed=seed)
    sheet = Image.fromarray(preview_sheet(scenes))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out)
    except OSError as error:
        raise OptionError(
            f"Cannot write '{out}': {error}.", next_step="choose a folder that you may write to"
        ) from error
    console = Console()
    if captions:
        for index in range(count):
            console.print(f"{scenes.key(index)}: {scenes.scene(index).caption}", markup=False, highlight=False)
    console.print(f"Preview: {out.resolve()}", soft_wrap=True, markup=False, highlight=False)
