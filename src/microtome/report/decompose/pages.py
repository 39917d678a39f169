"""From a run of `decompose` to its pages: the index, and a page for each head or neuron that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from microtome.report.decompose.glossary import decompose_glossary
from microtome.report.decompose.head_page import head_page
from microtome.report.decompose.heads import heads_of
from microtome.report.decompose.layout import LAYOUTS, OTHERS, Part
from microtome.report.decompose.neuron_page import neuron_page
from microtome.report.decompose.neurons import neurons_of
from microtome.report.decompose.specs import spec_of
from microtome.report.decompose.view import DecomposeView, read_decompose
from microtome.report.site import environment, write_site

TITLES = {"heads": "Heads of {model}", "neurons": "Neurons of {model}"}


@runtime_checkable
class HasPage(Protocol):
    """Something with a page of its own below `report`."""

    @property
    def page(self) -> str:
        """Path of the page."""
        ...


Listed = TypeVar("Listed", bound=HasPage)


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
    parts = _shown(view, LAYOUTS.get(view.kind, OTHERS))
    page = environment().get_template("decompose/index.html.j2").render(
        **shared, root="report/", home="", title=title, parts=parts
    )  # fmt: skip
    (fresh / "index.html").write_text(page, encoding="utf-8")
    if view.kind == "heads":
        _write_listed(fresh / "report", "head", heads_of(view), lambda head: head_page(view, head), shared)
    elif view.kind == "neurons":
        _write_listed(fresh / "report", "neuron", neurons_of(view), neuron_page, shared)


def _write_listed(
    report: Path, kind: str, listed: Sequence[Listed], context: Callable[[Listed], Mapping[str, Any]],
    shared: Mapping[str, Any],
) -> None:  # fmt: skip
    """A page for each of the heads or neurons, with links to the one before and the one after."""
    template = environment().get_template(f"decompose/{kind}.html.j2")
    (report / f"{kind}s").mkdir()
    for place, one in enumerate(listed):
        page = template.render(
            **shared, root="../", home="../../", c=context(one),
            before=listed[place - 1] if place else None,
            after=listed[place + 1] if place + 1 < len(listed) else None,
        )  # fmt: skip
        (report / one.page).write_text(page, encoding="utf-8")


def _shown(view: DecomposeView, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Parts that have something to show, with the template that shows it."""
    built = ((part, part.build(view)) for part in parts)
    return [
        {"name": part.name, "title": part.title, "template": part.path, "context": context}
        for part, context in built
        if context is not None
    ]
