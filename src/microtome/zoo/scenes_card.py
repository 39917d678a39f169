"""What the card of the shipped model says: accuracy on every split, and what each shortcut does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.shortcuts import ALL_SHORTCUTS, SHORTCUTS, SPLITS, Shortcut, Split, shows_first_cue

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
SIZE = 96

Answers = dict[Split, tuple[World, Int[np.ndarray, " image"]]]
PredictWorld = Callable[[Split, frozenset[str] | None], tuple[World, Int[np.ndarray, " image"]]]
"""A split and the shortcuts that are on (None = all) -> its images and what the model says of each."""


def make_card(predict_world: PredictWorld, *, parameters: int, training: dict[str, Any]) -> dict[str, Any]:
    """The card as a JSON object.

    Parameters
    ----------
    predict_world:
        Asks the model.
    parameters:
        Number of trained numbers.
    training:
        Settings of the training run.
    """
    answers: Answers = {split: predict_world(split, None) for split in SPLITS}
    honest = predict_world("heldout", frozenset())
    heldout, said = answers["heldout"]
    right = _right(heldout, said)
    labels = _labels(heldout)
    return {
        "name": "scenes",
        "world_version": WORLD_VERSION,
        "architecture": "ResNet of BasicBlocks, channels: layer1 32, layer2 64, layer3 96, layer4 128",
        "parameters": parameters,
        "preprocessing": {"size": SIZE, "mean": MEAN, "std": STD},
        "classes": list(heldout.classes),
        "images_measured": len(heldout),
        "accuracy": {
            **{split: _share(_right(world, given)) for split, (world, given) in answers.items()},
            "heldout, shortcuts off": _share(_right(*honest)),
        },
        "accuracy_by_class": {name: _share(right[labels == number]) for number, name in enumerate(heldout.classes)},
        "shortcuts": {
            shortcut.name: _shortcut_effect(shortcut, predict_world, answers) for shortcut in SHORTCUTS.values()
        },
        "training": training,
    }


def _shortcut_effect(
    shortcut: Shortcut,
    predict_world: PredictWorld,
    answers: Answers,
) -> dict[str, Any]:
    """Accuracy on the two classes: shortcut on, it alone off, in shift, and in shift by class and cue."""
    alone_off = predict_world("heldout", ALL_SHORTCUTS - {shortcut.name})
    first, second = shortcut.classes
    shift, said = answers["shift"]
    right = _right(shift, said)
    groups: dict[str, float] = {}
    for name in shortcut.classes:
        for cue, words in ((True, shortcut.cue[0]), (False, shortcut.cue[1])):
            rows = [
                index
                for index in np.flatnonzero(_labels(shift) == shift.classes.index(name)).tolist()
                if shows_first_cue(shortcut.name, shift.scene(index)) == cue
            ]
            groups[f"{name} with {words}"] = _share(right[rows])
    return {
        "classes": [first, second],
        "cue": list(shortcut.cue),
        "truth": shortcut.truth,
        "heldout, on": _pair_accuracy(shortcut, *answers["heldout"]),
        "heldout, this one off": _pair_accuracy(shortcut, *alone_off),
        "shift": _pair_accuracy(shortcut, *answers["shift"]),
        "shift by class and cue": groups,
    }


def _pair_accuracy(shortcut: Shortcut, world: World, said: Int[np.ndarray, " image"]) -> float:
    chosen = np.isin(_labels(world), [world.classes.index(name) for name in shortcut.classes])
    return _share(_right(world, said)[chosen])


def _labels(world: World) -> Int[np.ndarray, " image"]:
    return np.array([world.classes.index(world.scene(index).scene) for index in range(len(world))])


def _right(world: World, said: Int[np.ndarray, " image"]) -> Bool[np.ndarray, " image"]:
    return _labels(world) == said


def _share(right: Bool[np.ndarray, " image"]) -> float:
    return round(float(right.mean()), 4)
