"""The words that a newcomer meets on the pages of an audit, each explained once."""

from __future__ import annotations

from microtome.report.audit.view import AuditView
from microtome.report.glossary import Entries

_PARTS = {
    "unit": "One channel or neuron of a layer. It gives a number for every {item}: how strongly it fires.",
    "head": "One of several parts of an attention layer. It takes something from the {item} and adds it to the output.",
    "neuron": "One number inside a layer. Later attention heads read it into the output: what they read is its effect.",
}

_WORDS: dict[str, tuple[str, str]] = {
    "suspect": (
        "suspect",
        "A concept that parts of the network detect and that speaks for a class, though it is not what makes the "
        "class: for instance water, for a sea bird. Suspicion is no proof.",
    ),
    "formula": ("formula", "What a {part} fires on, in words: concepts joined by and, or, not."),
    "fit": (
        "fit of the name",
        "How well the name says where the {part} fires, on {items} that took no part in finding it (IoU: the places "
        "where it fires and the name holds, divided by the places where either does). 1 = the same places.",
    ),
    "case": (
        "case",
        "One of the {items} that the network answered rightly, shown again with one change. It is turned when the new "
        "answer is the suspect's class, which is still wrong: the change leaves alone what makes the true class.",
    ),
    "control": (
        "control",
        "The same change with something harmless in place of the concept, or as many other {part}s. What it does, any "
        "change of this size does; only what goes beyond it counts.",
    ),
    "verdict": (
        "verdict",
        "Proved: the concept turns clearly more answers than the control. Refuted: it hardly turns more, and that is "
        "sure. Not proved: the numbers do not decide it.",
    ),
    "points": (
        "points",
        "The difference of two percentages: from 10 % to 15 % is 5 points.",
    ),
    "interval": (
        "95 % interval",
        "Where the true number lies, in 95 of 100 such measurements. Narrow = measured well.",
    ),
    "p": ("p", "How often chance alone makes a difference at least this large. Small = hard to explain by luck."),
    "q": (
        "q",
        "p corrected for the many suspects that were tried. Of all proofs with q below 0.05 about 5 % are expected to "
        "be wrong.",
    ),
    "margin": (
        "margin",
        "How far the network prefers one answer to another. A {part}'s share is its part of how much the margin grew "
        "when the concept came in.",
    ),
    "carrier": (
        "carrier",
        "A {part} through which the concept reaches the answer: cut out together with the other carriers, the answer "
        "turns less often. They are chosen on other {items} than those they are tested on.",
    ),
    "ablation": (
        "ablation",
        "Cutting a {part} out: it gives its mean over the data, whatever it is shown, so that it can tell nothing.",
    ),
    "erase": (
        "erasing a direction",
        "Taking out of all {part}s together the one pattern along which the concept moves them, and leaving the rest.",
    ),
    "reverse": (
        "the other way round",
        "The concept is taken out of {items} of the class that it speaks for. If the answer is then lost, the class "
        "leans on it.",
    ),
    "repair": (
        "repair",
        "A change of the network that makes it lean less on the concept. It is chosen on some {items} and reported on "
        "others.",
    ),
    "worst": (
        "worst group",
        "{Items} are put into groups: a class with the concept, and without it. The worst group is the one with the "
        "fewest right answers; it is where the fault hurts.",
    ),
    "price": (
        "price",
        "How many points of right answers a repair costs on ordinary data. A repair that mends one group by spoiling "
        "the rest is none.",
    ),
    "retrain": (
        "retrain",
        "The last layer is trained again on the data and on the changed {items}, with their true class.",
    ),
    "dfr": (
        "DFR",
        "Deep feature reweighting: the last layer is trained again on groups of equal weight. It needs {items} whose "
        "group is known; here it is the comparison.",
    ),
    "shift": (
        "shift split",
        "Other {items} of the same classes in which what goes with what is different. A concept that made a class "
        "would be there too.",
    ),
    "loss": (
        "loss",
        "How wrong the answers are: 0 = sure and right (cross-entropy, in nats). “Loss without it” is how much it "
        "grows when the {part} is cut; below 0 the network is better off.",
    ),
    "selectivity": (
        "selectivity",
        "How much stronger a {part} fires on its favourite class than on all others: 0 = alike, 1 = on that alone.",
    ),
    "kind": (
        "kind",
        "What the name of a {part} is like: one meaning (abstraction), one with exceptions (specialisation), several "
        "that are far apart (polysemantic), nothing we have a word for (outside the inventory), or unclear.",
    ),
    "direction": (
        "direction",
        "A weighted sum of many {part}s that detects a concept. Where it does better than the best {part}, the network "
        "keeps the concept in many at once.",
    ),
    "weight": ("weight", "By how much the last layer multiplies a {part}: above 0 for the class, below 0 against it."),
    "adds": (
        "adds",
        "What the {part} puts into the score of a class beyond what it puts into the others. The answer is the class "
        "with the largest score.",
    ),
}  # fmt: skip
_OF_IMAGES = {
    "heat": (
        "heatmap",
        "Grey patches are laid over the image, one at a time. Where the heat is warm, the patch takes the new answer "
        "back; where it is cold, it makes it firmer.",
    ),
}
_OF_TERMS = {
    "formula": ("formula", "The texts that say best what a {part} adds to the output."),
    "fit": (
        "fit of the name",
        "How well its texts tell what a {part} adds, on {items} that took no part in naming it. 1 = all of it, 0 = "
        "nothing.",
    ),
    "adds": (
        "adds",
        "What the {part} puts into the score of a class beyond what it puts into the others, on {items} of the class "
        "compared with all {items}. It can speak for a class by being low there.",
    ),
    "ablation": (
        "ablation",
        "Cutting a {part} out: what it adds to the output is set to its mean over the data, whatever the network is "
        "shown. What the layers in between make of it stays.",
    ),
}
"""Of heads and neurons, which are named by what they add."""
_EXPLAIN = ("formula", "fit", "adds", "ablation", "weight", "direction")


def audit_glossary(view: AuditView) -> Entries:
    """The words that the pages of a run explain, in the terms of what the classifier is shown."""
    nouns, part = view.nouns, view.part
    fill = {"item": nouns.item, "items": nouns.items, "Items": nouns.items.capitalize(), "part": part}
    entries = {"part": (part, _PARTS.get(part, _PARTS["unit"])), **_WORDS, **({} if part == "unit" else _OF_TERMS)}
    if view.kind == "explain":
        entries = {key: entries[key] for key in ("part", *_EXPLAIN)}
    elif not nouns.text:
        entries |= _OF_IMAGES
    return {key: (word, meaning.format(**fill)) for key, (word, meaning) in entries.items()}
