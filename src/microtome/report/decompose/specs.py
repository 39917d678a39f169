"""What the page of each kind of run shows beyond heads and neurons: to add a kind is to add an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Format = Literal[
    "auto", "text", "share", "score", "signed", "signed3", "points", "count", "p", "interval", "range", "points range"
]


@dataclass(frozen=True)
class ColumnSpec:
    """A column of a table.

    Attributes
    ----------
    key:
        Column of the table.
    title:
        As it is written above it.
    format:
        `auto` goes by the type; `share` is in percent, `points` a change of a share; `interval` (of shares),
        `points range` (of their changes) and `range` (of other numbers, with their sign) take the columns `ends`.
    bar:
        Full width of a bar below the number; None: no bar.
    notch:
        Column that a mark on the bar is taken from, such as chance.
    ends:
        Columns of an interval.
    """

    key: str
    title: str
    format: Format = "auto"
    bar: float | None = None
    notch: str = ""
    ends: tuple[str, str] = ("low", "high")


@dataclass(frozen=True)
class TableSpec:
    """A table on the page.

    Attributes
    ----------
    table:
        Its name in the run.
    title, intro:
        Heading, and what a reader should know; may be empty.
    columns:
        What is shown; those that the run's table lacks are left out. Empty: all.
    order:
        Column to sort by, with `-` before it for the largest first; empty: as it is.
    most:
        Rows that stand open.
    """

    table: str
    title: str
    intro: str = ""
    columns: tuple[ColumnSpec, ...] = ()
    order: str = ""
    most: int = 20


@dataclass(frozen=True)
class PictureSpec:
    """Rows of pictures from a table with the columns `sprite` and `tile`, and maybe `heat_tile`.

    Attributes
    ----------
    table, title, intro:
        As in `TableSpec`.
    groups:
        Columns whose values head a row of pictures.
    caption:
        Column and what it is called, for the lines below a picture.
    """

    table: str
    title: str
    intro: str = ""
    groups: tuple[str, ...] = ()
    caption: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class KindSpec:
    """The page of a kind of run.

    Attributes
    ----------
    title, question:
        Its heading, and the question that the command answers, in words for everybody.
    tables, pictures:
        In the order of the page. Tables that a run lacks are left out; tables that are not named here follow below.
    words:
        Further words of the glossary.
    """

    title: str
    question: str
    tables: tuple[TableSpec, ...] = ()
    pictures: tuple[PictureSpec, ...] = ()
    words: tuple[str, ...] = ()


def _interval(prefix: str) -> ColumnSpec:
    return ColumnSpec(f"{prefix}low", "95 % interval", "interval", ends=(f"{prefix}low", f"{prefix}high"))


def _share(key: str, title: str, notch: str = "") -> ColumnSpec:
    return ColumnSpec(key, title, "share", bar=1.0, notch=notch)


SPECS: Mapping[str, KindSpec] = {
    "heatmap": KindSpec(
        "Where in the image it is",
        "Which patches of each image speak for a text or a class, and which against it?",
        pictures=(
            PictureSpec("heatmaps", "Image by image", groups=("image",), caption=(("caption", "what it shows"),)),
        ),
    ),
    "segment": KindSpec(
        "Objects cut out by text",
        "If an image is cut where its patches speak for a text, how well does that fit the object, and do other ways "
        "of asking the model do better?",
        tables=(
            TableSpec(
                "segmentation",
                "How well the cut fits",
                "Rows marked as controls know nothing of what is asked for: what they reach, luck and habit reach.",
                (
                    ColumnSpec("method", "method"),
                    ColumnSpec("direction", "asked by"),
                    ColumnSpec("control", "control"),
                    _share("miou", "mean IoU"),
                    _interval("miou_"),
                    _share("pixel_accuracy", "pixels right"),
                    _interval("pixel_"),
                    _share("map", "mean AP"),
                    _interval("map_"),
                    ColumnSpec("gain", "gain over a blob in the centre", "signed"),
                    _interval("gain_"),
                    ColumnSpec("gain_p", "p", "p"),
                    ColumnSpec("images", "images", "count"),
                ),
            ),
        ),
        pictures=(
            PictureSpec(
                "segment_images",
                "From the worst to the best",
                "Bright, inside the solid yellow line: what the method takes for it. Dashed blue line: where it is.",
                groups=("image",),
                caption=(("caption", "what it shows"),),
            ),
        ),
        words=("iou",),
    ),
    "ablate": KindSpec(
        "What the answers need",
        "Which layers, heads and MLPs do the right answers depend on?",
    ),
    "retrieve": KindSpec(
        "Images alike in one property",
        "Do a few heads find images that are alike in one property, such as colour, better than the whole output?",
        tables=(
            TableSpec(
                "retrieval",
                "Of the ten images found first, the share alike",
                "",
                (
                    ColumnSpec("property", "alike in"),
                    ColumnSpec("heads", "heads"),
                    _share("precision", "by these heads", "full"),
                    _interval(""),
                    _share("full", "by the whole output"),
                    _interval("full_"),
                    ColumnSpec("difference", "difference", "signed"),
                    _interval("difference_"),
                    ColumnSpec("chance", "chance", "share"),
                    ColumnSpec("queries", "queries", "count"),
                ),
            ),
        ),
        pictures=(
            PictureSpec(
                "retrieval_examples",
                "What is found",
                groups=("property", "query", "how"),
                caption=(("value", "value"), ("image", "image")),
            ),
        ),
        words=("label",),
    ),
    "debias": KindSpec(
        "Answers without a misleading cue",
        "If the heads that see a misleading cue, such as the background, are replaced by their mean, do those images "
        "gain where the cue misleads?",
        tables=(
            TableSpec(
                "groups",
                "Right answers by group",
                "The group that matters is the worst one.",
                (
                    ColumnSpec("group", "group"),
                    ColumnSpec("state", "heads cut"),
                    _share("accuracy", "right"),
                    _interval(""),
                    ColumnSpec("images", "images", "count"),
                ),
            ),
            TableSpec(
                "chosen",
                "Which heads were cut",
                "Chosen on other images: heads that tell the cue, not the class.",
                (
                    ColumnSpec("rank", "rank"),
                    ColumnSpec("layer", "layer"),
                    ColumnSpec("head", "head"),
                    ColumnSpec("chosen", "cut"),
                    _share("nuisance_share", "explained by the cue"),
                    _share("class_share", "explained by the class"),
                    ColumnSpec("variance", "share of variance", "share"),
                ),
                most=12,
            ),
            TableSpec(
                "control",
                "As many heads drawn at random",
                "",
                (
                    ColumnSpec("heads", "heads"),
                    _share("worst", "worst group"),
                    _share("mean", "all"),
                ),
                most=8,
            ),
        ),
    ),
    "adversary": KindSpec(
        "Things that mislead it",
        "Do the neurons tell which things in an image turn one answer into another?",
        tables=(
            TableSpec(
                "adversary",
                "How often the answer turns",
                "Control: the same with things drawn at random.",
                (
                    ColumnSpec("among", "answers among"),
                    ColumnSpec("from_class", "from"),
                    ColumnSpec("to_class", "to"),
                    ColumnSpec("scenes", "scenes", "count"),
                    _share("rate", "turned", "control"),
                    _interval(""),
                    _share("control", "control"),
                    _interval("control_"),
                    ColumnSpec("difference", "difference", "signed"),
                    _interval("difference_"),
                    ColumnSpec("p", "p", "p"),
                ),
            ),
            TableSpec(
                "adversary_words",
                "Words that the neurons point to",
                "",
                (
                    ColumnSpec("from_class", "from"),
                    ColumnSpec("to_class", "to"),
                    ColumnSpec("text", "text"),
                    ColumnSpec("property", "property"),
                    ColumnSpec("score", "score", "score"),
                    ColumnSpec("neurons", "neurons", "count"),
                    ColumnSpec("used", "used"),
                ),
            ),
        ),
        pictures=(
            PictureSpec(
                "adversary_images",
                "Before and after",
                groups=("from_class", "to_class"),
                caption=(("caption", "what it shows"), ("image", "image")),
            ),
        ),
        words=("neuron", "cosine"),
    ),
}
"""By kind: `decompose heatmap` ..."""


def spec_of(kind: str) -> KindSpec:
    """The page of a kind; one that is not listed gets a plain page."""
    return SPECS.get(kind, KindSpec(kind.capitalize() or "Decomposition", ""))
