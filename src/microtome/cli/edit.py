"""`microtome edit RUN`: prove the names of a run of texts by editing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from microtome.recipes.edit_text import Edited


Row = dict[str, Any]


def edit(
    run: Annotated[Path, typer.Argument(help="The folder that `microtome dissect` wrote, of pairs or sentences.")],
    top: Annotated[int, typer.Option(help="Prove this many of the best named units.")] = 10,
    units: Annotated[str | None, typer.Option(help="Units such as 3,7-9 instead.")] = None,
    pairs: Annotated[int, typer.Option(help="Pairs or sentences wanted for each edit.")] = 200,
    edits: Annotated[
        Path | None, typer.Option(help="Edits of your own: unit or *, side, insert|remove|replace, word; with tabs.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The run's model, where it is not found as the run says.")] = None,
    data: Annotated[str | None, typer.Option(help="Texts to edit; default: those of the run.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Weight file of the model: safetensors, or .pt/.pth.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Decides which texts, and the control words.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Edit texts so that a unit's name becomes true or false of them: does the unit follow, and does the answer?"""
    from microtome.cli.progress import progress_bar
    from microtome.recipes.dissect_settings import DissectSettings, with_units
    from microtome.recipes.edit_text import EditSettings, edit_texts, load_for_editing

    settings = EditSettings(
        top=top, pairs=pairs, seed=seed, edits=None if edits is None else str(edits),
        units=None if units is None else with_units(DissectSettings(), units).units,
    )  # fmt: skip
    loaded = load_for_editing(run, model, weights=weights, device=device)
    with progress_bar() as progress:
        found = edit_texts(run, settings=settings, model=loaded, data=data, progress=progress)
    _print(found, as_json=as_json)


def _print(found: Edited, *, as_json: bool) -> None:
    if as_json:
        import json

        tables = {name: found.run.table(name).to_pylist() for name in ("edits", "adversarial")}
        content = {"run": str(found.run.path), "report": str(found.run.report), **tables, **found.run.manifest["edits"]}
        typer.echo(json.dumps(content))
        return
    console = Console()
    if found.proof.rows:
        console.print(_units_table(found.proof.rows))
    if found.fooling.rows:
        console.print(_rules_table(found.fooling.rows))
    for note in (*found.proof.notes, *found.fooling.notes):
        console.print(f"- {note}", markup=False, highlight=False)
    console.print(f"Report: {found.run.report}", markup=False, highlight=False, soft_wrap=True)


def _units_table(rows: list[Row]) -> Table:
    """What each edit does, and in brackets its control."""
    table = Table(title="What editing does to the units (and a control edit)", title_justify="left")
    table.add_column("unit", justify="right")
    table.add_column("edit")
    for name in ("name", "pairs", "change", "p", "answers"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        change = f"{row['change']:+.2f} ({row['control_change']:+.2f})"
        answers = f"{_share(row.get('flipped'))} ({_share(row.get('control_flipped'))})" if "flipped" in row else ""
        table.add_row(
            str(row["unit"]), Text(row["edit"]), row["turns"], str(row["pairs"]), change, f"{row['p']:.1g}", answers
        )
    return table


def _rules_table(rows: list[Row]) -> Table:
    """How often each rule fools the model, most often first."""
    table = Table(title="Edits with a known true label that fool the model", title_justify="left")
    table.add_column("rule")
    table.add_column("true label")
    for name in ("pairs", "fooled", "before", "control", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda row: -row["rate"]):
        shares = [_share(row[name]) for name in ("rate", "before", "control")]
        table.add_row(Text(row["rule"]), row["true_label"], str(row["pairs"]), *shares, f"{row['p']:.1g}")
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
