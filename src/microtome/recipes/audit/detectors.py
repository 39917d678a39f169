"""What a unit detects: the concepts on which it fires more often than elsewhere, alone and two together.

    lift(C) = P(unit active | C) / P(unit active)

from the run's own table of signatures, so nothing is read again. Of a head it is the words of its texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import final

import numpy as np
from jaxtyping import Int

from microtome.core.concept import Concept
from microtome.core.formula import Formula, Leaf, conjoin, leaves, length
from microtome.core.parse import parse
from microtome.core.signatures import SignatureTable
from microtome.recipes.audit.concept_family import conjunctions
from microtome.recipes.audit.nouns import Named
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.result import Dissection

LIFT = 2.0
"""A concept is detected where the unit fires at least so many times as often as anywhere."""
SHARPER = 1.2
"""Two concepts together are a concept of their own where the unit fires so much more often on both than on either."""
FEWEST = 0.001
"""Share of the elements that a concept of two words covers at least."""
TINGED = 1.3
"""Lift of a word that may only sharpen another."""
TEXTS, SLIGHT = 5, 0.02
"""Of a head's texts the first so many are read, but for those that explain less than this share of what they all do."""
SHOWN = 3
"""Texts by which a head is called."""


@dataclass(frozen=True, eq=False)
class Fires:
    """Where a unit fires: rows of the table and elements on each."""

    rows: Int[np.ndarray, " row"]
    counts: Int[np.ndarray, " row"]


@final
class UnitDetector:
    """See `asked.Detector`.

    Parameters
    ----------
    table:
        Signatures of the run's searched half.
    fires:
        Of the unit.
    stated:
        Formulas that name the unit, of every length.
    beside:
        Concepts that overlap it most.
    """

    def __init__(self, table: SignatureTable, fires: Fires, stated: list[Formula], beside: list[str]) -> None:
        self._table, self._fires, self._stated, self._beside = table, fires, stated, beside

    @cached_property
    def _active(self) -> int:
        return int(self._fires.counts.sum())

    def lift(self, formula: Formula) -> tuple[float, int]:
        """Lift, and how many elements the formula covers."""
        holds = self._table.holds(formula)
        count = int(self._table.weight[holds].sum())
        both = int(self._fires.counts[holds[self._fires.rows]].sum())
        expected = count * self._active / max(self._table.total, 1)
        return (both / expected if expected > 0 else 0.0), count

    def formulas(self, barred: frozenset[str]) -> list[Formula]:
        """The conjunctions of its own formulas, then single concepts and pairs of two categories, by lift."""
        stated = [part for formula in self._stated for part in conjunctions(formula, without=barred)]
        words = [leaf.name for formula in stated for leaf in leaves(formula)]
        names = [name for name in dict.fromkeys([*words, *self._beside]) if name not in barred]
        lifts = {name: self.lift(Leaf(name))[0] for name in names}
        single = [Leaf(name) for name in names if lifts[name] >= LIFT]
        found = {str(formula): (self.lift(formula)[0], formula) for formula in [*stated, *single]}
        for formula, value in self._pairs(names, lifts):
            found.setdefault(str(formula), (value, formula))
        kept = [pair for pair in found.values() if pair[0] >= LIFT]
        return [formula for _, formula in sorted(kept, key=lambda pair: (-pair[0], length(pair[1]), str(pair[1])))]

    def _pairs(self, names: list[str], lifts: dict[str, float]) -> list[tuple[Formula, float]]:
        category = {concept.name: concept.category for concept in self._table.concepts}
        found: list[tuple[Formula, float]] = []
        tinged = [name for name in names if lifts[name] >= TINGED]
        for one, other in combinations(tinged, 2):
            if category[one] == category[other] or max(lifts[one], lifts[other]) < LIFT:
                continue
            both: Formula = conjoin(*(Leaf(name) for name in sorted((one, other))))
            value, count = self.lift(both)
            if count >= FEWEST * self._table.total and value >= SHARPER * max(lifts[one], lifts[other]):
                found.append((both, value))
        return found


def units_of(run: Dissection) -> tuple[dict[int, Named], dict[int, UnitDetector]]:
    """Names and detectors of a run's units; of a unit in ranges the highest range."""
    table, activity = run.signatures("search")
    slots = run.units.to_pylist()
    stated: dict[int, list[Formula]] = {}
    for row in run.explanations.to_pylist():
        if row["formula"]:
            stated.setdefault(row["unit"], []).append(parse(row["formula"]))
    beside: dict[int, list[str]] = {}
    for row in run.table("overlaps").to_pylist():
        beside.setdefault(row["unit"], []).append(row["concept"])
    names: dict[int, Named] = {}
    detectors: dict[int, UnitDetector] = {}
    for slot, row in enumerate(slots):
        unit = int(row["unit"])
        names[unit] = Named(
            unit, f"unit {unit}", row["formula"] or "", row["words"] or "",
            float("nan") if row["score_heldout"] is None else float(row["score_heldout"]), bool(row["named"]),
        )  # fmt: skip
        rows, counts = activity.unit(slot)
        near = [name for name in beside.get(unit, []) if name in table.by_name]
        detectors[unit] = UnitDetector(table, Fires(rows, counts), stated.get(unit, []), near)
    return names, detectors


@final
class HeadDetector:
    """What a head's texts speak of. See `asked.Detector`.

    Parameters
    ----------
    texts:
        Its first texts with what each explains.
    label:
        The property that they are about, as far as one stands out; empty otherwise. A head of surfaces tells every
        surface from the others.
    words:
        Concepts of the data by the words that say them.
    category:
        Of each concept.
    """

    def __init__(
        self, texts: Sequence[tuple[str, float]], label: str, words: Mapping[tuple[str, ...], Sequence[str]],
        category: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._label, self._category = label.casefold(), category
        whole = sum(gain for _, gain in texts)
        self._weight: dict[str, float] = {}
        self._together: set[tuple[str, str]] = set()
        for text, gain in texts:
            if gain < SLIGHT * whole:
                continue
            names = said_in(text, words)
            for name in names:
                self._weight[name] = self._weight.get(name, 0.0) + gain
            self._together |= set(combinations(sorted(names), 2))

    def formulas(self, barred: frozenset[str]) -> list[Formula]:
        """Concepts of the texts by what these explain, then those of the label's category, then pairs: what one text
        says together, and colours with anything that is no colour."""
        said = sorted((n for n in self._weight if n not in barred), key=lambda n: (-self._weight[n], n))
        labelled = [n for n, kind in self._category.items() if kind.casefold() == self._label and n not in barred]
        pairs = [pair for pair in combinations(sorted(said), 2) if self._joins(*pair)]
        pairs.sort(key=lambda pair: (-min(self._weight[name] for name in pair), pair))
        single: list[Formula] = [Leaf(name) for name in dict.fromkeys([*said, *labelled])]
        return [*single, *(conjoin(Leaf(one), Leaf(other)) for one, other in pairs)]

    def _joins(self, one: str, other: str) -> bool:
        kinds = {self._category[one], self._category[other]}
        return len(kinds) == 2 and ("color" in kinds or (one, other) in self._together)


def said_in(text: str, words: Mapping[tuple[str, ...], Sequence[str]]) -> frozenset[str]:
    """Concepts that a text names, in the singular or the plural: `some trees` says tree.

    Parameters
    ----------
    words:
        Concepts by their words, in lower case.
    """
    heard = re.findall(r"[\w'-]+", text.casefold())
    longest = max(map(len, words), default=0)
    found: set[str] = set()
    for start in range(len(heard)):
        for size in range(1, longest + 1):
            run = heard[start : start + size]
            if len(run) == size:
                for last in _singular(run[-1]):
                    found.update(words.get((*run[:-1], last), ()))
    return frozenset(found)


def _singular(word: str) -> list[str]:
    """The word, and what it may be the plural of."""
    found = [word]
    for ending, other in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("men", "man"), ("i", "us")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found.append(word[: -len(ending)] + other)
    return found


def words_of(concepts: Iterable[Concept]) -> dict[tuple[str, ...], list[str]]:
    """Concepts by the words that say them: `surface:water` is said by water."""
    found: dict[tuple[str, ...], list[str]] = {}
    for concept in concepts:
        said = tuple(re.findall(r"[\w'-]+", concept.name.rpartition(":")[2].casefold()))
        if said:
            found.setdefault(said, []).append(concept.name)
    return found


def heads_of(run: Decomposition, concepts: Sequence[Concept]) -> tuple[dict[int, Named], dict[int, HeadDetector]]:
    """Names and detectors of the heads of a run of `decompose heads`, by layer * heads + head."""
    heads, fdr = int(run.manifest["model"]["heads"]), float(run.manifest["settings"]["fdr"])
    texts: dict[int, list[tuple[str, float]]] = {}
    for row in sorted(run.rows("head_texts"), key=lambda row: row["rank"]):
        texts.setdefault(row["layer"] * heads + row["head"], []).append((row["text"], float(row["gain"])))
    said, category = words_of(concepts), {concept.name: concept.category for concept in concepts}
    names: dict[int, Named] = {}
    detectors: dict[int, HeadDetector] = {}
    for row in run.rows("heads"):
        number = int(row["layer"] * heads + row["head"])
        own = texts.get(number, [])
        label = row["label"] if row["labelled"] else ""
        shown = "; ".join(text for text, _ in own[:SHOWN])
        names[number] = Named(
            number, f"head {row['layer']}.{row['head']}", "", f"{label}: {shown}" if label and shown else shown,
            float(row["lead_heldout"]), bool(row["fdr"] <= fdr),
        )  # fmt: skip
        detectors[number] = HeadDetector(own[:TEXTS], label, said, category)
    return dict(sorted(names.items())), detectors
