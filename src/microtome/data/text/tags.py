"""Parts of speech: from gold data, a spaCy model, or NLTK's perceptron tagger trained on the user's CoNLL-U file.

    gold               the file's own (CoNLL-U)
    spacy:MODEL        a spaCy model that is installed
    nltk:FILE.conllu   trained on this file, here and now; ?tag=upos behind it for universal tags
    none               no tags
    auto               the file's own where it has them, else none

Without one of these there are no tags: nothing is guessed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from microtome.core.errors import DataError, OptionError
from microtome.data.text.conllu import gold_sentences
from microtome.data.text.rows import digest_of, existing_file

NO_TAGS = ("none", "auto", "gold")
"""Sources without a tagger of their own."""


@runtime_checkable
class Tagger(Protocol):
    """Gives each word of a sentence its part of speech."""

    @property
    def name(self) -> str:
        """Source, for the card."""
        ...

    def tag(self, words: Sequence[str]) -> tuple[str, ...]:
        """One tag a word."""
        ...

    def fingerprint(self) -> str:
        """What decides the tags."""
        ...


@final
class SpacyTagger:
    """The `tag_` of a spaCy model over given words.

    Parameters
    ----------
    model:
        Name or folder of an installed model: `en_core_web_sm`.

    Raises
    ------
    DataError
        Without spaCy, or without the model.
    """

    def __init__(self, model: str) -> None:
        try:
            import spacy
        except ImportError as error:
            raise DataError(
                f"The tags 'spacy:{model}' need the package spacy ({error}).",
                next_step="pip install 'microtome[spacy]'",
            ) from error
        try:
            self._model = spacy.load(model, exclude=["parser", "ner", "lemmatizer"])
        except (OSError, ValueError) as error:
            raise DataError(
                f"The spaCy model '{model}' cannot be loaded: {error}",
                expected="a model that is installed",
                next_step=f"python -m spacy download {model}",
            ) from error
        self.name = f"spaCy {model} {self._model.meta.get('version', '')}".strip()

    def tag(self, words: Sequence[str]) -> tuple[str, ...]:
        from spacy.tokens import Doc

        tagged = self._model(Doc(self._model.vocab, words=list(words)))
        for token in tagged:
            if not token.tag_:
                raise DataError(
                    f"{self.name} gives the word '{token.text}' no tag.",
                    expected="a model that tags every word",
                    next_step="name a model with a tagger: en_core_web_sm",
                )
        return tuple(token.tag_ for token in tagged)

    def fingerprint(self) -> str:
        return self.name


@final
class PerceptronTagger:
    """NLTK's averaged perceptron, trained on a CoNLL-U file in five rounds with a fixed shuffle.

    Parameters
    ----------
    file:
        CoNLL-U with tags.
    universal:
        Train on UPOS instead of XPOS.

    Raises
    ------
    DataError
        Without NLTK, or when the file cannot be read or has no tags.
    """

    def __init__(self, file: Path, *, universal: bool = False) -> None:
        # Read first: a fault of the file is named even without the package.
        sentences = gold_sentences(file, universal=universal)
        self._digest = digest_of(file)
        self._universal = universal
        self._model = _trained(sentences, file)
        kind = "UPOS" if universal else "XPOS"
        self.name = f"NLTK perceptron trained on {kind} of {file.name} ({len(sentences):,} sentences)"

    def tag(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(tag for _, tag in self._model.tag(list(words)))

    def fingerprint(self) -> str:
        return f"nltk:{self._digest}:{self._universal}"


def _trained(sentences: list[list[tuple[str, str]]], file: Path) -> Any:
    try:
        from nltk.tag.perceptron import PerceptronTagger as Perceptron
    except ImportError as error:
        raise DataError(
            f"The tags 'nltk:{file}' need the package nltk ({error}).",
            next_step="pip install 'microtome[nltk]'",
        ) from error
    tagger = Perceptron(load=False)
    # NLTK shuffles with the global generator: seed it for this, then give it back as it was.
    state = random.getstate()
    random.seed(0)
    try:
        tagger.train(sentences, nr_iter=5)
    finally:
        random.setstate(state)
    return tagger


@lru_cache(maxsize=2)
def _perceptron(file: Path, digest: str, universal: bool) -> PerceptronTagger:
    """Trained once a process for each content of the file: a held-out set asks for the same tagger again."""
    return PerceptronTagger(file, universal=universal)


def open_tagger(source: str) -> Tagger | None:
    """The tagger of a source; None for `none`, `auto` and `gold`, which need none.

    Raises
    ------
    OptionError
        For an unknown source.
    DataError
        When it cannot be made.
    """
    if source in NO_TAGS:
        return None
    kind, _, name = source.partition(":")
    if name and kind == "spacy":
        return SpacyTagger(name)
    if name and kind == "nltk":
        file, _, query = name.partition("?")
        if query not in ("", "tag=xpos", "tag=upos"):
            raise OptionError(f"The tagger '{source}' has the unknown option {query}.", expected="tag=upos or tag=xpos")
        path = existing_file(Path(file))
        return _perceptron(path, digest_of(path), query == "tag=upos")
    raise OptionError(
        f"There is no tagger '{source}'.",
        expected=f"{', '.join(NO_TAGS)}, spacy:MODEL or nltk:FILE.conllu",
    )
