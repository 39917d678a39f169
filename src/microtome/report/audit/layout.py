"""What stands on the index page of each kind of run, and in which order. A new part is a function and a line here."""

from __future__ import annotations

from microtome.report.audit import classes, common, directions, explain, overview, repairs, units
from microtome.report.listing import Part

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
