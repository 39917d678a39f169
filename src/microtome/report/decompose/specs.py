"""What the page of each kind of run shows beyond heads and neurons: to add a kind is to add an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Format = Literal["auto", "text", "share", "score", "signed", "count", "p", "interval"]


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
        `auto` goes by the type; `share` is in percent; `interval` takes the columns `low` and `high`, whatever `key`.
    bar:
        Full width of a bar below the number; None: no bar.
    notch:
        Column that a mark on the bar is taken from, such as chance.
    """

    key: str
    title: str
    format: Format = "auto"
    bar: float | None = None
    notch: str = ""


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


SPECS: Mapping[str, KindSpec] = {
    "heatmap": KindSpec(
        "Where in the image it is",
        "Which patches of each image speak for a text or a class, and which against it?",
    ),
    "segment": KindSpec(
        "Objects cut out by text",
        "If an image is cut where its patches speak for a text, how well does that fit the object, and do other ways "
        "of asking the model do better?",
        words=("iou",),
    ),
    "ablate": KindSpec(
        "What the answers need",
        "Which layers, heads and MLPs do the right answers depend on?",
    ),
    "retrieve": KindSpec(
        "Images alike in one property",
        "Do a few heads find images that are alike in one property, such as colour, better than the whole output?",
        words=("label",),
    ),
    "debias": KindSpec(
        "Answers without a misleading cue",
        "If the heads that see a misleading cue, such as the background, are replaced by their mean, do those images "
        "gain where the cue misleads?",
    ),
    "adversary": KindSpec(
        "Things that mislead it",
        "Do the neurons tell which things in an image turn one answer into another?",
        words=("neuron", "cosine"),
    ),
}
"""By kind: `decompose heatmap` ..."""


def spec_of(kind: str) -> KindSpec:
    """The page of a kind; one that is not listed gets a plain page."""
    return SPECS.get(kind, KindSpec(kind.capitalize() or "Decomposition", ""))
