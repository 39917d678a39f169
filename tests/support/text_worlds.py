"""Small made-up texts whose concepts are known, the encoders and networks to go with them, recordings without a model.

Words are drawn by a Zipf-like law. Of a pair the hypothesis repeats some of the premise; a text of tokens is a window
of 5 to 24 words, each one token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from microtome.core.concept import Concept
from microtome.core.signatures import SignatureTable
from microtome.core.site import Site
from microtome.data.base import DataCard, hash_of
from microtome.data.text.base import LabelledText, Level, Mark, Passage, TextData, Word
from microtome.models.encode import padded
from microtome.models.text import TextModel, wrap_text
from microtome.record.blocks import BlockCache
from microtome.record.items import Items
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings
from microtome.record.signatures import SignatureIndex, csr_of
from microtome.record.summary import Summary

LABELS = ("entailment", "neutral", "contradiction")
SIDES = ("premise", "hypothesis")
PADDING, BEGIN, END, SPECIAL = 0, 1, 2, 3
HUGE = 1000.0
"""What the token network gives at padding and special tokens: it shows wherever one of them is counted."""


def word_names(count: int) -> tuple[str, ...]:
    """Words by falling frequency."""
    return tuple(f"w{k:02d}" for k in range(count))


class ListedTexts(TextData):
    """The texts it is given. `tok:w` concepts (with `pre:` or `hyp:` in front) are marked at the words w."""

    def __init__(
        self,
        texts: Sequence[LabelledText],
        concepts: tuple[Concept, ...],
        *,
        level: Level,
        classes: tuple[str, ...] = (),
        neighbours: tuple[tuple[int, ...], ...] = (),
        name: str = "listed texts",
    ) -> None:
        self.listed = tuple(texts)
        self.concepts, self.classes, self.neighbours = concepts, classes, neighbours
        self.level, self.sides = level, SIDES if level == "pair" else ("text",)
        self.window = max((len(text.sets) for text in texts), default=1)
        self.card = DataCard(name, "listed", "a test")

    def __len__(self) -> int:
        return len(self.listed)

    def key(self, index: int) -> str:
        return self.listed[index].key

    def read(self, index: int) -> LabelledText:
        return self.listed[index]

    def texts(self, index: int) -> tuple[str, ...]:
        return tuple(side.text for side in self.listed[index].sides)

    def marks(self, text: LabelledText, concept: int) -> tuple[Mark, ...]:
        kind, found, word = self.concepts[concept].name.partition("tok:")
        if not found:
            return ()
        side = 1 if kind == "hyp:" else 0
        return tuple(Mark(side, at) for at, one in enumerate(text.sides[side].words) if one.text == word)

    def fingerprint(self) -> str:
        return hash_of([*self.listed, self.concepts, self.neighbours])


def passage(words: Sequence[str]) -> Passage:
    """Words with a space between."""
    starts = np.concatenate(([0], np.cumsum([len(word) + 1 for word in words])))
    return Passage(
        " ".join(words),
        tuple(Word(word, int(s), int(s) + len(word)) for word, s in zip(words, starts[:-1], strict=True)),
    )


def drawn(generator: np.random.Generator, words: tuple[str, ...], count: int) -> list[str]:
    """Words by p(k) proportional to 1 / (k + 3)."""
    p = 1 / (np.arange(len(words)) + 3)
    return [words[k] for k in generator.choice(len(words), size=count, p=p / p.sum())]


def groups_of(concepts: Sequence[Concept], *, size: int, seed: int) -> tuple[tuple[int, ...], ...]:
    """For each token concept itself and `size` others of its category; () for the others."""
    generator = np.random.default_rng([seed, 7])
    groups: list[tuple[int, ...]] = []
    for own, concept in enumerate(concepts):
        if not concept.category.endswith("tok"):
            groups.append(())
            continue
        others = [k for k, other in enumerate(concepts) if other.category == concept.category and k != own]
        chosen = generator.choice(others, size=min(size, len(others)), replace=False)
        groups.append(tuple(sorted([own, *(int(k) for k in chosen)])))
    return tuple(groups)


def _indexed(names: Sequence[set[str]]) -> tuple[tuple[Concept, ...], list[tuple[int, ...]]]:
    """Concepts of all the names (the category is what stands before the last colon), and the sets by index."""
    # In an order of their own: that the run sorts them by name is for the run to do.
    every = sorted({name for own in names for name in own}, key=lambda name: name[::-1])
    place = {name: k for k, name in enumerate(every)}
    concepts = tuple(Concept(name, name.rpartition(":")[0]) for name in every)
    return concepts, [tuple(sorted(place[name] for name in own)) for own in names]


def pair_names(premise: Sequence[str], hypothesis: Sequence[str]) -> set[str]:
    """What holds of a pair: tokens and tags of both sides, shared words, subset."""
    names = {f"pre:tok:{word}" for word in premise} | {f"hyp:tok:{word}" for word in hypothesis}
    names |= {f"pre:tag:{_tag(word)}" for word in premise} | {f"hyp:tag:{_tag(word)}" for word in hypothesis}
    shared = len(set(premise) & set(hypothesis)) / len(set(premise) | set(hypothesis))
    names |= {f"oth:overlap:{share}" for share in (25, 50) if 100 * shared >= share}
    return names | ({"oth:whole:subset"} if set(hypothesis) <= set(premise) else set())


def token_names(words: Sequence[str], *, mentions: bool = True) -> list[set[str]]:
    """What holds of each token: itself, the one before, its tag, whether it was there before."""
    found = []
    for at, word in enumerate(words):
        names = {f"tok:{word}", f"tag:{_tag(word)}"}
        names |= {f"prev:{words[at - 1]}"} if at else set()
        names |= {"mention:again" if word in words[:at] else "mention:first"} if mentions else set()
        found.append(names)
    return found


def _tag(word: str) -> str:
    return f"T{int(word[1:]) % 4}"


def pair_texts(count: int, *, seed: int = 0, words: int = 24, neighbours: int = 3) -> ListedTexts:
    """Sentence pairs; a subset is entailment, other labels are drawn."""
    generator, vocabulary = np.random.default_rng([seed, 1]), word_names(words)
    spoken: list[tuple[list[str], list[str]]] = []
    for _ in range(count):
        premise = drawn(generator, vocabulary, int(generator.integers(4, 9)))
        own = drawn(generator, vocabulary, int(generator.integers(2, 6)))
        spoken.append(
            (premise, [premise[k % len(premise)] if generator.random() < 0.4 else w for k, w in enumerate(own)])
        )
    concepts, sets = _indexed([pair_names(*both) for both in spoken])
    texts = []
    for at, (both, own) in enumerate(zip(spoken, sets, strict=True)):
        label = 0 if set(both[1]) <= set(both[0]) else int(generator.integers(0, 3))
        # One in nine carries no label.
        known = None if at % 9 == 8 else label
        texts.append(LabelledText(f"pair {at}", tuple(passage(side) for side in both), (own,), known))
    return ListedTexts(
        texts, concepts, level="pair", classes=LABELS, neighbours=groups_of(concepts, size=neighbours, seed=seed)
    )


def token_texts(
    count: int, *, seed: int = 0, words: int = 20, neighbours: int = 3, longest: int = 24, mentions: bool = True
) -> ListedTexts:
    """Windows of 5 to `longest` tokens. Without `mentions` no concept says where in the text a token stands."""
    generator, vocabulary = np.random.default_rng([seed, 2]), word_names(words)
    spoken = [drawn(generator, vocabulary, int(generator.integers(5, longest + 1))) for _ in range(count)]
    concepts, flat = _indexed([names for said in spoken for names in token_names(said, mentions=mentions)])
    texts, start = [], 0
    for at, said in enumerate(spoken):
        side = passage(said)
        sets = tuple(flat[start : start + len(said)])
        start += len(said)
        pieces = tuple(SPECIAL + vocabulary.index(word) for word in said)
        spans = tuple((word.start, word.end) for word in side.words)
        texts.append(LabelledText(f"text {at}", (side,), sets, None, pieces, spans))
    return ListedTexts(texts, concepts, level="token", neighbours=groups_of(concepts, size=neighbours, seed=seed))


class WordsEncoder:
    """Words by number; a window gets a begin and an end token round it. An `Encoder`."""

    def __init__(self, words: tuple[str, ...], *, sides: int, longest: int = 64) -> None:
        self.words, self.sides, self.longest = words, sides, longest
        self.vocabulary = SPECIAL + len(words)

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Words that are not known are shown as the first."""
        found = list(re.finditer(r"\w+", text))
        known = {word: SPECIAL + k for k, word in enumerate(self.words)}
        return tuple(known.get(one.group(), SPECIAL) for one in found), tuple(one.span() for one in found)

    def encode(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Tensor]:
        if self.sides == 1:
            return self.batch_of([self.pieces(text)[0] for (text,) in texts])
        return {
            name: padded([self.pieces(both[side])[0] for both in texts], PADDING) for side, name in enumerate(SIDES)
        }

    def batch_of(self, pieces: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        return {"ids": padded([[BEGIN, *own, END] for own in pieces], PADDING)}

    def mask(self, inputs: dict[str, Tensor]) -> Tensor:
        return next(iter(inputs.values())) >= SPECIAL

    def special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (BEGIN,), (END,)

    def piece_text(self, piece: int) -> str:
        return self.words[piece - SPECIAL] if piece >= SPECIAL else f"<{piece}>"

    def text_of(self, pieces: Sequence[int]) -> str:
        return " ".join(self.piece_text(piece) for piece in pieces)


class PairNet(nn.Module):
    """relu(W x + b) with x = which words stand in the premise and which in the hypothesis; a classifier on top.

    Parameters
    ----------
    weight, bias:
        [unit, 2 words], [unit].
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, *, seed: int = 0) -> None:
        super().__init__()
        units, width = weight.shape
        self.linear, self.relu, self.classifier = nn.Linear(width, units), nn.ReLU(), nn.Linear(units, len(LABELS))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(weight))
            self.linear.bias.copy_(torch.from_numpy(bias))
            self.classifier.weight.copy_(torch.randn(len(LABELS), units, generator=generator))
            self.classifier.bias.zero_()

    def forward(self, premise: Tensor, hypothesis: Tensor) -> Tensor:
        width = self.linear.in_features // 2
        present = [
            torch.zeros(len(ids), SPECIAL + width).scatter(1, ids, 1.0)[:, SPECIAL:] for ids in (premise, hypothesis)
        ]
        return self.classifier(self.relu(self.linear(torch.cat(present, dim=1))))


def pair_model(*, words: int = 24, extra: int = 4, seed: int = 0) -> TextModel:
    """Units of its layer `relu`: w00 and not w01 in the premise; w02 or w03 in the hypothesis; w04 in both; one that
    never fires; then `extra` random ones.
    """
    generator = np.random.default_rng([seed, 3])
    weight = np.zeros((4 + extra, 2 * words), np.float32)
    bias = np.zeros(4 + extra, np.float32)
    weight[0, [0, 1]] = 1, -1
    weight[1, [words + 2, words + 3]] = 1, 1
    weight[2, [4, words + 4]], bias[2] = (1, 1), -1
    bias[3] = -1
    # Sixteenths: sums of them are exact, whatever the batch.
    weight[4:] = generator.integers(-8, 9, size=(extra, 2 * words)) / 16
    encoder = WordsEncoder(word_names(words), sides=2)
    return wrap_text(PairNet(weight, bias), encoder=encoder, classes=LABELS, device="cpu", spec="pair net")


class TokenNet(nn.Module):
    """At each token what its word adds and what the word before it adds; special tokens and padding give `HUGE`."""

    def __init__(self, own: np.ndarray, before: np.ndarray) -> None:
        super().__init__()
        self.own = nn.Embedding.from_pretrained(torch.from_numpy(own))
        self.before = nn.Embedding.from_pretrained(torch.from_numpy(before))
        self.sum = nn.Identity()
        self.act = nn.ReLU()

    def forward(self, ids: Tensor) -> Tensor:
        shifted = torch.cat([torch.full_like(ids[:, :1], BEGIN), ids[:, :-1]], dim=1)
        return self.act(self.sum(self.own(ids) + self.before(shifted)))


def token_model(*, words: int = 20, extra: int = 5, seed: int = 0) -> TextModel:
    """Units of its layer `sum`: w05; w02 after w00; w06 or w07; then `extra` random ones, some never positive."""
    generator = np.random.default_rng([seed, 4])
    units = 3 + extra
    own, before = np.zeros((2, SPECIAL + words, units), np.float32)
    own[SPECIAL:, 3:] = generator.integers(-64, 65, size=(words, extra)) / 16
    before[SPECIAL:, 3:] = generator.integers(-64, 65, size=(words, extra)) / 32
    own[SPECIAL:, 3] -= 16
    own[SPECIAL + 5, 0] = 1
    own[SPECIAL + 2, 1], before[SPECIAL, 1] = 1, 1
    own[[SPECIAL + 6, SPECIAL + 7], 2] = 2, 1
    own[:SPECIAL] = HUGE
    encoder = WordsEncoder(word_names(words), sides=1)
    return wrap_text(TokenNet(own, before), encoder=encoder, device="cpu", spec="token net")


class PlaceNet(nn.Module):
    """Unit k is 1 at token k of every text, whatever stands there, and 0 elsewhere."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units, self.out = units, nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        # The begin token is in front.
        at = torch.arange(ids.shape[1]) - 1
        return self.out((at[:, None] == torch.arange(self.units)).float().expand(len(ids), -1, -1))


def place_model(units: int, *, words: int = 20) -> TextModel:
    """`PlaceNet` with its layer `out`."""
    return wrap_text(PlaceNet(units), encoder=WordsEncoder(word_names(words), sides=1), device="cpu", spec="place net")


def planted_recording(items: Items, *, units: int) -> Recording:
    """The labels of texts as a finished pass; activations are absent, peaks are zero."""
    data = items.sets[0]
    assert isinstance(data, TextData)
    padded_ = data.level == "token"
    index, maps = SignatureIndex(), np.full((len(items), data.window), -1, np.int32)
    for item in range(len(items)):
        text, renumber = items.read_text(item)
        known = [tuple(sorted(int(renumber[c + 1]) - 1 for c in members)) for members in text.sets]
        maps[item, : len(known)] = index.place(tuple(known))
    sets, renumbered = index.canonical()
    maps = np.append(renumbered, -1).astype(np.int32)[maps]
    counts = np.stack([np.bincount(one[one >= 0], minlength=len(sets)) for one in maps])
    rows, columns = np.nonzero(counts)
    halves = [counts[items.heldout == half].sum(axis=0) for half in (False, True)]
    indptr, indices = csr_of(sets)
    grid = (1, data.window)
    return Recording(
        items=items,
        settings=RecordSettings(layer="planted", grid=grid, image_level=not padded_),
        cache=BlockCache(Path("nowhere")),
        site=Site("planted", 2, (data.window, units), units),
        units=tuple(range(units)),
        spatial=padded_,
        map_shape=grid,
        block_size=len(items),
        summary=Summary(units=units, tail=1, top_k=1),
        activations=_no_activations,
        searched=SignatureTable(items.concepts, indptr, indices, halves[0], items.neighbours),
        heldout_weight=halves[1],
        maps=maps.reshape(-1),
        image_ptr=np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(items))))).astype(np.int64),
        image_rows=columns.astype(np.int32),
        image_counts=counts[rows, columns],
        thresholds=np.zeros(units, np.float32),
        peaks=np.zeros((len(items), units), np.float32),
        cells=np.zeros((len(items), units), np.int32),
        labels=np.full(len(items), -1),
        answers=np.full(len(items), -1),
        padded=padded_,
    )


def _no_activations(block: int, start: int, stop: int) -> np.ndarray:
    raise AssertionError("a planted recording has no activations")
