"""The command line: one command a file, gathered here. Errors of the user's end with exit code 2 and one message."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from microtome._version import __version__
from microtome.cli import audit, data, demo, dissect, edit, explain, layers, query, report, world
from microtome.cli.decompose import app as decompose
from microtome.core.errors import MicrotomeError

INTERRUPTED = 130

app = typer.Typer(
    help="Take a trained network apart, name its parts in words, and test the names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("dissect")(dissect.dissect)
app.command("edit")(edit.edit)
app.command("audit")(audit.audit)
app.command("explain")(explain.explain)
app.command("demo")(demo.demo)
app.command("layers")(layers.layers)
app.command("report")(report.report)
app.command("query")(query.query)
app.add_typer(data.app, name="data")
app.add_typer(world.app, name="world")
app.add_typer(decompose.app, name="decompose")


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"microtome {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error (anywhere on the line)."),
) -> None:
    """Take a trained network apart, name its parts in words, and test the names."""


def run() -> None:
    """Entry point: like `app`, with errors of the user's as one message and exit code 2."""
    debug = "--debug" in sys.argv[1:]
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    console = Console(stderr=True)
    try:
        app(args=arguments, prog_name="microtome")
    except MicrotomeError as error:
        if debug:
            raise
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as stop:
        # What typer makes of an interrupt.
        if stop.code == INTERRUPTED:
            console.print("\nStopped. The same command goes on from here.", markup=False)
        raise
