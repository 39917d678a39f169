"""Word vectors, and which words are nearest to which.

Source: NEIGHBOURS of Mu & Andreas, "Compositional Explanations of Neurons" (2020): the 5 nearest by cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from microtome.core.concept import Concept
from microtome.core.errors import DataError
from microtome.data.base import hash_of
from microtome.data.problems import Collector
from microtome.data.text.rows import fault, file_lines

_MARKERS = "▁Ġ_ "
"""Signs by which tokenizers show that a token starts a word."""

WORD_PARTS = frozenset({"tok", "word"})


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and their vectors.

    Attributes
    ----------
    words:
        Each once.
    array:
        One row a word.
    source:
        File, or the model whose embedding it is.
    """

    words: tuple[str, ...]
    array: Float[np.ndarray, "word width"]
    source: str = "vectors"

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: k for k, word in reversed(list(enumerate(self.words)))}

    def row(self, word: str) -> int | None:
        """Row of a word: as written, in lower case, or without its mark of a word's start; None without one."""
        return next((self._index[form] for form in _forms(word) if form in self._index), None)

    def fingerprint(self) -> str:
        """Hash of words and numbers."""
        return hash_of([self.words, self.array.shape, self.array.tobytes()])


def read_vectors(path: Path, *, keep: frozenset[str] | None = None) -> Vectors:
    """Word vectors in GloVe's or word2vec's text format: a word and its numbers a line.

    Parameters
    ----------
    path:
        The file. A first line of two whole numbers is word2vec's "count width".
    keep:
        Read these words alone: saves memory on files of a million words. None = all.

    Raises
    ------
    DataError
        With all problems, each with its line: a width that differs, a value that is no number or not finite.
    """
    problems = Collector()
    width: int | None = None
    words: dict[str, int] = {}
    rows: list[np.ndarray] = []
    for line, text in file_lines(path, problems):
        parts = text.rstrip().split(" ")
        if line == 1 and len(parts) == 2 and all(part.isdecimal() for part in parts):
            width = int(parts[1])
            continue
        if not text.strip():
            continue
        width = len(parts) - 1 if width is None else width
        if width < 1 or len(parts) - 1 < width or (len(parts) - 1 > width and _number(parts[1])):
            what = f"'{parts[0][:40]}' has {len(parts) - 1} numbers."
            problems.add(fault(path, line, what, expected=f"{max(width, 1)} numbers, as on the first line"))
            continue
        word = " ".join(parts[:-width])
        if word in words or (keep is not None and word not in keep):
            continue
        values = _values(parts[-width:])
        if values is None:
            what = f"a value of '{word[:40]}' is no finite number."
            problems.add(fault(path, line, what, expected=f"{width} numbers behind the word"))
            continue
        words[word] = len(rows)
        rows.append(values)
    problems.settle()
    if not rows:
        raise DataError(f"'{path}' has no vector for any word of the data.", expected="one word a line, numbers behind")
    return Vectors(tuple(words), np.stack(rows), str(path))


def wanted_words(concepts: Sequence[Concept]) -> frozenset[str]:
    """The words of a data set's concepts, in every form under which a file may hold their vectors."""
    named = (c.name[len(c.category) + 1 :] for c in concepts if c.category.rpartition(":")[2] in WORD_PARTS)
    return frozenset(form for word in named for form in _forms(word))


def _forms(word: str) -> tuple[str, ...]:
    bare = word.lstrip(_MARKERS)
    return tuple(form for form in dict.fromkeys((word, word.lower(), bare, bare.lower())) if form)


def _number(text: str) -> bool:
    return _values([text]) is not None


def _values(parts: list[str]) -> np.ndarray | None:
    try:
        values = np.array(parts, dtype=np.float32)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def nearest_words(vectors: Vectors, vocabulary: Sequence[str], k: int = 5) -> tuple[tuple[int, ...], ...]:
    """For each word of a vocabulary its k nearest others by cosine, nearest first.

    Parameters
    ----------
    vectors:
        Where the vectors come from.
    vocabulary:
        The words to look among: neighbours are indices into it.
    k:
        How many, 1 or more. Larger makes NEIGHBOURS wider and vaguer.

    Returns
    -------
    A tuple a word; () for a word without a vector, or with one of length zero.
    """
    rows = [vectors.row(word) for word in vocabulary]
    found = np.array([i for i, row in enumerate(rows) if row is not None and vectors.array[row].any()], dtype=np.int64)
    result: list[tuple[int, ...]] = [()] * len(vocabulary)
    if found.size < 2:
        return tuple(result)
    table = vectors.array[[row for i in found if (row := rows[int(i)]) is not None]].astype(np.float64)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    for start in range(0, found.size, 1024):
        cosine = table[start : start + 1024] @ table.T
        own = np.arange(len(cosine))
        cosine[own, own + start] = -np.inf
        # Stable: equal cosines go by place in the vocabulary, the more frequent word first.
        order = np.argsort(-cosine, axis=1, kind="stable")[:, : min(k, found.size - 1)]
        for i, best in zip(own + start, order, strict=True):
            result[int(found[i])] = tuple(int(found[j]) for j in best)
    return tuple(result)


def concept_neighbours(concepts: Sequence[Concept], vectors: Vectors, k: int = 5) -> tuple[tuple[int, ...], ...]:
    """What NEIGHBOURS(concept) means: for each concept of a word itself and the k nearest of its category.

    Returns
    -------
    Indices into `concepts`, the concept first; () for concepts of no word and words without a vector.
    """
    result: list[tuple[int, ...]] = [()] * len(concepts)
    for category in dict.fromkeys(c.category for c in concepts if c.category.rpartition(":")[2] in WORD_PARTS):
        members = [i for i, concept in enumerate(concepts) if concept.category == category]
        words = [concepts[i].name[len(category) + 1 :] for i in members]
        for i, near in zip(members, nearest_words(vectors, words, k), strict=True):
            result[i] = (i, *(members[j] for j in near)) if near else ()
    return tuple(result)
