"""Sentence pairs made from a seed, as a table of signatures and as data beside a model whose units are known.

4,093 concepts: 2,000 words and 40 tags on each side, whose frequencies fall off as real ones do, and 13 relations of
the two. Every pair has 40 of them, so nearly every pair is a signature of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from microtome.core.concept import Concept
from microtome.core.signatures import Activity, SignatureTable
from microtome.data.base import DataCard, hash_of
from microtome.data.text.base import LabelledText, Level, Mark, Passage, TextData
from microtome.models.text import TextModel, wrap_text

PAIRS = 10_000
KINDS = (("hyp:tag", 40, 6), ("hyp:tok", 2000, 8), ("oth", 13, 5), ("pre:tag", 40, 7), ("pre:tok", 2000, 14))
"""Category, its concepts, and how many of them a pair has: 4,093 and 40."""
CHUNK, NEAR, NEIGHBOURS = 500, 40, 5


def pairs_table(*, pairs: int = PAIRS, seed: int = 0, near: bool = False) -> SignatureTable:
    """The table; with `near` every word has NEIGHBOURS."""
    generator = np.random.default_rng(seed)
    concepts = tuple(Concept(f"{kind}:{i:04d}", kind) for kind, count, _ in KINDS for i in range(count))
    parts = []
    for first in range(0, pairs, CHUNK):
        rows = min(CHUNK, pairs - first)
        start, members = 0, []
        for _, count, each in KINDS:
            # The largest of log-weight + Gumbel noise are a draw without replacement.
            keys = generator.gumbel(size=(rows, count)) - 0.9 * np.log(np.arange(1, count + 1))
            members.append(np.sort(np.argpartition(-keys, each, axis=1)[:, :each], axis=1) + start)
            start += count
        parts.append(np.concatenate(members, axis=1).astype(np.int32))
    sets = np.concatenate(parts)
    indptr = np.arange(0, sets.size + 1, sets.shape[1], dtype=np.int64)
    table = SignatureTable(concepts, indptr, sets.reshape(-1), np.ones(pairs, np.int64))
    if not near:
        return table
    return SignatureTable(concepts, indptr, table.indices, table.weight, neighbours=alike(table, seed=seed))


def alike(table: SignatureTable, *, seed: int = 0) -> tuple[tuple[int, ...], ...]:
    """For each word itself and five others of its side that are about as frequent; () for what is no word."""
    generator = np.random.default_rng([seed, 1])
    counts = table.concept_counts
    groups: list[tuple[int, ...]] = [()] * len(table.concepts)
    for side in ("hyp:tok", "pre:tok"):
        words = [i for i, concept in enumerate(table.concepts) if concept.category == side]
        words.sort(key=lambda i: -counts[i])
        for place, own in enumerate(words):
            low = max(0, min(place - NEAR, len(words) - 2 * NEAR - 1))
            others = [word for word in words[low : low + 2 * NEAR + 1] if word != own]
            chosen = generator.choice(others, size=NEIGHBOURS, replace=False)
            groups[own] = tuple(sorted((own, *map(int, chosen))))
    return tuple(groups)


def planted(table: SignatureTable, *, units: int, seed: int = 0) -> Activity:
    """Units that fire on 70 % of the rows where one of three words holds and on 15 % of all rows.

    The three are drawn from places 5 to 200 by frequency.
    """
    generator = np.random.default_rng([seed, 2])
    by_count = np.argsort(-table.concept_counts, kind="stable").tolist()
    likely = [c for c in by_count if table.concepts[c].category.endswith("tok")][5:200]
    indptr, members = table.columns
    rows, pointers = [], [0]
    for _ in range(units):
        truth = np.zeros(table.n_signatures, bool)
        for concept in generator.choice(likely, size=3, replace=False):
            truth[members[indptr[concept] : indptr[concept + 1]]] = True
        draws = generator.random((2, table.n_signatures))
        rows.append(np.flatnonzero((truth & (draws[0] < 0.7)) | (draws[1] < 0.15)).astype(np.int32))
        pointers.append(pointers[-1] + len(rows[-1]))
    joined = np.concatenate(rows)
    return Activity(np.array(pointers), joined, table.weight[joined])


class PairsLike(TextData):
    """The table's rows as pairs whose texts are their numbers."""

    def __init__(self, table: SignatureTable) -> None:
        self.table = table
        self.level: Level = "pair"
        self.sides = ("premise", "hypothesis")
        self.concepts, self.neighbours = table.concepts, table.neighbours
        self.card = DataCard("pairs from a seed", "benchmark", "seed 0")

    def __len__(self) -> int:
        return self.table.n_signatures

    def key(self, index: int) -> str:
        return f"{index:06d}"

    def read(self, index: int) -> LabelledText:
        start, stop = self.table.indptr[index : index + 2]
        sides = tuple(Passage(text, ()) for text in self.texts(index))
        return LabelledText(self.key(index), sides, (tuple(self.table.indices[start:stop].tolist()),))

    def texts(self, index: int) -> tuple[str, ...]:
        return (str(index), str(index))

    def marks(self, text: LabelledText, concept: int) -> tuple[Mark, ...]:
        return ()

    def fingerprint(self) -> str:
        return hash_of([len(self), self.table.indices.tobytes(), self.neighbours])


class KnownUnits(nn.Module):
    """Answers pair i with row i of its activations [pair unit]."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = torch.from_numpy(values)
        self.last = nn.Identity()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, number: Tensor) -> Tensor:
        return self.last(self.values[number].float())


class Numbers:
    """An encoder that reads a pair's number from its text; other texts are pair 0."""

    sides, longest, vocabulary = 2, 1, 1

    def encode(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Tensor]:
        return {"number": torch.tensor([int(text[0]) if text[0].isdecimal() else 0 for text in texts])}

    def batch_of(self, pieces: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        raise NotImplementedError("pairs alone")

    def mask(self, inputs: dict[str, Tensor]) -> Tensor:
        return torch.ones((len(inputs["number"]), 1), dtype=torch.bool)

    def special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (), ()

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        return (0,), ((0, len(text)),)

    def piece_text(self, piece: int) -> str:
        return str(piece)

    def text_of(self, pieces: Sequence[int]) -> str:
        return " ".join(map(str, pieces))


def known_model(table: SignatureTable, *, units: int) -> TextModel:
    """A model whose layer `last` has planted units: above 0 where they fire."""
    activity = planted(table, units=units)
    values = np.zeros((table.n_signatures, units), np.float16)
    for unit in range(units):
        rows, _ = activity.unit(unit)
        values[rows, unit] = 1 + np.random.default_rng([3, unit]).random(len(rows))
    return wrap_text(KnownUnits(values), encoder=Numbers(), device="cpu", spec="known units")
