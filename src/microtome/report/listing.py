"""An index page of parts, and the pages of what it lists: shared by the reports of decompositions and audits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from microtome.report.site import environment


@dataclass(frozen=True)
class Part:
    """A part of an index page.

    Attributes
    ----------
    name:
        Its anchor.
    title:
        Its heading, where `{part}` stands for what the model was taken apart into; empty = the template's own.
    build:
        From the run to what the template needs; None = nothing to show, so the part is left out.
    template:
        `templates/<folder>/<template>.html.j2`; empty: the name.
    """

    name: str
    title: str
    build: Callable[[Any], Any]
    template: str = ""


@runtime_checkable
class HasPage(Protocol):
    """Something with a page of its own below `report`."""

    @property
    def page(self) -> str:
        """Path of the page."""
        ...


Listed = TypeVar("Listed", bound=HasPage)


def shown_parts(view: Any, parts: Sequence[Part], folder: str, *, part: str = "") -> list[dict[str, Any]]:
    """Parts that have something to show, with the template of the folder that shows each."""
    built = ((each, each.build(view)) for each in parts)
    return [
        {
            "name": each.name, "title": each.title.format(part=part), "context": context,
            "template": f"{folder}/{each.template or each.name}.html.j2",
        }
        for each, context in built if context is not None
    ]  # fmt: skip


def write_listed(
    report: Path, template: str, listed: Sequence[Listed], context: Callable[[Listed], Mapping[str, Any]],
    shared: Mapping[str, Any],
) -> None:  # fmt: skip
    """A page for each thing that is listed, with links to the one before and the one after."""
    found = environment().get_template(template)
    for place, one in enumerate(listed):
        path = report / one.page
        path.parent.mkdir(exist_ok=True)
        page = found.render(
            **shared, root="../", home="../../", c=context(one), place=place + 1, count=len(listed),
            before=listed[place - 1] if place else None,
            after=listed[place + 1] if place + 1 < len(listed) else None,
        )  # fmt: skip
        path.write_text(page, encoding="utf-8")
