"""The recording pass over texts, literal: one text through the model at a time, counts by sets of names, float64."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from microtome.data.text.base import TextData
from microtome.models.text import TextModel
from microtome.record.items import Items

Set = frozenset[str]


@dataclass(frozen=True)
class LiteralText:
    """What one text shows: for each of its elements the names of its concepts and the activations."""

    heldout: bool
    names: tuple[Set, ...]
    values: np.ndarray
    """float32 [element, unit], rounded to float16 where the pass stores that."""
    answer: int


def literal_texts(
    model: TextModel, items: Items, layer: str, *, pool: str = "max", half: bool = True
) -> list[LiteralText]:
    """Every text of a run, each alone in its batch, pooled by hand."""
    data = items.sets[0]
    assert isinstance(data, TextData)
    found = []
    for index in range(len(data)):
        text = data.read(index)
        if data.level == "token":
            values = model.tokens([text.pieces], layer)[0].numpy()
        else:
            values = model.pooled([data.texts(index)], layer, pool=pool)[0].numpy()  # type: ignore[arg-type]
        answer = int(model.logits([data.texts(index)])[0].argmax()) if model.classes else -1
        names = tuple(frozenset(data.concepts[c].name for c in members) for members in text.sets)
        kept = values.astype(np.float16) if half else values
        found.append(LiteralText(bool(items.heldout[index]), names, kept.astype(np.float32), answer))
    return found


def elements_by_set(texts: list[LiteralText], *, heldout: bool) -> Counter[Set]:
    """How many elements of a half have exactly each set of concepts."""
    return Counter(names for text in texts if text.heldout == heldout for names in text.names)


def active_by_set(texts: list[LiteralText], unit: int, low: float, *, heldout: bool) -> Counter[Set]:
    """The same of the elements on which the unit is above `low`."""
    return Counter(
        names
        for text in texts
        if text.heldout == heldout
        for names, value in zip(text.names, text.values[:, unit], strict=True)
        if value > low
    )


def turned_by_set(
    texts: list[LiteralText], unit: int, low: float, *, heldout: bool, pairing: np.ndarray, shifts: np.ndarray
) -> Counter[Set]:
    """Active elements read against text `pairing[i]`, token t at (t + shift) modulo the length of that text."""
    found: Counter[Set] = Counter()
    for number, text in enumerate(texts):
        if text.heldout != heldout:
            continue
        other = texts[pairing[number]].names
        for at, value in enumerate(text.values[:, unit]):
            if value > low:
                found[other[(at + int(shifts[number, 1])) % len(other)]] += 1
    return found


def paired_by_set(
    texts: list[LiteralText], unit: int, low: float, *, heldout: bool, pairing: np.ndarray
) -> Counter[Set]:
    """Active elements read against the same place of text `pairing[i]`; beyond its end there is nothing."""
    found: Counter[Set] = Counter()
    for number, text in enumerate(texts):
        other = texts[pairing[number]].names
        for at, value in enumerate(text.values[:, unit]):
            if text.heldout == heldout and value > low and at < len(other):
                found[other[at]] += 1
    return found
