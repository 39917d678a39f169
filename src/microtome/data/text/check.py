"""What a file of texts holds, counted: items, labels, concepts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from microtome.data.text.base import TextData

MOST = 12


@dataclass(frozen=True)
class TextReport:
    """Counts of one data set.

    Attributes
    ----------
    labels:
        Class and how many items have it; items without a label under "".
    categories:
        Category, number of its concepts, and those on most elements with their counts.
    """

    name: str
    reader: str
    level: str
    items: int
    elements: int
    labels: tuple[tuple[str, int], ...]
    categories: tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]
    notes: tuple[str, ...]


def check_texts(data: TextData) -> TextReport:
    """Read every item of a data set and count. Raises DataError as reading does."""
    labels: Counter[str] = Counter()
    held: Counter[int] = Counter()
    elements = 0
    for index in range(len(data)):
        text = data.read(index)
        labels["" if text.label is None else data.classes[text.label]] += 1
        elements += len(text.sets)
        for members in text.sets:
            held.update(members)
    groups: dict[str, list[tuple[str, int]]] = {}
    for index, concept in enumerate(data.concepts):
        groups.setdefault(concept.category, []).append((concept.name, held[index]))
    categories = tuple(
        (category, len(counts), tuple(sorted(counts, key=lambda count: (-count[1], count[0]))[:MOST]))
        for category, counts in groups.items()
    )
    ordered = tuple((name, labels[name]) for name in (*data.classes, "") if labels[name])
    return TextReport(
        data.card.name, data.card.reader, data.level, len(data), elements, ordered, categories, data.card.notes
    )
