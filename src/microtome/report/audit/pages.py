"""From a run of `audit` or `explain` to its pages: the index, and a page for each finding and each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from microtome.report.audit.classes import class_page, classes_of
from microtome.report.audit.common import capital
from microtome.report.audit.glossary import audit_glossary
from microtome.report.audit.layout import LAYOUTS
from microtome.report.audit.proof import finding_page
from microtome.report.audit.view import AuditView, findings_of, read_audit
from microtome.report.decompose.pages import HasPage
from microtome.report.site import environment, write_site

TITLES = {"audit": "Audit of {model}", "explain": "One answer of {model}"}


def write_audit_report(run: Path) -> Path:
    """Write the pages of a run of `microtome audit` or `microtome explain`.

    Parameters
    ----------
    run:
        A folder with the manifest and the tables of a run; nothing else is read, and no score is computed.

    Returns
    -------
    The path of `index.html`.

    Raises
    ------
    RunError
        If the folder is no complete run, or cannot be written.
    """
    view = read_audit(run)
    return write_site(run, lambda fresh: _write_pages(view, fresh))


def _write_pages(view: AuditView, fresh: Path) -> None:
    shared = {"view": view, "glossary": audit_glossary(view)}
    page = environment().get_template("audit/index.html.j2").render(
        **shared, root="report/", home="", title=TITLES[view.kind].format(model=view.model), parts=_shown(view)
    )  # fmt: skip
    (fresh / "index.html").write_text(page, encoding="utf-8")
    report = fresh / "report"
    _write_each(report, "finding", findings_of(view), lambda one: finding_page(view, one), shared)
    _write_each(report, "class", classes_of(view), lambda one: class_page(view, one), shared)


def _write_each(
    report: Path, kind: str, listed: Sequence[Any], context: Callable[[Any], Mapping[str, Any]],
    shared: Mapping[str, Any],
) -> None:  # fmt: skip
    """A page for each finding or class, with links to the one before and the one after."""
    template = environment().get_template(f"audit/{kind}.html.j2")
    for place, one in enumerate(listed):
        assert isinstance(one, HasPage)
        path = report / one.page
        path.parent.mkdir(exist_ok=True)
        page = template.render(
            **shared, root="../", home="../../", c=context(one), place=place + 1, count=len(listed),
            before=listed[place - 1] if place else None,
            after=listed[place + 1] if place + 1 < len(listed) else None,
        )  # fmt: skip
        path.write_text(page, encoding="utf-8")


def _shown(view: AuditView) -> list[dict[str, Any]]:
    """Parts that have something to show, with the template that shows it."""
    built = ((part, part.build(view)) for part in LAYOUTS[view.kind])
    return [
        {"name": part.name, "title": part.title.format(part=capital(view.part)), "template": part.path,
         "context": context}
        for part, context in built
        if context is not None
    ]  # fmt: skip
