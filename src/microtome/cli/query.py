"""`microtome query RUN "select ..."`: SQL over the tables of a run, read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def query(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    sql: Annotated[str, typer.Argument(help="One SELECT statement; leave it out to list the tables.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print rows as CSV.")] = False,
) -> None:
    """Ask the tables of RUN: microtome query RUN "select unit, words, iou_heldout from units limit 5"."""
    import json

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from microtome.store.query import query as ask
    from microtome.store.query import table_names

    if not sql:
        for name in table_names(run):
            columns = ", ".join(ask(run, f'select * from "{name}" limit 0').column_names)
            typer.echo(f"{name}: {columns}")
        return
    answer = ask(run, sql)
    if as_json:
        typer.echo(json.dumps(answer.to_pylist(), default=str))
        return
    if as_csv:
        import csv
        import sys

        writer = csv.writer(sys.stdout)
        writer.writerow(answer.column_names)
        writer.writerows(row.values() for row in answer.to_pylist())
        return
    table = Table(*answer.column_names)
    for row in answer.to_pylist():
        table.add_row(*(Text(_short(value)) for value in row.values()))
    Console().print(table)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
