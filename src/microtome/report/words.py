"""Numbers and formulas in plain words. Text stays text: escaping is the templates' and the data file's job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from microtome.core.concept_words import Term, plain, terms

SegmentKind = Literal["plain", "concept", "predicted"]
Segments = tuple[tuple[str, SegmentKind], ...]
Number = int | float
MISSING = "–"


@dataclass(frozen=True, eq=False)
class Marker:
    """Finds concepts in a formula's words, so that those which a model predicted are marked everywhere.

    Attributes
    ----------
    categories:
        Category of each concept.
    predicted_categories:
        Categories that a model predicted and nobody annotated.
    titles:
        For a phrase such as `a word like “man” in the hypothesis` the words that it stands for.
    """

    categories: Mapping[str, str]
    predicted_categories: frozenset[str]
    titles: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of_concepts(concepts: Iterable[Mapping[str, Any]], *, predicted_categories: Iterable[str]) -> Marker:
        """From rows of concepts.parquet and the categories that the manifest calls predicted."""
        rows = list(concepts)
        marked = frozenset(predicted_categories) | {row["category"] for row in rows if row["predicted"]}
        near = ((row["concept"], row.get("neighbours") or ()) for row in rows)
        titles = {plain(str(Term(name, True))): ", ".join(map(_bare, members)) for name, members in near if members}
        return Marker({row["concept"]: row["category"] for row in rows}, marked, titles)

    def is_predicted(self, concept: str) -> bool:
        """Whether a concept's truth was predicted by a model."""
        return self.categories.get(concept) in self.predicted_categories

    def leaves(self, formula: str) -> tuple[str, ...]:
        """Concepts that a formula names, in order of appearance, each once."""
        return _leaves(self, formula)

    def segments(self, words: str | None, formula: str | None) -> Segments:
        """Cut a phrase into plain words and concepts.

        Parameters
        ----------
        words:
            The phrase people read, such as `water that is not blue`.
        formula:
            The canonical formula behind it, which says what the concepts are.

        Returns
        -------
        Pieces whose texts joined give `words`. A predicted concept that the phrase spells in another way is
        added at the end, in brackets, so that its mark is never lost.
        """
        return _segments(self, words or formula or "", formula or "")


def _bare(concept: str) -> str:
    """The word of a concept of text: what follows its last category."""
    return concept.split(":", 2)[-1] if concept.startswith(("pre:", "hyp:")) else concept.split(":", 1)[-1]


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted({name for name in names if name}, key=lambda name: (-len(name), name))
    if not longest_first:
        return None
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(name) for name in longest_first) + r")(?!\w)")


@lru_cache(maxsize=8)
def _all_names(marker: Marker) -> re.Pattern[str] | None:
    return _pattern(marker.categories)


@lru_cache(maxsize=65536)
def _terms(marker: Marker, formula: str) -> tuple[Term, ...]:
    found = terms(formula)
    if all(term.concept in marker.categories for term in found):
        return found
    # A formula of another hand, its names not in quotes where they need them: look for the names themselves.
    pattern = _all_names(marker)
    return tuple(Term(name) for name in dict.fromkeys(pattern.findall(formula))) if pattern else ()


@lru_cache(maxsize=65536)
def _leaves(marker: Marker, formula: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(term.concept for term in _terms(marker, formula)))


@lru_cache(maxsize=65536)
def _segments(marker: Marker, words: str, formula: str) -> Segments:
    spellings: dict[str, str] = {}
    for term in _terms(marker, formula):
        # `scene:water` may be spoken as `water`: look for the full name first, then for the bare one. A bare word of
        # a text may be "and", so it is no spelling where the phrase has the concept in plain words.
        leaf = term.concept
        phrase = plain(str(term))
        spellings[str(term)] = leaf
        if phrase != str(term) and phrase in words:
            spellings[phrase] = leaf
        else:
            spellings.setdefault(leaf.removeprefix(f"{marker.categories[leaf]}:"), leaf)
    pattern = _pattern(spellings)
    pieces: list[tuple[str, SegmentKind]] = []
    found: set[str] = set()
    end = 0
    for match in pattern.finditer(words) if pattern else ():
        leaf = spellings[match.group()]
        found.add(leaf)
        if match.start() > end:
            pieces.append((words[end : match.start()], "plain"))
        pieces.append((match.group(), "predicted" if marker.is_predicted(leaf) else "concept"))
        end = match.end()
    if end < len(words):
        pieces.append((words[end:], "plain"))
    for leaf in marker.leaves(formula):
        if leaf not in found and marker.is_predicted(leaf):
            pieces.append((" (", "plain"))
            pieces.append((leaf, "predicted"))
            pieces.append((")", "plain"))
    return tuple(pieces)


def number(value: Number | None, *, digits: int = 3) -> str:
    """A score with a fixed number of decimals; a dash where there is none."""
    return MISSING if value is None else f"{value:.{digits}f}"


def share(value: Number | None) -> str:
    """A share as a percentage: `23 %`, `4.1 %`, `0.5 %`."""
    if value is None:
        return MISSING
    percent = 100 * value
    # A no-break space, so that the sign never starts a line.
    return f"{percent:.0f}\u00a0%" if percent >= 10 or percent == 0 else f"{percent:.2g}\u00a0%"


def probability(value: Number | None) -> str:
    """A p or q: two significant digits, never in exponents; below one in a million it says so."""
    if value is None:
        return MISSING
    if value < 1e-6:
        return "< 0.000001"
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{float(f'{value:.1e}'):.7f}".rstrip("0")


def count(value: Number | None) -> str:
    """A count with thousands separated by commas."""
    return MISSING if value is None else f"{int(value):,}"


def activation(value: Number | None) -> str:
    """An activation with three significant digits."""
    return MISSING if value is None else f"{value:.3g}"


def signed(value: Number | None, *, digits: int = 2) -> str:
    """A change or a correlation with its sign; a dash where there is none."""
    return MISSING if value is None else f"{value:+.{digits}f}".replace("-", "\u2212")


def plural(value: int, noun: str) -> str:
    """`1 unit`, `2,048 units`."""
    return f"{value:,} {noun}" + ("" if value == 1 else "s")


def odds(p: Number) -> str:
    """How often chance alone does as well, in words: `about 1 time in 5,000`."""
    if p >= 0.5:
        return "more often than not"
    if p < 1e-6:
        return "less than 1 time in 1,000,000"
    times = 1 / p
    magnitude = 10 ** max(0, len(str(int(times))) - 2)
    return f"about 1 time in {round(times / magnitude) * magnitude:,}"


def verdict(row: Mapping[str, Any]) -> str:
    """One plain word of judgement on a unit's row: how far its name is from chance."""
    if row["status"] == "silent":
        return "Silent"
    if row["status"] in ("failed", "skipped"):
        return row["status"].capitalize()
    q = row["fdr"]
    if not row["named"]:
        return "Not sure enough to be a name" if q is not None and q < 0.2 else "Could well be chance"
    if q is None:
        return "Beats chance"
    if q < 0.001:
        return "Almost certainly not chance"
    return "Very unlikely to be chance" if q < 0.01 else "Unlikely to be chance"
