"""From a run of `decompose` to its pages: the index, and a page for each head or neuron that it names."""

from __future__ import annotations

from pathlib import Path

from microtome.report.decompose.glossary import decompose_glossary
from microtome.report.decompose.head_page import head_page
from microtome.report.decompose.heads import heads_of
from microtome.report.decompose.layout import LAYOUTS, OTHERS
from microtome.report.decompose.neuron_page import neuron_page
from microtome.report.decompose.neurons import neurons_of
from microtome.report.decompose.specs import spec_of
from microtome.report.decompose.view import DecomposeView, read_decompose
from microtome.report.listing import shown_parts, write_listed
from microtome.report.site import environment, write_site

TITLES = {"heads": "Heads of {model}", "neurons": "Neurons of {model}"}


def write_decompose_report(run: Path) -> Path:
    """Write the pages of a run of `microtome decompose`.

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
    view = read_decompose(run)
    return write_site(run, lambda fresh: _write_pages(view, fresh))


def _write_pages(view: DecomposeView, fresh: Path) -> None:
    shared = {"view": view, "glossary": decompose_glossary(view.kind, spec_of(view.kind).words)}
    title = TITLES.get(view.kind, spec_of(view.kind).title).format(model=view.model)
    parts = shown_parts(view, LAYOUTS.get(view.kind, OTHERS), "decompose")
    page = environment().get_template("decompose/index.html.j2").render(
        **shared, root="report/", home="", title=title, parts=parts
    )  # fmt: skip
    (fresh / "index.html").write_text(page, encoding="utf-8")
    if view.kind == "heads":
        write_listed(
            fresh / "report", "decompose/head.html.j2", heads_of(view), lambda head: head_page(view, head), shared
        )
    elif view.kind == "neurons":
        write_listed(fresh / "report", "decompose/neuron.html.j2", neurons_of(view), neuron_page, shared)
