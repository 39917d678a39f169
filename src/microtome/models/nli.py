"""A classifier of sentence pairs after Bowman 2015: what `world:nli` and `nli:FOLDER` are."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from microtome.core.errors import ModelError
from microtome.models.encode import padded

PADDING, UNKNOWN = 0, 1
PROBE = "mlp.1"
"""The layer whose units are dissected: the last hidden layer after its rectifier."""

WEIGHTS, CARD = "nli.safetensors", "nli.json"
_SPECIAL = ("<padding>", "<unknown>")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|[^\w\s]|_")
_LONGEST = 400
_SAVE_AGAIN = "train it anew with `python -m microtome.zoo.train_nli --data DIR --out DIR`"
_INSTALL = "install microtome again, or train it with `python -m microtome.zoo.train_world_nli`"


class NliNet(nn.Module):
    """One LSTM reads both sentences; a layer of rectified units looks at what it made of them.

    With p and h the LSTM's last hidden states, hidden = ReLU(W [p; h; p - h; p * h] + b); the classifier is linear in
    it. Padding is never read.

    Parameters
    ----------
    vocabulary:
        Token ids, padding (0) and unknown word (1) among them.
    classes:
        Number of outputs.
    width:
        Numbers a word's embedding has.
    state:
        Hidden state of the LSTM.
    hidden:
        Units of the hidden layer, `mlp.1`.
    dropout:
        Share of embeddings and hidden units dropped in training.

    Source: Bowman et al. 2015, A large annotated corpus for learning natural language inference, section 3.3; one LSTM
    for both sides and the features p - h and p * h as in Mu & Andreas 2020. One hidden layer rather than three or two:
    the units that are named are then those that the classifier reads.
    """

    def __init__(
        self, vocabulary: int, classes: int, *, width: int, state: int, hidden: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.encoder = nn.LSTM(width, state, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(4 * state, hidden), nn.ReLU())
        self._dropout = dropout
        self.classifier = nn.Linear(hidden, classes)

    def forward(
        self, premise: Int[Tensor, "batch token"], hypothesis: Int[Tensor, "batch token_h"]
    ) -> Float[Tensor, "batch klass"]:
        p, h = self._read(premise), self._read(hypothesis)
        hidden = self.mlp(torch.cat([p, h, p - h, p * h], dim=1))
        return self.classifier(self._dropped(hidden))

    def _read(self, ids: Int[Tensor, "batch token"]) -> Float[Tensor, "batch state"]:
        lengths = (ids != PADDING).sum(dim=1).clamp(min=1).cpu()
        words = self._dropped(self.embedding(ids))
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.encoder(packed)
        return last[-1]

    def _dropped(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return nn.functional.dropout(values, self._dropout, self.training)


@dataclass(frozen=True)
class NliCard:
    """What is to be known of a stored classifier; the JSON file holds more.

    Attributes
    ----------
    name:
        `world nli`, `real nli`.
    classes:
        Names of the outputs, in order.
    words:
        The vocabulary; word k has the id k + 2.
    width, state, hidden:
        Sizes, see `NliNet`.
    accuracy:
        Fraction right on each set of pairs.
    """

    name: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    width: int
    state: int
    hidden: int
    accuracy: dict[str, float]


def words_of(text: str) -> tuple[tuple[str, int, int], ...]:
    """The words of a text in lower case, with the characters [start, end) of each.

    A word is a run of letters, with apostrophes inside (`don't`); a run of digits; or one character of punctuation.
    """
    return tuple((found.group().lower(), found.start(), found.end()) for found in _WORD.finditer(text))


def vocabulary_of(texts: Iterable[str], *, least: int = 1) -> tuple[str, ...]:
    """Words that occur at least `least` times, most frequent first, then by alphabet."""
    counts = Counter(word for text in texts for word, _, _ in words_of(text))
    return tuple(sorted((word for word, count in counts.items() if count >= least), key=lambda w: (-counts[w], w)))


class WordEncoder:
    """Sentence pairs to word ids: an `Encoder` for `NliNet`.

    Parameters
    ----------
    words:
        The vocabulary; every other word is unknown (1).
    """

    sides = 2
    longest = _LONGEST

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words, start=len(_SPECIAL))}

    @property
    def vocabulary(self) -> int:
        """How many ids there are, padding and unknown among them."""
        return len(self.words) + len(_SPECIAL)

    def encode(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Tensor]:
        """`premise` [batch token] and `hypothesis` [batch token], padded.

        Raises
        ------
        ModelError
            If an item is not a pair, or a sentence has no word.
        """
        sides: tuple[list[tuple[int, ...]], list[tuple[int, ...]]] = ([], [])
        for place, item in enumerate(texts):
            if len(item) != 2:
                raise ModelError(
                    f"Item {place} has {len(item)} text; this model reads pairs.",
                    expected="a premise and a hypothesis",
                    next_step="give data of sentence pairs",
                )
            for side, text in zip(sides, item, strict=True):
                ids, _ = self.pieces(text)
                if not ids:
                    raise ModelError(f"A sentence of item {place} has no words: {text[:60]!r}.")
                side.append(ids[: self.longest])
        return {"premise": padded(sides[0], PADDING), "hypothesis": padded(sides[1], PADDING)}

    def batch_of(self, pieces: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Always raises ModelError: a model of pairs has no windows of running text."""
        raise ModelError(
            f"This model reads sentence pairs; it was given {len(pieces)} windows of running text.",
            next_step="give data of sentence pairs, or use a language model",
        )

    def mask(self, inputs: dict[str, Tensor]) -> Bool[Tensor, "batch token"]:
        """True at the words of the premise."""
        return inputs["premise"] != PADDING

    def special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """None before and none behind."""
        return (), ()

    def pieces(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        """Word ids of a text, and the characters [start, end) of each."""
        found = words_of(text)
        ids = tuple(self._ids.get(word, UNKNOWN) for word, _, _ in found)
        return ids, tuple((start, end) for _, start, end in found)

    def piece_text(self, piece: int) -> str:
        """The word of an id."""
        if not 0 <= piece < self.vocabulary:
            raise ModelError(f"There is no word {piece}.", expected=f"an id from 0 to {self.vocabulary - 1}")
        return (_SPECIAL + self.words)[piece] if piece < len(_SPECIAL) else self.words[piece - len(_SPECIAL)]

    def text_of(self, pieces: Sequence[int]) -> str:
        """The words of the ids with spaces between."""
        return " ".join(self.piece_text(piece) for piece in pieces)


def build_nli(card: NliCard) -> NliNet:
    """The architecture that a card describes, with random weights."""
    return NliNet(
        len(card.words) + len(_SPECIAL), len(card.classes), width=card.width, state=card.state, hidden=card.hidden
    )


def load_world_nli() -> tuple[NliNet, NliCard]:
    """The shipped classifier of the planted world's pairs, in float32 and evaluation mode.

    Raises
    ------
    ModelError
        If the package's weights or card are missing or damaged.
    """
    folder = resources.files("microtome.models").joinpath("weights")
    return _read(folder.joinpath(WEIGHTS), folder.joinpath(CARD), mend=_INSTALL)


def load_nli(folder: Path | str) -> tuple[NliNet, NliCard]:
    """A classifier stored in a folder as `nli.safetensors` and `nli.json`, in float32 and evaluation mode.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the two do not fit together.
    """
    return _read(Path(folder) / WEIGHTS, Path(folder) / CARD, mend=_SAVE_AGAIN)


def world_nli_card_text() -> str:
    """The shipped classifier's whole card as JSON."""
    return resources.files("microtome.models").joinpath("weights", CARD).read_text(encoding="utf-8")


def read_card(text: str, *, source: str, mend: str = _SAVE_AGAIN) -> NliCard:
    """The card in a JSON text. Raises ModelError naming `source` if it is damaged."""
    try:
        card: Any = json.loads(text)
        sizes = card["sizes"]
        return NliCard(
            name=str(card["name"]),
            classes=tuple(str(name) for name in card["classes"]),
            words=tuple(str(word) for word in card["words"]),
            width=int(sizes["embedding"]),
            state=int(sizes["state"]),
            hidden=int(sizes["hidden"]),
            accuracy={str(name): float(share) for name, share in card["accuracy"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The card {source} is damaged: {error!r}.", next_step=mend) from error


def _read(weights: Any, card_file: Any, *, mend: str) -> tuple[NliNet, NliCard]:
    for file in (weights, card_file):
        if not file.is_file():
            raise ModelError(f"There is no file {file}.", next_step=mend)
    try:
        text = card_file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"The card {card_file} is not UTF-8: {error}.", next_step=mend) from error
    card = read_card(text, source=str(card_file), mend=mend)
    net = build_nli(card)
    try:
        net.load_state_dict({name: value.float() for name, value in load(weights.read_bytes()).items()})
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(f"The weights {weights} do not fit the card: {error}", next_step=mend) from error
    return net.eval(), card
