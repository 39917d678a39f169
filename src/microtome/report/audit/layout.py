"""What stands on the index page of each kind of run, and in which order. A new part is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from microtome.report.audit import classes, common, directions, explain, overview, repairs, units
from microtome.report.audit.view import AuditView


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
        `templates/audit/<template>.html.j2`; empty: the name.
    """

    name: str
    title: str
    build: Callable[[AuditView], Any]
    template: str = ""

    @property
    def path(self) -> str:
        """The template's path."""
        return f"audit/{self.template or self.name}.html.j2"


_CLASSES = Part("classes", "Classes", classes.class_list)
_DONE = Part("done", "What was done", common.what_was_done)

AUDIT = (
    Part("intro", "", overview.intro, "audit-intro"),
    Part("findings", "Findings", overview.findings),
    Part("repairs", "What it costs to mend", repairs.mending),
    Part("confusions", "Which classes turn into which", overview.confusions),
    _CLASSES,
    Part("units", "{part}s", units.effects),
    Part("directions", "Directions", directions.directions),
    _DONE,
)
EXPLAIN = (
    Part("intro", "", explain.intro, "explain-intro"),
    Part("parts", "What adds to the answer", explain.parts, "explained-parts"),
    _CLASSES,
    _DONE,
)

LAYOUTS = {"audit": AUDIT, "explain": EXPLAIN}
