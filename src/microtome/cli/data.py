"""`microtome data check DATA`: read a whole image set or file of texts, list every problem, count every concept."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from microtome.data.check import CheckReport
    from microtome.data.text.check import TextReport

app = typer.Typer(help="Look at image sets and texts.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Look at image sets and texts."""


@app.command()
def check(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder, hf:NAME or world, or a file of texts; options follow as ?split=val."
        ),
    ],
    reader: Annotated[
        str | None,
        typer.Option(help="Of images: broden, coco, indexed, hf, ade20k or folder. Default: found by looking."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read everything, report all problems at once (exit code 2), and count the concepts."""
    # Imported here, so that `microtome --help` stays quick.
    from microtome.data.check import check_data
    from microtome.data.text.check import check_texts
    from microtome.data.text.open import open_texts
    from microtome.data.text.readers import is_text
    from microtome.data.text.settings import TextSettings

    if is_text(Path(folder.partition("?")[0])):
        _print_texts(check_texts(open_texts(folder, TextSettings(reader=reader))), as_json=as_json)
        return

    errors = Console(stderr=True)
    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("read", total=None)
        report = check_data(
            folder, reader=reader, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        _print_json(report)
    else:
        _print_table(report)
        for problem in report.problems:
            errors.print(Text(f"- {problem}"), soft_wrap=True)
    if not report.ok:
        raise typer.Exit(2)


def _print_json(report: CheckReport) -> None:
    content = asdict(report)
    content["ok"] = report.ok
    if report.card is not None:
        content["card"]["predicted"] = sorted(report.card.predicted)
    Console().print(Text(json.dumps(content, indent=1, ensure_ascii=False)), soft_wrap=True)


def _print_table(report: CheckReport) -> None:
    out = Console()
    if report.card is not None:
        # Text, not markup: names come from the data set.
        out.print(Text(f"{report.card.name}: {report.images} images, read as '{report.card.reader}'."))
        for note in report.card.notes:
            out.print(Text(note))
        table = Table("concept", "category", title="Concepts", title_justify="left")
        table.add_column("images", justify="right")
        table.add_column("label pixels", justify="right")
        ordered = sorted(report.concepts, key=lambda count: (count.category, -count.pixels, count.name))
        for count in ordered:
            table.add_row(Text(count.name), Text(count.category), f"{count.images:,}", f"{count.pixels:,}")
        out.print(table)
        if report.void_pixels:
            out.print(f"{report.void_pixels / report.pixels:.1%} of the label pixels are void.")
    said = "No problem." if report.ok else f"{len(report.problems)} problem{'s' if len(report.problems) != 1 else ''}:"
    Console(stderr=not report.ok).print(said)


def _print_texts(report: TextReport, *, as_json: bool) -> None:
    out = Console()
    if as_json:
        out.print(Text(json.dumps(asdict(report), indent=1, ensure_ascii=False)), soft_wrap=True)
        return
    out.print(Text(f"{report.name}: {report.items:,} {report.level}s, read as '{report.reader}'."))
    for note in report.notes:
        out.print(Text(note))
    for label, count in report.labels:
        out.print(Text(f"{label or 'no label'}: {count:,}"))
    table = Table("category", title="Concepts", title_justify="left")
    table.add_column("concepts", justify="right")
    table.add_column("on most elements")
    for category, number, most in report.categories:
        said = ", ".join(f"{name} {count:,}" for name, count in most)
        table.add_row(Text(category), f"{number:,}", Text(said))
    out.print(table)
    out.print("No problem.")
