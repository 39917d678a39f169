"""Train the shipped classifier of the planted world's pairs: `python -m microtome.zoo.train_world_nli`.

Writes `nli.safetensors` (16-bit floats) and `nli.json` (its card and vocabulary). Every number of the card is measured
on the weights as they are stored. The same settings on the same kind of machine and torch give the same weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

import microtome.models
from microtome.data.world.pairs import WorldPairs
from microtome.data.world.pairs_forms import LABELS, NliPair
from microtome.models.nli import WordEncoder, vocabulary_of
from microtome.zoo.nli_card import PredictPairs, describe_net, pairs_of, world_measures
from microtome.zoo.nli_training import (
    EncodedPairs,
    NliSettings,
    encode_pairs,
    predictions,
    train_nli,
    write_model,
)

SETTINGS = NliSettings(
    width=64, state=128, hidden=192, dropout=0.1, epochs=10, batch=128, learning_rate=4e-3, threads=1
)


def encoded(encoder: WordEncoder, pairs: Sequence[NliPair]) -> EncodedPairs:
    """The planted world's pairs as word ids."""
    texts = [(pair.premise, pair.hypothesis) for pair in pairs]
    return encode_pairs(encoder, texts, [LABELS.index(pair.label) for pair in pairs])


def train_world(settings: NliSettings, *, count: int, check: int, out: Path) -> None:
    """Train with and without premises, measure, write.

    Parameters
    ----------
    settings:
        How; the pairs are those of world seed 0 whatever the seed.
    count:
        Pairs to train on.
    check:
        Pairs of each set that the card measures.
    out:
        Folder for the two files.
    """
    started = time.monotonic()
    pairs = pairs_of(WorldPairs("train", count=count))
    checked = pairs_of(WorldPairs("validation", count=min(check, 900)))
    encoder = WordEncoder(vocabulary_of(text for pair in pairs for text in (pair.premise, pair.hypothesis)))
    train, stop = encoded(encoder, pairs), encoded(encoder, checked)
    net, history = train_nli(settings, train, stop, vocabulary=encoder.vocabulary, classes=len(LABELS))
    seconds = time.monotonic() - started
    blind_settings = replace(settings, epochs=max(1, settings.epochs // 3))
    blind, _ = train_nli(
        blind_settings,
        train.hypothesis_only(),
        stop.hypothesis_only(),
        vocabulary=encoder.vocabulary,
        classes=len(LABELS),
    )

    def predict(given: Sequence[NliPair]) -> list[int]:
        return predictions(net, encoded(encoder, given))

    def predict_hypothesis(given: Sequence[NliPair]) -> list[int]:
        return predictions(blind, encoded(encoder, given).hypothesis_only())

    def card() -> dict[str, object]:
        say: tuple[PredictPairs, PredictPairs] = (predict, predict_hypothesis)
        return {
            **describe_net(net, name="world nli", classes=LABELS, words=encoder.words),
            **world_measures(*say, count=check),
            "training": {
                **asdict(settings),
                "pairs": count,
                "validation_by_epoch": [round(share, 4) for share in history],
                "seconds": round(seconds),
                "torch": torch.__version__,
            },
        }

    written = write_model(out, net, card)
    print(json.dumps({name: written[name] for name in ("accuracy", "hypothesis_only_accuracy", "artefacts")}, indent=2))


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description="Train the shipped classifier of the planted world's sentence pairs.")
    parser.add_argument("--out", type=Path, default=Path(microtome.models.__path__[0]) / "weights")
    parser.add_argument("--pairs", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=SETTINGS.epochs)
    parser.add_argument("--check", type=int, default=3000, help="pairs of each measured set")
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    chosen = parser.parse_args()
    settings = replace(SETTINGS, epochs=chosen.epochs, seed=chosen.seed)
    train_world(settings, count=chosen.pairs, check=chosen.check, out=chosen.out)


if __name__ == "__main__":
    main()
