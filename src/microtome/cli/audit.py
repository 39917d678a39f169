"""`microtome audit MODEL`: what the model leans on and should not, proved and repaired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from microtome.cli.decompose import common
from microtome.core.errors import OptionError

if TYPE_CHECKING:
    from microtome.recipes.audit.result import Audit

FAULT_FOUND = 3
"""The exit code of `--fail-on proved` where a fault is proved."""
_PASTE, _REPAIR, _ONE = "Changing inputs", "Repair", "One finding alone"


def audit(
    model: Annotated[
        str, typer.Argument(help="world:scenes, world:nli, world:clip, torchvision:NAME, hf:NAME, file.py:name ...")
    ] = "world:scenes",
    layer: Annotated[
        str | None,
        typer.Option(
            help="Layer whose units are audited. Of a CLIP-like model a number: its neurons; none: the heads."
        ),
    ] = None,
    data: Annotated[str, typer.Option(help="Labelled images with concepts, or labelled texts.")] = "world",
    out: Annotated[Path, typer.Option(help="Run folder to write.")] = Path("runs/audit"),
    shift: Annotated[
        str | None, typer.Option(help="Items on which misleading cues tell nothing; default: world's own, else none.")
    ] = None,
    hosts: Annotated[
        str | None,
        typer.Option(help="Labelled images to paste into; default: of --data.", rich_help_panel=_PASTE),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="The run that names the parts: of `dissect`, or of `decompose` for a CLIP.")
    ] = None,
    classes: Annotated[str | None, typer.Option(help="Classes to audit, with commas between; default: all.")] = None,
    allow: Annotated[
        Path | None, typer.Option(help="TOML file: what may make each class what it is, lake = ['boat'].")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Other models that are shown the same inputs, with commas.")
    ] = None,
    images: Annotated[int, typer.Option(help="Items of each data set that are held in memory.")] = 1600,
    suspects: Annotated[int, typer.Option(help="Suspects that are put to the proof, at most.")] = 24,
    cases: Annotated[int, typer.Option(help="Inputs that a suspect is proved on, at most.")] = 60,
    trials: Annotated[int, typer.Option(help="Inputs of each class on which it is tried first.")] = 8,
    draws: Annotated[int, typer.Option(help="Draws of every control.")] = 2,
    place: Annotated[
        str, typer.Option(help="Where segments go: auto, own, random or rival.", rich_help_panel=_PASTE)
    ] = "auto",
    scale: Annotated[float, typer.Option(help="Factor on pasted segments.", rich_help_panel=_PASTE)] = 1.0,
    soft: Annotated[int, typer.Option(help="Pixels over which edges are blended.", rich_help_panel=_PASTE)] = 0,
    over_defining: Annotated[
        bool, typer.Option("--over-defining", help="Paste over what defines the class too.", rich_help_panel=_PASTE)
    ] = False,
    removal: Annotated[
        str, typer.Option(help="How a concept is taken out: mean, blur or recolour.", rich_help_panel=_PASTE)
    ] = "mean",
    parts: Annotated[
        int, typer.Option(help="Units that are cut together, at most; never more than half.", rich_help_panel=_REPAIR)
    ] = 48,
    ablate: Annotated[
        str, typer.Option(help="What a cut unit is set to: mean, zero or resample.", rich_help_panel=_REPAIR)
    ] = "mean",
    price: Annotated[
        float, typer.Option(help="Points of accuracy that a repair may cost.", rich_help_panel=_REPAIR)
    ] = 2.0,
    repair: Annotated[bool, typer.Option(help="Try repairs of what is proved.", rich_help_panel=_REPAIR)] = True,
    write: Annotated[
        Path | None, typer.Option(help="Write the repaired weights (.safetensors).", rich_help_panel=_REPAIR)
    ] = None,
    write_cases: Annotated[
        Path | None, typer.Option(help="Write the cases with their true labels.", rich_help_panel=_REPAIR)
    ] = None,
    concept: Annotated[str, typer.Option(help="Audit this concept alone.", rich_help_panel=_ONE)] = "",
    target: Annotated[str, typer.Option(help="... as a reason for this class.", rich_help_panel=_ONE)] = "",
    source: Annotated[str, typer.Option(help="... on inputs of this class.", rich_help_panel=_ONE)] = "",
    directions: Annotated[int, typer.Option(help="Concepts whose direction is weighed against single units.")] = 2,
    fail_on: Annotated[
        str | None, typer.Option(help="`proved`: exit with code 3 where a fault is proved, for use in CI.")
    ] = None,
    fdr: Annotated[float, typer.Option(help="Share of proofs that may be false.")] = 0.05,
    weights: common.Weights = None,
    size: common.Size = None,
    device: common.Device = "auto",
    batch_size: Annotated[int, typer.Option(help="Inputs in a forward pass.")] = 64,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    """Find what MODEL leans on and should not, prove it by changing inputs and cutting units, and repair it."""
    if fail_on not in (None, "proved"):
        raise OptionError(f"--fail-on is '{fail_on}'.", expected="proved")
    from microtome.cli.progress import progress_bar
    from microtome.models.load import load_any
    from microtome.recipes.audit.inputs import AuditInputs
    from microtome.recipes.audit.run import audit as run_audit
    from microtome.recipes.audit.settings import checked_settings

    settings = checked_settings(
        images=images, suspects=suspects, cases=cases, trials=trials, draws=draws, place=place, scale=scale, soft=soft,
        over_defining=over_defining, removal=removal, parts=parts, ablate=ablate, price=price, repair=repair,
        concept=concept, target=target, source=source, directions=directions, fdr=fdr, batch_size=batch_size, seed=seed,
    )  # fmt: skip
    others = tuple(spec for each in also or () for spec in common.listed(each))
    inputs = AuditInputs(
        shift=shift, hosts=hosts, run=run, allow=allow, also=others, write=write, write_cases=write_cases,
        classes=None if classes is None else common.listed(classes),
    )  # fmt: skip
    loaded = load_any(model, weights=weights, size=size, device=device)
    with progress_bar() as progress:
        found = run_audit(
            loaded, layer, data, out=out, inputs=inputs, settings=settings, overwrite=overwrite,
            command=common.command_line(), progress=progress,
        )  # fmt: skip
    print_audit(found, as_json=as_json)
    if fail_on == "proved" and found.proved:
        raise typer.Exit(FAULT_FOUND)


def print_audit(found: Audit, *, as_json: bool) -> None:
    """The findings as sentences, then what mends them."""
    summary = found.manifest["summary"]
    if as_json:
        import json

        typer.echo(json.dumps(audit_content(found)))
        return
    console = Console()
    rows = found.findings
    for verdict in ("proved", "not proved", "refuted"):
        own = [row for row in rows if row["verdict"] == verdict]
        if own:
            console.print(f"{verdict.capitalize()} ({len(own)})", style="bold", highlight=False)
            for row in own:
                console.print(f"- {row['sentence']}", markup=False, highlight=False)
    if not rows:
        console.print(summary["sentences"][0], markup=False, highlight=False)
    mended = [row for row in rows if row["repair"]]
    if mended:
        console.print(_repairs(mended, found.rows("repairs")))
        for row in mended:
            console.print(f"- {row['source']} to {row['target']}: {row['repair']}", markup=False, highlight=False)
    for note in found.manifest["notes"]:
        console.print(f"- {note}", style="dim", markup=False, highlight=False)
    console.print(f"Report: {found.report}", markup=False, highlight=False, soft_wrap=True)


def audit_content(found: Audit) -> dict[str, Any]:
    """The whole outcome, ready for JSON."""
    content = {"run": str(found.path), "report": str(found.report), "summary": found.manifest["summary"]}
    return {**content, "findings": found.findings, "repairs": found.rows("repairs")}


def _repairs(findings: list[dict[str, Any]], rows: list[dict[str, Any]]) -> Table:
    """Worst group by kind of repair."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    table = Table(title="Accuracy of the worst group by repair (points of accuracy paid)", title_justify="left")
    table.add_column("fault")
    for kind in kinds:
        table.add_column(kind, justify="right", no_wrap=True)
    held = {(row["number"], row["kind"]): row for row in rows}
    for finding in findings:
        cells = []
        for kind in kinds:
            row = held.get((finding["number"], kind))
            paid = "" if row is None or kind == "none" else f" ({row['price']:+.1f})"
            cells.append(
                "" if row is None else "–" if not row["chosen"] and kind != "none" else f"{row['worst']:.0%}{paid}"
            )
        table.add_row(Text(f"{finding['words']}: {finding['source']} to {finding['target']}"), *cells)
    return table
