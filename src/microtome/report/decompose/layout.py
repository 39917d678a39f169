"""What stands on the index page of each kind of run, and in which order. A new part is a function and a line here."""

from __future__ import annotations

from microtome.report.decompose import common, generic, heads, neurons
from microtome.report.listing import Part

_CURVES = Part("curves", "Right answers after each cut", common.curves)
_DONE = Part("done", "What was done", common.what_was_done)

HEADS = (
    Part("intro", "", heads.intro, "heads-intro"),
    Part("grid", "Layers and heads", heads.grid),
    Part("worst", "Explained worst, first", heads.worst),
    Part("groups", "Heads that share a label", heads.groups),
    Part("properties", "Heads of a property, put to the proof", heads.properties),
    Part("terms", "Who writes how much", common.term_shares),
    _CURVES,
    _DONE,
)
NEURONS = (
    Part("intro", "", neurons.intro, "neurons-intro"),
    Part("worst", "Explained worst, first", neurons.worst, "neurons-worst"),
    Part("codes", "How many texts it takes", neurons.codes),
    Part("effects", "When they are cut", neurons.effects),
    Part("image-concepts", "What neurons say of images", neurons.image_concepts),
    _CURVES,
    _DONE,
)
OTHERS = (
    Part("intro", "", generic.intro, "generic-intro"),
    _CURVES,
    Part("tables", "", generic.tables),
    Part("pictures", "", generic.pictures),
    Part("terms", "Who writes how much", common.term_shares),
    _DONE,
)

HEATMAPS = (Part("intro", "", generic.intro, "generic-intro"), Part("pictures", "", generic.pictures),
            Part("tables", "", generic.tables), _DONE)  # fmt: skip

LAYOUTS = {"heads": HEADS, "neurons": NEURONS, "heatmap": HEATMAPS}
"""By kind; every other kind is laid out as `OTHERS`, by its specification."""
