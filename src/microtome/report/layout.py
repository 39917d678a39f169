"""What stands on the pages, and in which order. A new part is one function, one template and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from microtome.report.parts.answer import certainty, headline
from microtome.report.parts.behaviour import activations, deciles, disagreements, top_images, when_active
from microtome.report.parts.evidence import certificate, other_methods, steps
from microtome.report.parts.findings import adversarial, artefacts, correlations
from microtome.report.parts.overview import charts, intro, what_was_done
from microtome.report.parts.proof import class_weights, editing
from microtome.report.parts.tables import categories, overlaps
from microtome.report.view import RangeView, RunView, UnitView

Context = Mapping[str, Any]


@dataclass(frozen=True)
class IndexPart:
    """A part of the index page.

    Attributes
    ----------
    name:
        Its anchor and its template: `templates/parts/<name>.html.j2`.
    title:
        Its heading; empty = the template brings its own. {items} stands for what the data are a list of.
    build:
        From the run to what the template needs; None = nothing to show, so the part is left out.
    """

    name: str
    title: str
    build: Callable[[RunView], Context | None]


@dataclass(frozen=True)
class UnitPart:
    """A part of a unit's page, built once for each range of the unit. Attributes as in `IndexPart`."""

    name: str
    title: str
    build: Callable[[RunView, UnitView, RangeView], Context | None]


INDEX_PARTS = (
    IndexPart("intro", "", intro),
    IndexPart("charts", "At a glance", charts),
    IndexPart("artefacts", "What follows from a concept alone", artefacts),
    IndexPart("correlations", "Do better names go with better answers?", correlations),
    IndexPart("adversarial", "Pairs that fool the network", adversarial),
    IndexPart("done", "What was done", what_was_done),
)

UNIT_PARTS = (
    UnitPart("headline", "", headline),
    UnitPart("top-images", "Top {items}", top_images),
    UnitPart("certainty", "How sure are we?", certainty),
    UnitPart("editing", "Proof by editing", editing),
    UnitPart("steps", "What each concept adds", steps),
    UnitPart("deciles", "Across the active range", deciles),
    UnitPart("disagreements", "Where name and unit disagree", disagreements),
    UnitPart("activations", "How strongly it fires", activations),
    UnitPart("when-active", "When it fires, is the network right?", when_active),
    UnitPart("class-weights", "Which answer it speaks for", class_weights),
    UnitPart("overlaps", "Concepts that overlap it most", overlaps),
    UnitPart("categories", "Best concept of each category", categories),
    UnitPart("other-methods", "What other methods say", other_methods),
    UnitPart("certificate", "Is there a better name?", certificate),
)
