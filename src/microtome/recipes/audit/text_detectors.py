"""What a part of a CLIP-like model detects: the concepts that its texts speak of, and how runs name such parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import final

from microtome.core.concept import Concept
from microtome.core.formula import Formula, Leaf, conjoin
from microtome.recipes.audit.nouns import Named
from microtome.recipes.decomposition import Decomposition

TEXTS, SLIGHT = 5, 0.02
"""Of a part's texts the first so many are read, but for those that explain less than this share of what they all do."""
SHOWN = 3
"""Texts by which a part is called."""


@final
class TextsDetector:
    """What a part's texts speak of. See `asked.Detector`.

    Parameters
    ----------
    texts:
        Its first texts with what each explains; at least 0.
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


def heads_of(run: Decomposition, concepts: Sequence[Concept]) -> tuple[dict[int, Named], dict[int, TextsDetector]]:
    """Names and detectors of the heads of a run of `decompose heads`, by layer * heads + head."""
    heads, fdr = int(run.manifest["model"]["heads"]), float(run.manifest["settings"]["fdr"])
    texts: dict[int, list[tuple[str, float]]] = {}
    for row in sorted(run.rows("head_texts"), key=lambda row: row["rank"]):
        texts.setdefault(row["layer"] * heads + row["head"], []).append((row["text"], float(row["gain"])))
    said, category = words_of(concepts), {concept.name: concept.category for concept in concepts}
    names: dict[int, Named] = {}
    detectors: dict[int, TextsDetector] = {}
    for row in run.rows("heads"):
        number = int(row["layer"] * heads + row["head"])
        own = texts.get(number, [])
        label = row["label"] if row["labelled"] else ""
        shown = "; ".join(text for text, _ in own[:SHOWN])
        names[number] = Named(
            number, f"head {row['layer']}.{row['head']}", "", f"{label}: {shown}" if label and shown else shown,
            float(row["lead_heldout"]), bool(row["fdr"] <= fdr),
        )  # fmt: skip
        detectors[number] = TextsDetector(own[:TEXTS], label, said, category)
    return dict(sorted(names.items())), detectors


def neurons_of(
    run: Decomposition, concepts: Sequence[Concept], count: int
) -> tuple[dict[int, Named], dict[int, TextsDetector]]:
    """Names of all neurons of a run of `decompose neurons`, and detectors of those whose effect it names.

    A text of negative weight says what the neuron speaks against, so it is no concept that the neuron detects.
    """
    layer = int(run.manifest["summary"]["layer"])
    texts: dict[int, list[tuple[str, float]]] = {}
    for row in sorted(run.rows("neuron_texts"), key=lambda row: row["rank"]):
        if row["coefficient"] > 0:
            texts.setdefault(int(row["neuron"]), []).append((row["text"], float(row["coefficient"])))
    said, category = words_of(concepts), {concept.name: concept.category for concept in concepts}
    names = {n: Named(n, f"neuron {layer}.{n}", "", "", float("nan"), False) for n in range(count)}
    detectors: dict[int, TextsDetector] = {}
    for row in run.rows("neurons"):
        number = int(row["neuron"])
        own = texts.get(number, [])
        names[number] = Named(
            number, names[number].title, "", "; ".join(text for text, _ in own[:SHOWN]), float(row["score"]),
            bool(row["score"] > row["score_chance"]),
        )  # fmt: skip
        detectors[number] = TextsDetector(own[:TEXTS], "", said, category)
    return names, detectors
