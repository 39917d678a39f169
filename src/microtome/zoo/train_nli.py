"""Train the classifier of sentence pairs on real ones: `python -m microtome.zoo.train_nli --data DIR --out DIR`.

Trains on `snli_test.jsonl` and `mnli_dev.jsonl` of the folder, and reports on `snli_dev.jsonl`, by which nothing is
chosen: training stops by a share of the training premises. Writes `nli.safetensors` (16-bit floats) and `nli.json`
(card and vocabulary); `nli:DIR` loads them. A second model of the same architecture, trained without premises, shows
how far the hypotheses alone give the label away (Gururangan et al. 2018).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from microtome.core.errors import DataError, problems_together
from microtome.models.nli import NliNet, WordEncoder, vocabulary_of
from microtome.verify.proportions import wilson
from microtome.zoo.nli_card import describe_net
from microtome.zoo.nli_training import EncodedPairs, NliSettings, encode_pairs, predictions, train_nli, write_model

CLASSES = ("entailment", "neutral", "contradiction")
TRAINING, REPORTED = ("snli_test.jsonl", "mnli_dev.jsonl"), "snli_dev.jsonl"
SETTINGS = NliSettings(
    width=100,
    state=256,
    hidden=512,
    dropout=0.3,
    epochs=14,
    batch=64,
    learning_rate=1.5e-3,
    weight_decay=0.02,
    word_dropout=0.08,
    minutes=24.0,
    patience=4,
)
_BLIND_SHARE = 0.3
_CHECKED_EVERY = 20


@dataclass(frozen=True)
class RealPairs:
    """Labelled pairs of a file.

    Attributes
    ----------
    texts:
        Premise and hypothesis of each.
    labels:
        Class of each, an index into `CLASSES`.
    """

    texts: tuple[tuple[str, str], ...]
    labels: tuple[int, ...]


def read_pairs(path: Path) -> RealPairs:
    """The pairs of a jsonl file with the keys premise, hypothesis and label; pairs labelled "-" are left out.

    Raises
    ------
    DataError
        If the file is missing or not UTF-8, or with all lines that hold no pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", expected="a UTF-8 file, one JSON object a line") from error
    texts: list[tuple[str, str]] = []
    labels: list[int] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            premise, hypothesis, label = row["premise"], row["hypothesis"], row["label"]
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{path}:{number}: {error!r}")
            continue
        if label == "-":
            continue
        if label not in CLASSES or not str(premise).strip() or not str(hypothesis).strip():
            problems.append(f"{path}:{number}: an empty side, or the label {label!r}")
            continue
        texts.append((str(premise), str(hypothesis)))
        labels.append(CLASSES.index(label))
    if problems or not texts:
        raise DataError(
            f"{path} holds lines that are no labelled pairs:\n{problems_together(problems)}",
            expected=f"premise, hypothesis and a label among {', '.join(CLASSES)}",
        )
    return RealPairs(tuple(texts), tuple(labels))


def train_real(settings: NliSettings, *, data: Path, out: Path) -> dict[str, Any]:
    """Train with and without premises within `settings.minutes`, write the model and return its card."""
    started = time.monotonic()
    files = {name: read_pairs(data / name) for name in (*TRAINING, REPORTED)}
    texts = [text for name in TRAINING for text in files[name].texts]
    labels = [label for name in TRAINING for label in files[name].labels]
    encoder = WordEncoder(vocabulary_of((side for text in texts for side in text), least=2))
    every = encode_pairs(encoder, texts, labels)
    train, stop = _split(every, texts)
    reported = encode_pairs(encoder, list(files[REPORTED].texts), list(files[REPORTED].labels))
    sizes = {"vocabulary": encoder.vocabulary, "classes": len(CLASSES)}
    blind_settings = replace(settings, minutes=settings.minutes * _BLIND_SHARE)
    settings = replace(settings, minutes=settings.minutes * (1.0 - _BLIND_SHARE))
    net, history = train_nli(settings, train, stop, **sizes)
    blind, _ = train_nli(blind_settings, train.hypothesis_only(), stop.hypothesis_only(), **sizes)

    def card() -> dict[str, Any]:
        measured = {"training split": stop, REPORTED: reported}
        return {
            **describe_net(net, name="real nli", classes=CLASSES, words=encoder.words),
            "accuracy": {name: _right(net, pairs)["share"] for name, pairs in measured.items()},
            "accuracy_interval": {name: _right(net, pairs)["interval"] for name, pairs in measured.items()},
            "accuracy_by_class": _by_class(net, reported),
            "hypothesis_only_accuracy": {
                name: _right(blind, pairs.hypothesis_only())["share"] for name, pairs in measured.items()
            },
            "most_frequent_class": round(max(Counter(reported.labels).values()) / len(reported), 4),
            "data": {name: _file_card(data / name, len(files[name].texts)) for name in files},
            "training": {
                **asdict(settings),
                "pairs": len(train),
                "accuracy_by_epoch": [round(share, 4) for share in history],
                "seconds": round(time.monotonic() - started),
                "torch": torch.__version__,
            },
        }

    return write_model(out, net, card)


def _split(pairs: EncodedPairs, texts: list[tuple[str, str]]) -> tuple[EncodedPairs, EncodedPairs]:
    """Pairs to train on and pairs to stop by, split by premise: no premise is on both sides."""
    held = [int(hashlib.sha256(premise.encode()).hexdigest(), 16) % _CHECKED_EVERY == 0 for premise, _ in texts]
    return (
        pairs.part([place for place, out in enumerate(held) if not out]),
        pairs.part([place for place, out in enumerate(held) if out]),
    )


def _right(net: NliNet, pairs: EncodedPairs) -> dict[str, Any]:
    hits = sum(said == label for said, label in zip(predictions(net, pairs), pairs.labels, strict=True))
    return {
        "share": round(hits / len(pairs), 4),
        "interval": [round(end, 4) for end in wilson(hits, len(pairs))],
    }


def _by_class(net: NliNet, pairs: EncodedPairs) -> dict[str, float]:
    places = {name: [i for i, label in enumerate(pairs.labels) if CLASSES[label] == name] for name in CLASSES}
    return {name: _right(net, pairs.part(chosen))["share"] for name, chosen in places.items() if chosen}


def _file_card(path: Path, pairs: int) -> dict[str, Any]:
    return {"pairs": pairs, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description="Train the classifier of sentence pairs on real ones.")
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join((*TRAINING, REPORTED))}")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--minutes", type=float, default=SETTINGS.minutes, help="of training, both models together")
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    parser.add_argument("--threads", type=int, default=SETTINGS.threads)
    chosen = parser.parse_args()
    settings = replace(SETTINGS, minutes=chosen.minutes, seed=chosen.seed, threads=chosen.threads)
    card = train_real(settings, data=chosen.data, out=chosen.out)
    shown = ("parameters", "accuracy", "accuracy_interval", "accuracy_by_class", "hypothesis_only_accuracy")
    print(json.dumps({name: card[name] for name in shown}, indent=2))


if __name__ == "__main__":
    main()
