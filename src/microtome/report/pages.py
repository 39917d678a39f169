"""From a run folder to a static site that opens by double click: no server, no network, no fetch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from microtome.report.audit.pages import write_audit_report
from microtome.report.datafile import data_script
from microtome.report.decompose.pages import write_decompose_report
from microtome.report.glossary import glossary_of
from microtome.report.layout import INDEX_PARTS, UNIT_PARTS
from microtome.report.parts.common import formula_of, phrase
from microtome.report.site import environment, write_site
from microtome.report.view import RunView, UnitView, read_run
from microtome.store.run import read_manifest


def write_report(run: Path) -> Path:
    """Write the pages of a run: `index.html`, and a page per unit and their data below `report/`.

    The pages are written beside the old ones and then swapped in, so a reader never meets half a report. A run of
    `microtome decompose`, `audit` or `explain` gets its own pages.

    Parameters
    ----------
    run:
        A folder that `microtome dissect`, `decompose`, `audit` or `explain` wrote (docs/run-format.md).

    Returns
    -------
    The path of `index.html`.

    Raises
    ------
    RunError
        If the folder is no complete run, or cannot be written.
    """
    kind = str(read_manifest(run).get("kind"))
    if kind.startswith("decompose "):
        return write_decompose_report(run)
    if kind in ("audit", "explain"):
        return write_audit_report(run)
    view = read_run(run)
    return write_site(run, lambda fresh: _write_pages(view, fresh))


def _write_pages(view: RunView, fresh: Path) -> None:
    report = fresh / "report"
    (report / "units").mkdir()
    (report / "units.js").write_text(data_script(view), encoding="utf-8")
    shared = {
        "view": view,
        "command": shlex.join(view.manifest["command"]),
        "layer": view.layer,
        "glossary": glossary_of(view.nouns),
    }
    parts = [(part, part.build(view)) for part in INDEX_PARTS]
    index = environment().get_template("index.html.j2")
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
def _unit_template() -> Any:
    return environment().get_template("unit.html.j2")
