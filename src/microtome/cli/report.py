"""`microtome report RUN`: write the pages of a run again, from its tables alone."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def report(
    run: Annotated[Path, typer.Argument(help="The folder that `microtome dissect` or `microtome decompose` wrote.")],
    open_page: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
) -> None:
    """Write the report of a run: index.html, which opens by double click, and a page per unit, head or neuron."""
    # Imported here, so that `microtome --help` does not pay for reading tables.
    from microtome.report.pages import write_report

    path = write_report(run).resolve()
    Console().print(f"Report: {path}", soft_wrap=True, markup=False, highlight=False)
    if open_page:
        webbrowser.open(path.as_uri())
