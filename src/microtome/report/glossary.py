"""The words a newcomer meets in the report, each explained once."""

from __future__ import annotations

from collections.abc import Mapping

from microtome.report.nouns import Nouns

Entries = Mapping[str, tuple[str, str]]

GLOSSARY: dict[str, tuple[str, str]] = {
    "unit": (
        "unit",
        "One channel or neuron of a layer. It gives a number at every place of an image: its activation.",
    ),
    "concept": ("concept", "Something people have a word for, true or false of each pixel: water, red, wheel."),
    "formula": ("formula", "Concepts joined by and, or, not: for instance water or river, but not blue."),
    "threshold": (
        "threshold",
        "T, the activation above which the unit counts as firing. It is set so that the unit fires on a fixed, "
        "small share of all places.",
    ),
    "iou": (
        "IoU",
        "Intersection over union: the places where the unit fires and the name holds, divided by the places where "
        "either does. 1 = the same places, 0 = no place in common.",
    ),
    "heldout": (
        "held-out",
        "Measured on images that took no part in the search for the name, so a lucky fit does not count.",
    ),
    "chance": (
        "chance",
        "What the same search scores on average when the unit's activations are laid over the wrong images (re-paired) "
        "or moved about within the image (shifted): there is nothing to find, so this is luck. The higher is shown.",
    ),
    "p": (
        "p",
        "How often chance alone scores at least this well. Small = hard to explain by luck. Each kind of chance gives "
        "one; the larger is shown. For re-paired images, units that fire about as often share their draws.",
    ),
    "q": (
        "q",
        "p corrected for the many units that were tried. If every unit with q below 0.05 is called named, about "
        "5 % of those names are expected to be wrong.",
    ),
    "signature": (
        "signature",
        "One set of concepts that occur together at a place. Places with the same set are the same to every "
        "formula, so they are counted together.",
    ),
    "precision": (
        "precision",
        "Of the places where the name holds, the share where the unit fires. Also called detection accuracy.",
    ),
    "recall": (
        "recall",
        "Of the places where the unit fires, the share where the name holds. Also called activation coverage.",
    ),
    "f1": ("F1", "The balance of precision and recall (their harmonic mean). 1 = the same places, 0 = none in common."),
    "mcc": (
        "MCC",
        "Matthews correlation: how well holding and firing go together over all places. 1 = always, 0 = unrelated, "
        "-1 = never.",
    ),
    "auroc": (
        "AUROC",
        "Of all pairs of an image where the name holds and one where it does not, the share in which the first has the "
        "higher activation. 0.5 = no relation, 1 = always. It needs no threshold.",
    ),
    "mann_whitney": (
        "Mann-Whitney p",
        "How often an AUROC this high comes up if name and activation are unrelated. It knows nothing of the search "
        "among many names, nor of the many units.",
    ),
    "beam": (
        "beam search",
        "A search that keeps only the best few formulas of each length and adds a concept to those.",
    ),
    "lift": (
        "lift",
        "How much more often the unit fires where the concept holds than it does anywhere. 1 = no connection.",
    ),
    "certificate": (
        "certificate",
        "A proof that no other formula of this length does better on the searched images: every one was either "
        "evaluated or cannot reach this score, because its counts of places are too small.",
    ),
    "range": (
        "range",
        "A slice of the unit's activations, from low to high. Each range is explained on its own, since the "
        "strongest activations are not the whole behaviour.",
    ),
    "predicted": (
        "predicted",
        "Nobody annotated this concept: another model said where it is, and that model may be wrong.",
    ),
    "silent": ("silent", "The unit never fires above its threshold on the searched images."),
}
"""Key -> (the word as written, what it means)."""


_OF_TEXT: dict[str, tuple[str, str]] = {
    "unit": ("unit", "One neuron of a layer. It gives a number for every {element}: its activation."),
    "concept": ("concept", "Something people have a word for, true or false of each {element}: {examples}."),
    "formula": ("formula", "Concepts joined by and, or, not: for instance “man” or “woman”, but not “nobody”."),
    "threshold": ("threshold", "T, the activation above which the unit counts as firing."),
    "iou": (
        "IoU",
        "Intersection over union: the {elements} where the unit fires and the name holds, divided by the {elements} "
        "where either does. 1 = the same {elements}, 0 = none in common.",
    ),
    "heldout": (
        "held-out",
        "Measured on {items} that took no part in the search for the name, so a lucky fit does not count.",
    ),
    "chance": (
        "chance",
        "What the same search scores on average when the unit's activations are laid over the wrong {items}"
        "{shifted}: there is nothing to find, so this is luck.",
    ),
    "p": (
        "p",
        "How often chance alone scores at least this well. Small = hard to explain by luck. Where several kinds of "
        "chance were drawn the larger p is shown; units that fire about as often share their draws.",
    ),
    "signature": (
        "signature",
        "One set of concepts that hold together. {Elements} with the same set are the same to every formula, so they "
        "are counted together.",
    ),
    "precision": ("precision", "Of the {elements} where the name holds, the share where the unit fires."),
    "recall": ("recall", "Of the {elements} where the unit fires, the share where the name holds."),
    "f1": ("F1", "The balance of precision and recall (their harmonic mean). 1 = the same {elements}, 0 = none."),
    "mcc": (
        "MCC",
        "Matthews correlation: how well holding and firing go together over all {elements}. 1 = always, "
        "0 = unrelated, -1 = never.",
    ),
    "auroc": (
        "AUROC",
        "Take one of the {elements} where the name holds and one where it does not: how often the first has the higher "
        "activation. 0.5 = no relation, 1 = always. It needs no threshold.",
    ),
    "certificate": (
        "certificate",
        "A proof that no other formula of this length does better on the searched {items}: every one was either "
        "evaluated or cannot reach this score, because its counts of {elements} are too small.",
    ),
    "predicted": (
        "predicted",
        "Nobody annotated this concept: another model said where it holds, and that model may be wrong.",
    ),
    "silent": ("silent", "The unit never fires above its threshold on the searched {items}."),
}
"""Entries that read otherwise where the data are texts."""

_MORE: dict[str, tuple[str, str]] = {
    "skipped": ("skipped", "The unit fires on too few {elements} to say anything of it, so it was not examined."),
    "neighbours": (
        "a word like …",
        "NEIGHBOURS of a word: the word itself or one of those that are used most like it, as vectors of words tell. "
        "It counts as one concept.",
    ),
    "artefact": (
        "artefact",
        "Something in the data that gives a label away without the task being solved: for instance “nobody”, when "
        "nearly all {items} with it have the same label. A network may learn it instead of the task.",
    ),
    "control": (
        "control",
        "The same edit with a frequent word that the name does not mention. What it changes would change by any edit.",
    ),
    "interval": (
        "95 % interval",
        "Where the true number lies, in 95 of 100 such measurements. Narrow = measured well.",
    ),
    "adversarial": (
        "adversarial pair",
        "A pair that was edited so that its true label is known, and that the network answers wrongly.",
    ),
}
_KINDS: dict[str, tuple[str, str]] = {
    "pair": (
        "pair",
        "Two sentences, a premise and a hypothesis. The label says whether the hypothesis follows from the premise "
        "(entailment), contradicts it, or neither (neutral).",
    ),
    "sentence": ("sentence", "One text of the data, which a concept or a unit takes as a whole."),
    "token": ("token", "A piece of text as the network reads it: a word or a part of one, with the space before it."),
}
_EXAMPLES = {
    "pair": "“man” in the hypothesis, a negation word",
    "sentence": "“good”, a short sentence",
    "token": "the word “once”, text inside quotes",
}


def glossary_of(nouns: Nouns) -> Entries:
    """The words that the pages of a run explain, in the terms of what the run counts."""
    if not nouns.text:
        return GLOSSARY
    fill = {
        "element": nouns.element,
        "elements": nouns.elements,
        "Elements": nouns.elements.capitalize(),
        "items": nouns.items,
        "examples": _EXAMPLES[nouns.kind],
        "shifted": " (re-paired) or moved about within the text (shifted)" if nouns.tokens else "",
    }
    kind = {nouns.kind: _KINDS[nouns.kind]}
    entries = {**kind, **GLOSSARY, **_OF_TEXT, **_MORE}
    return {key: (word, meaning.format(**fill)) for key, (word, meaning) in entries.items()}
