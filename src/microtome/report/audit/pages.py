"""From a run of `audit` or `explain` to its pages: the index, and a page for each finding and each class."""

from __future__ import annotations

from pathlib import Path

from microtome.report.audit.classes import class_page, classes_of
from microtome.report.audit.common import capital
from microtome.report.audit.glossary import audit_glossary
from microtome.report.audit.layout import LAYOUTS
from microtome.report.audit.proof import finding_page
from microtome.report.audit.view import AuditView, findings_of, read_audit
from microtome.report.listing import shown_parts, write_listed
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
    parts = shown_parts(view, LAYOUTS[view.kind], "audit", part=capital(view.part))
    page = (
        environment()
        .get_template("audit/index.html.j2")
        .render(**shared, root="report/", home="", title=TITLES[view.kind].format(model=view.model), parts=parts)
    )
    (fresh / "index.html").write_text(page, encoding="utf-8")
    report = fresh / "report"
    write_listed(report, "audit/finding.html.j2", findings_of(view), lambda one: finding_page(view, one), shared)
    write_listed(report, "audit/class.html.j2", classes_of(view), lambda one: class_page(view, one), shared)
