"""The training loop that both classifiers of sentence pairs share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from microtome.models.encode import padded
from microtome.models.nli import CARD, PADDING, UNKNOWN, WEIGHTS, NliNet, WordEncoder


@dataclass(frozen=True)
class NliSettings:
    """Settings of a training run.

    Attributes
    ----------
    width, state, hidden, dropout:
        See `NliNet`.
    epochs:
        Most passes over the pairs.
    batch:
        Pairs a step.
    learning_rate, weight_decay:
        AdamW with one cycle: up over the first fifth, then down to nothing.
    word_dropout:
        Share of words made unknown in training.
    clip:
        Longest gradient.
    minutes:
        Most minutes of training; 0 = no limit. The cycle ends with them.
    patience:
        Epochs without a better accuracy on the checked pairs before training stops; 0 = never stops.
    seed:
        Weights and order.
    threads:
        Threads of the processor.
    """

    width: int = 64
    state: int = 128
    hidden: int = 192
    dropout: float = 0.1
    epochs: int = 8
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    word_dropout: float = 0.0
    clip: float = 5.0
    minutes: float = 0.0
    patience: int = 0
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs as word ids.

    Attributes
    ----------
    premises, hypotheses:
        Word ids of each.
    labels:
        Class of each.
    """

    premises: tuple[tuple[int, ...], ...]
    hypotheses: tuple[tuple[int, ...], ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, chosen: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Premises [pair token], hypotheses [pair token] and labels [pair] of some pairs."""
        return (
            padded([self.premises[i] for i in chosen], PADDING),
            padded([self.hypotheses[i] for i in chosen], PADDING),
            torch.tensor([self.labels[i] for i in chosen]),
        )

    def part(self, chosen: list[int]) -> EncodedPairs:
        """Some of the pairs."""
        return EncodedPairs(
            tuple(self.premises[i] for i in chosen),
            tuple(self.hypotheses[i] for i in chosen),
            tuple(self.labels[i] for i in chosen),
        )

    def hypothesis_only(self) -> EncodedPairs:
        """The pairs with every premise replaced by one unknown word."""
        return EncodedPairs(((UNKNOWN,),) * len(self), self.hypotheses, self.labels)


def encode_pairs(encoder: WordEncoder, texts: list[tuple[str, str]], labels: list[int]) -> EncodedPairs:
    """Texts to word ids, cut to the encoder's longest."""
    premises = tuple(encoder.pieces(premise)[0][: encoder.longest] for premise, _ in texts)
    hypotheses = tuple(encoder.pieces(hypothesis)[0][: encoder.longest] for _, hypothesis in texts)
    return EncodedPairs(premises, hypotheses, tuple(labels))


def train_nli(
    settings: NliSettings, pairs: EncodedPairs, checked: EncodedPairs, *, vocabulary: int, classes: int
) -> tuple[NliNet, list[float]]:
    """Train a fresh network; returns its best state and the accuracy on the checked pairs after every epoch.

    Parameters
    ----------
    settings:
        How.
    pairs:
        To train on.
    checked:
        To stop by: the weights of the epoch that does best on them are kept.
    vocabulary, classes:
        Sizes of the ends.
    """
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    generator = torch.Generator().manual_seed(settings.seed)
    net = NliNet(
        vocabulary,
        classes,
        width=settings.width,
        state=settings.state,
        hidden=settings.hidden,
        dropout=settings.dropout,
    )
    cycle = _Cycle(settings, steps=settings.epochs * -(-len(pairs) // settings.batch))
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    history: list[float] = []
    best: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        net.train()
        for chosen in torch.randperm(len(pairs), generator=generator).split(settings.batch):
            for group in optimizer.param_groups:
                group["lr"] = cycle.rate()
            _step(net, optimizer, pairs.batch(chosen.tolist()), settings, generator)
            cycle.advance()
            if cycle.over:
                break
        history.append(accuracy(net, checked))
        print(f"epoch {epoch + 1}: {history[-1]:.4f} right, {cycle.seconds:.0f} s", flush=True)
        if history[-1] == max(history):
            best = {name: value.clone() for name, value in net.state_dict().items()}
        late = len(history) - 1 - history.index(max(history))
        if cycle.over or (settings.patience and late >= settings.patience):
            break
    net.load_state_dict(best)
    return net.eval(), history


def predictions(net: NliNet, pairs: EncodedPairs) -> list[int]:
    """The class that the network says of every pair."""
    net.eval()
    said: list[int] = []
    with torch.inference_mode():
        for start in range(0, len(pairs), 256):
            chosen = list(range(start, min(start + 256, len(pairs))))
            premise, hypothesis, _ = pairs.batch(chosen)
            said += net(premise, hypothesis).argmax(1).tolist()
    return said


def accuracy(net: NliNet, pairs: EncodedPairs) -> float:
    """Share of the pairs that the network has right."""
    right = [said == label for said, label in zip(predictions(net, pairs), pairs.labels, strict=True)]
    return sum(right) / len(right)


def write_model(out: Path, net: NliNet, card: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Write a network (16-bit floats) and its card into a folder.

    The network is set to the weights as stored before the card is made, so that the card's numbers are theirs.
    """
    stored = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    net.load_state_dict({name: value.float() for name, value in stored.items()})
    made = card()
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(save(stored))
    (out / CARD).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return made


def _step(
    net: NliNet,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor, Tensor],
    settings: NliSettings,
    generator: torch.Generator,
) -> None:
    premise, hypothesis, labels = batch
    if settings.word_dropout:
        premise = _forgetful(premise, settings.word_dropout, generator)
        hypothesis = _forgetful(hypothesis, settings.word_dropout, generator)
    loss = nn.functional.cross_entropy(net(premise, hypothesis), labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
    optimizer.step()


def _forgetful(ids: Tensor, share: float, generator: torch.Generator) -> Tensor:
    lost = (torch.rand(ids.shape, generator=generator) < share) & (ids != PADDING)
    return ids.masked_fill(lost, UNKNOWN)


class _Cycle:
    """The learning rate over a run whose end is a number of steps or of minutes, whichever comes first."""

    def __init__(self, settings: NliSettings, *, steps: int) -> None:
        self._top = settings.learning_rate
        self._steps = steps
        self._limit = settings.minutes * 60.0
        self._started = time.monotonic()
        self._taken = 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        """Whether the minutes have run out."""
        return bool(self._limit) and self.seconds >= self._limit

    def advance(self) -> None:
        """One step more."""
        self._taken += 1

    def rate(self) -> float:
        """The learning rate of the next step."""
        done = self._taken / self._steps
        if self._limit:
            done = max(done, self.seconds / self._limit)
        return self._top * (max(done, 1e-3) / 0.2 if done < 0.2 else max(0.0, (1.0 - done) / 0.8))
