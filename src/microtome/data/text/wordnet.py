"""Antonym and hypernym pairs across the two sides of a pair, from NLTK's WordNet."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, final

from microtome.core.errors import DataError
from microtome.data.text.views import PairView

TOO_GENERAL = 5
"""Synsets of this depth or less (entity, object, ...) say nothing: they are above nearly every noun."""


@final
class WordNet:
    """Properties of pairs from WordNet.

    Raises
    ------
    DataError
        Without NLTK, or without its data `wordnet`.
    """

    def __init__(self) -> None:
        try:
            from nltk.corpus import wordnet
        except ImportError as error:
            raise DataError(
                f"wordnet=True needs the package nltk ({error}).", next_step="pip install 'microtome[nltk]'"
            ) from error
        try:
            wordnet.ensure_loaded()
        except (LookupError, OSError) as error:
            raise DataError(
                "NLTK's data 'wordnet' is missing, or not whole.",
                expected="the folder corpora/wordnet in nltk_data",
                next_step="python -m nltk.downloader wordnet, or unpack it and set NLTK_DATA",
            ) from error
        self._net: Any = wordnet
        self._opposites = lru_cache(maxsize=None)(self._find_opposites)
        self._forms = lru_cache(maxsize=None)(self._find_forms)
        self._above = lru_cache(maxsize=None)(self._find_above)

    def antonym(self, pair: PairView) -> bool:
        """A word of the hypothesis alone is an antonym of one of the premise alone, in any of their senses."""
        forms = frozenset(form for word in pair.premise.content - pair.shared for form in self._forms(word))
        return any(not forms.isdisjoint(self._opposites(word)) for word in pair.hypothesis.content - pair.shared)

    def hypernym(self, pair: PairView) -> bool:
        """A noun of one side is above a noun of the other, by the first sense of each; neither is on both sides."""
        premise = pair.premise.content - pair.shared
        hypothesis = pair.hypothesis.content - pair.shared
        return self._reaches(premise, hypothesis) or self._reaches(hypothesis, premise)

    def _reaches(self, lower: frozenset[str], upper: frozenset[str]) -> bool:
        targets = {first for word in upper if (first := self._first(word)) is not None}
        return any(not targets.isdisjoint(self._above(word)) for word in lower)

    def _find_forms(self, word: str) -> frozenset[str]:
        found = (self._net.morphy(word, kind) for kind in "nvar")
        return frozenset(form for form in found if form) | {word}

    def _find_opposites(self, word: str) -> frozenset[str]:
        return frozenset(
            other.name()
            for form in self._forms(word)
            for lemma in self._net.lemmas(form)
            if lemma.name() == form
            for other in lemma.antonyms()
        )

    def _first(self, word: str) -> str | None:
        synsets = self._net.synsets(word, "n")
        return synsets[0].name() if synsets else None

    def _find_above(self, word: str) -> frozenset[str]:
        synsets = self._net.synsets(word, "n")
        if not synsets:
            return frozenset()
        above = synsets[0].closure(lambda synset: synset.hypernyms())
        return frozenset(synset.name() for synset in above if synset.min_depth() > TOO_GENERAL)
