"""What the cards of the classifiers of sentence pairs say, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microtome.data.world.dataset import WORLD_VERSION
from microtome.data.world.pairs import PAIRS_VERSION, WorldPairs
from microtome.data.world.pairs_artefacts import ARTEFACTS, Artefact, shows_cue
from microtome.data.world.pairs_edit import counterfactual, with_idle
from microtome.data.world.pairs_forms import LABELS, NliPair
from microtome.models.nli import NliNet
from microtome.verify.proportions import wilson

PredictPairs = Callable[[Sequence[NliPair]], list[int]]
"""What a model says of pairs, as indices into `LABELS`."""

ARCHITECTURE = "one LSTM for both sentences; ReLU layer on [p; h; p - h; p * h]; linear classifier"


def describe_net(net: NliNet, *, name: str, classes: Sequence[str], words: Sequence[str]) -> dict[str, Any]:
    """The part of a card from which the network is built again, and what it is."""
    return {
        "name": name,
        "architecture": ARCHITECTURE,
        "parameters": sum(value.numel() for value in net.parameters()),
        "sizes": {
            "embedding": net.embedding.embedding_dim,
            "state": net.encoder.hidden_size,
            "hidden": net.classifier.in_features,
        },
        "classes": list(classes),
        "words": list(words),
    }


def world_measures(
    predict: PredictPairs, predict_hypothesis: PredictPairs, *, count: int, seed: int = 0
) -> dict[str, Any]:
    """Accuracy with and without artefacts, of the model and of one that sees hypotheses alone; use of each artefact.

    Parameters
    ----------
    predict, predict_hypothesis:
        The model, and the one that was trained without premises.
    count:
        Pairs of each set.
    seed:
        Of the pairs.
    """
    sets = {
        "validation": pairs_of(WorldPairs("validation", count=count, seed=seed)),
        "heldout": pairs_of(WorldPairs("heldout", count=count, seed=seed)),
        "shift": pairs_of(WorldPairs("shift", count=count, seed=seed)),
        "heldout, artefacts off": pairs_of(WorldPairs("heldout", count=count, seed=seed, artefacts=frozenset())),
    }
    return {
        "world_version": WORLD_VERSION,
        "pairs_version": PAIRS_VERSION,
        "pairs_measured": count,
        "accuracy": {name: right_share(predict(pairs), pairs) for name, pairs in sets.items()},
        "hypothesis_only_accuracy": {
            name: right_share(predict_hypothesis(pairs), pairs) for name, pairs in sets.items()
        },
        "artefacts": {name: _artefact_card(artefact, predict, sets) for name, artefact in ARTEFACTS.items()},
    }


def pairs_of(world: WorldPairs) -> list[NliPair]:
    """All pairs of a world."""
    return [world.pair(index) for index in range(len(world))]


def right_share(said: Sequence[int], pairs: Sequence[NliPair]) -> float:
    """Share of the pairs that the answers have right."""
    return round(sum(LABELS[k] == pair.label for k, pair in zip(said, pairs, strict=True)) / len(pairs), 4)


def measured_use(artefact: Artefact, predict: PredictPairs, pairs: Sequence[NliPair]) -> dict[str, Any]:
    """How often a prediction moves to the artefact's label when its cue goes in and the truth stays.

    Counted are pairs of another label that the model does not give the artefact's label to begin with. The control
    puts an idle phrase without a cue ("of course") into the same pairs.

    Returns
    -------
    `pairs`, `moved`, `share`, its 95 % `interval` (Wilson), and the same under `control`.
    """
    label = LABELS.index(artefact.label)
    edited = [
        (pair, other)
        for pair in pairs
        if pair.label != artefact.label and (other := counterfactual(pair, artefact.name, on=True)) is not None
    ]
    before = predict([pair for pair, _ in edited])
    chosen = [both for both, said in zip(edited, before, strict=True) if said != label]
    controls = [other for pair, _ in chosen if (other := with_idle(pair)) is not None]
    return {
        **_moves(predict([other for _, other in chosen]), label),
        "control": _moves(predict(controls), label),
    }


def _artefact_card(artefact: Artefact, predict: PredictPairs, sets: dict[str, list[NliPair]]) -> dict[str, Any]:
    return {
        "what": artefact.what,
        "label": artefact.label,
        "label_given_cue": {name: _label_given_cue(artefact, sets[name]) for name in ("heldout", "shift")},
        "use": {name: measured_use(artefact, predict, sets[name]) for name in ("heldout", "heldout, artefacts off")},
    }


def _label_given_cue(artefact: Artefact, pairs: Sequence[NliPair]) -> dict[str, Any]:
    """How often the label is the artefact's where the cue is there."""
    shown = [pair for pair in pairs if shows_cue(artefact.name, pair.premise, pair.hypothesis)]
    return _shares(sum(pair.label == artefact.label for pair in shown), len(shown))


def _moves(said: Sequence[int], label: int) -> dict[str, Any]:
    moved = sum(k == label for k in said)
    return {**_shares(moved, len(said)), "moved": moved}


def _shares(hits: int, count: int) -> dict[str, Any]:
    return {
        "pairs": count,
        "share": round(hits / count, 4) if count else None,
        "interval": [round(end, 4) for end in wilson(hits, count)],
    }
