"""What the pages of pictures and of texts are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from microtome.core.measures import Metric
from microtome.recipes.result import Dissection

NAMES: dict[Metric, str] = {"iou": "IoU", "auroc": "AUROC"}
ELEMENTS = {"pixel": "cells", "image": "images", "pair": "pairs", "sentence": "sentences", "token": "tokens"}


@dataclass(frozen=True)
class Sections:
    """What only pages of pictures, or of texts, have: before and after what all pages say of scores and chance."""

    before: tuple[str, ...]
    after: tuple[str, ...]


def label_of(result: Dissection) -> str:
    """The measure of the run, in words."""
    return NAMES[result.manifest["settings"]["metric"]]


def elements_of(result: Dissection) -> str:
    """What the run's elements are called."""
    return ELEMENTS[result.manifest["elements"]["kind"]]


def items_of(result: Dissection) -> str:
    """What the run's items are called."""
    return result.manifest["data"].get("items", "image") + "s"


def is_text(result: Dissection) -> bool:
    """Whether the run is of texts."""
    return result.manifest["elements"]["kind"] in ("pair", "sentence", "token")


def best_units(result: Dissection, count: int) -> list[dict[str, Any]]:
    """The named units with the highest held-out scores."""
    return result.query(
        "select unit, words, formula, score, score_heldout, chance, chance_kind, p, fdr from units where named "
        f"order by score_heldout desc, unit limit {count}"
    ).to_pylist()


def table(heads: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Rows as a table of Markdown."""
    lines = [_line(heads), _line("---" for _ in heads), *(_line(row) for row in rows)]
    return "\n".join(lines)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def number(value: float | None) -> str:
    """Three digits behind the point; empty where there is none."""
    return "" if value is None else f"{value:.3f}"


def small(value: float | None) -> str:
    """One digit that counts."""
    return "none" if value is None else f"{value:.1g}"


def percent(value: float | None) -> str:
    """A share in per cent; empty where there is none."""
    return "" if value is None else f"{value:.1%}"


def interval(low: float | None, high: float | None, *, share: bool = False) -> str:
    """`[low, high]`; of shares in per cent."""
    if low is None or high is None:
        return ""
    return f"[{low:.1%}, {high:.1%}]" if share else f"[{low:.2f}, {high:.2f}]"
