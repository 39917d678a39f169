"""From a run folder to a static site that opens by double click: no server, no network, no fetch."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from microtome.core.errors import RunError
from microtome.report import words
from microtome.report.datafile import data_script
from microtome.report.glossary import glossary_of
from microtome.report.layout import INDEX_PARTS, UNIT_PARTS
from microtome.report.parts.common import formula_of, phrase
from microtome.report.view import RunView, UnitView, read_run


def write_report(run: Path) -> Path:
    """Write the pages of a run: `index.html`, and a page per unit and their data below `report/`.

    The pages are written beside the old ones and then swapped in, so a reader never meets half a report.

    Parameters
    ----------
    run:
        A folder that `microtome dissect` wrote (docs/run-format.md).

    Returns
    -------
    The path of `index.html`.

    Raises
    ------
    RunError
        If the folder is no complete run, or cannot be written.
    """
    view = read_run(run)
    try:
        fresh = Path(tempfile.mkdtemp(prefix=".report-", dir=run))
        try:
            _write_pages(view, fresh)
            _swap_in(fresh, run)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"The report of '{run}' could not be written: {error}.",
            expected="a folder with room, that may be written",
            next_step="free some space or mend the folder's permissions, then run the same command again",
        ) from error
    return run / "index.html"


def _write_pages(view: RunView, fresh: Path) -> None:
    report = fresh / "report"
    (report / "units").mkdir(parents=True)
    _copy_static(report / "static")
    (report / "units.js").write_text(data_script(view), encoding="utf-8")
    shared = {
        "view": view,
        "command": shlex.join(view.manifest["command"]),
        "layer": view.layer,
        "glossary": glossary_of(view.nouns),
    }
    parts = [(part, part.build(view)) for part in INDEX_PARTS]
    index = _environment().get_template("index.html.j2")
    page = index.render(**shared, root="report/", home="", parts=_shown(view, parts), first=_first(view))
    (fresh / "index.html").write_text(page, encoding="utf-8")
    for place, unit in enumerate(view.units):
        path = fresh / unit.page
        path.write_text(_unit_page(view, unit, place, shared), encoding="utf-8")


def _unit_page(view: RunView, unit: UnitView, place: int, shared: Mapping[str, Any]) -> str:
    blocks = []
    for ranged in unit.ranges:
        parts = [(part, part.build(view, unit, ranged)) for part in UNIT_PARTS]
        blocks.append({"ranged": ranged, "parts": _shown(view, parts)})
    title = phrase(formula_of(view, unit.lead.row)) if unit.named else unit.lead.row["status"]
    before = view.units[place - 1] if place else None
    after = view.units[place + 1] if place + 1 < len(view.units) else None
    return _unit_template().render(
        **shared,
        root="../",
        home="../../",
        unit=unit,
        title=title,
        blocks=blocks,
        before=before,
        after=after,
    )


def _shown(view: RunView, parts: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """Parts that have something to show, with the template that shows it."""
    return [
        {
            "name": part.name,
            "title": part.title.format(items=view.nouns.items),
            "template": f"parts/{part.name}.html.j2",
            "context": context,
        }
        for part, context in parts
        if context is not None
    ]


def _first(view: RunView) -> str | None:
    return view.units[0].page if view.units else None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("microtome.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        score=words.number,
        share=words.share,
        probability=words.probability,
        thousands=words.count,
        signed=words.signed,
        activation=words.activation,
        plural=words.plural,
        percent_of=_percent_of,
    )
    return environment


@lru_cache(maxsize=1)
def _unit_template() -> Any:
    return _environment().get_template("unit.html.j2")


def _percent_of(value: words.Number, whole: words.Number, floor: words.Number = 0) -> str:
    """How far along a bar from `floor` to `whole` a value lies."""
    return f"{100 * min(max((value - floor) / (whole - floor), 0.0), 1.0):.2f}%"


def _copy_static(folder: Path) -> None:
    folder.mkdir()
    for item in resources.files("microtome.report").joinpath("static").iterdir():
        if item.name.endswith((".css", ".js")):
            (folder / item.name).write_bytes(item.read_bytes())


def _swap_in(fresh: Path, run: Path) -> None:
    """Put the new pages in the old ones' place; the index comes last, since it is what people open."""
    report, old = run / "report", fresh / "old"
    if report.exists():
        os.replace(report, old)
    try:
        os.replace(fresh / "report", report)
    except OSError:
        if old.exists():
            os.replace(old, report)
        raise
    os.replace(fresh / "index.html", run / "index.html")
