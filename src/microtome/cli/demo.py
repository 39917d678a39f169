"""`microtome demo`: the main job on the model and the images that come with microtome."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Run folder; a run that stands there is replaced.")] = Path("runs/demo"),
    count: Annotated[int, typer.Option(min=20, help="Planted scenes to show the model.")] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Dissect the shipped network on planted scenes: some minutes, no download, a report at the end."""
    from microtome.cli.best_units import print_result
    from microtome.cli.progress import progress_bar
    from microtome.recipes.dissect import dissect

    command = ("microtome", "demo", "--out", str(out), "--count", str(count))
    with progress_bar() as progress:
        result = dissect(data=f"world@{count}", out=out, overwrite=True, command=command, progress=progress)
    print_result(result, as_json=as_json)
