"""The words that a newcomer meets on the pages of a decomposition, each explained once."""

from __future__ import annotations

from microtome.report.glossary import GLOSSARY, Entries

_OWN: dict[str, tuple[str, str]] = {
    "head": (
        "head",
        "One of several parts of an attention layer. It looks at some patches of the image, takes something from them "
        "and writes it into the output.",
    ),
    "neuron": (
        "neuron",
        "One number inside an MLP layer. It fires on some patches; later heads read that and write it into the output.",
    ),
    "written": (
        "what it writes",
        "The model's output is a sum: each head, each MLP layer and the embedding adds one vector to it. That vector "
        "is what the part writes.",
    ),
    "share": (
        "share of variance",
        "How much of what the listed parts write, as it changes from image to image, this part writes. A part that "
        "writes the same on every image has a share of 0, however large it is.",
    ),
    "explained": (
        "explained",
        "How much of the changes in what a part writes lies along the directions of its texts. 100 % = the texts say "
        "all of it; a few texts always say some of it, so look at chance.",
    ),
    "direction": (
        "direction of a text",
        "The point in the model's output space that the text stands for. An image whose output lies that way is one "
        "that the model would call by this text.",
    ),
    "heldout": (
        "held-out",
        "Measured on images that took no part in the choice of the texts, so a lucky fit does not count.",
    ),
    "chance": (
        "chance",
        "What the same search finds where there is nothing to find: among the same texts with their directions turned "
        "at random, or with other texts in place of these.",
    ),
    "label": (
        "label",
        "The property that the texts of a part have in common, such as colour or count. It is given only where more of "
        "what they explain comes from that property than with texts turned at random; otherwise the part is mixed.",
    ),
    "mixed": (
        "mixed",
        "The texts are of several properties, or of one that comes up as often where texts are turned at random: no "
        "label is claimed. The texts still say what the part writes.",
    ),
    "prediction": (
        "prediction",
        "How well the likeness of an image and the text tells what the part writes, on held-out images, as a "
        "correlation: 0 = not at all, 1 = exactly. The image is known by its caption where it has one, else by what "
        "the model makes of it without this part.",
    ),
    "p": ("p", "How often chance alone does at least this well. Small = hard to explain by luck."),
    "q": (
        "q",
        "p corrected for the many parts that were looked at. Of all claims with q below 0.05 about 5 % are expected to "
        "be wrong.",
    ),
    "mean": (
        "replaced by its mean",
        "The part writes on every image what it writes on average, so that it can no longer tell images apart.",
    ),
    "direct": (
        "direct effect",
        "What happens when only the part's own term of the output is replaced by its mean. Later layers still see what "
        "the part did.",
    ),
    "total": (
        "total effect",
        "What happens when the part itself is replaced by its mean while the model runs, so that all that later layers "
        "make of it changes too.",
    ),
    "cosine": (
        "cosine",
        "How nearly two directions are the same: 1 = the same, 0 = at right angles, that is unrelated.",
    ),
    "heat": (
        "heatmap",
        "Which patches of the image the part takes this from: warm patches speak for the text, cold ones against it, "
        "grey ones say nothing.",
    ),
    "interval": (
        "95 % interval",
        "Where the true number lies, in 95 of 100 such measurements. Narrow = measured well.",
    ),
    "iou": GLOSSARY["iou"],
}

_LEFT_OUT = {"heads": ("neuron", "cosine", "iou"), "neurons": ("label", "mixed", "iou", "explained", "q")}
_ALWAYS = ("head", "written", "direction", "heldout", "chance", "mean", "direct", "total", "heat", "interval")


def decompose_glossary(kind: str, more: tuple[str, ...] = ()) -> Entries:
    """The words that the pages of a kind of run explain; `more` names those that only some kinds use."""
    kept = [key for key in _OWN if key not in _LEFT_OUT[kind]] if kind in _LEFT_OUT else [*_ALWAYS, *more]
    return {key: _OWN[key] for key in _OWN if key in kept}
