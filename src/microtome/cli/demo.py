"""`microtome demo`: the main job on the models and the images that come with microtome."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from microtome.core.errors import OptionError

_WHAT = ("scenes", "clip")


def demo(
    what: Annotated[
        str, typer.Argument(help="scenes: name the units of a small network; clip: name the heads of a small CLIP.")
    ] = "scenes",
    out: Annotated[Path, typer.Option(help="Run folder; a run that stands there is replaced.")] = Path("runs/demo"),
    count: Annotated[int, typer.Option(min=20, help="Planted scenes to show the model.")] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Take a shipped network apart on planted scenes and audit it: two minutes, no download, reports at the end."""
    if what not in _WHAT:
        raise OptionError(f"There is no demo '{what}'.", expected=f"one of {', '.join(_WHAT)}")
    command = ("microtome", "demo", what, "--out", str(out), "--count", str(count))
    if what == "clip":
        _clip(out, count, command, as_json=as_json)
    else:
        _scenes(out, count, command, as_json=as_json)


def _scenes(out: Path, count: int, command: tuple[str, ...], *, as_json: bool) -> None:
    import json

    from microtome.cli.audit import audit_content, print_audit
    from microtome.cli.best_units import content_of, print_result
    from microtome.cli.progress import progress_bar
    from microtome.recipes.audit.inputs import AuditInputs
    from microtome.recipes.audit.run import audit
    from microtome.recipes.audit.settings import AuditSettings
    from microtome.recipes.dissect import dissect

    with progress_bar() as progress:
        result = dissect(data=f"world@{count}", out=out, overwrite=True, command=command, progress=progress)
        found = audit(
            data=f"world@{_audited(count)}", out=out.with_name(f"{out.name}-audit"), inputs=AuditInputs(run=out),
            overwrite=True, settings=AuditSettings(directions=0, suspects=8, images=_audited(count)),
            command=_as_audit(out, count), progress=progress,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({**content_of(result), "audit": audit_content(found)}))
        return
    print_result(result, as_json=False)
    print_audit(found, as_json=False)


def _as_audit(out: Path, count: int) -> tuple[str, ...]:
    """The audit of the demo as a command of its own."""
    images = str(_audited(count))
    words = ("microtome", "audit", "world:scenes", "--data", f"world@{images}", "--run", str(out), "--images", images)
    return (*words, "--suspects", "8", "--directions", "0", "--out", str(out.with_name(f"{out.name}-audit")))


def _audited(count: int) -> int:
    """Images for the audit: it halves them twice, so it takes more than the naming."""
    return max(count, 720)


def _clip(out: Path, count: int, command: tuple[str, ...], *, as_json: bool) -> None:
    from microtome.cli.decompose.heads import print_heads
    from microtome.cli.progress import progress_bar
    from microtome.recipes.decompose_heads import decompose_heads
    from microtome.recipes.decompose_settings import HeadSettings

    settings = HeadSettings(texts=10, pairs=40)
    with progress_bar() as progress:
        found = decompose_heads(
            data=f"arranged@{count}", texts="world", out=out, settings=settings, overwrite=True, command=command,
            progress=progress,
        )  # fmt: skip
    print_heads(found, as_json=as_json)
