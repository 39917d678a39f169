"""The classifier of sentence pairs on real ones, in its two-minute version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from microtome.models.load import load_text
from microtome.models.nli import CARD, PROBE
from microtome.zoo.train_nli import CLASSES, REPORTED, read_pairs


@pytest.mark.slow
def test_two_minutes_teach_more_than_the_most_frequent_class(
    shared: Callable[[str], Path], two_minute_classifier: Path
) -> None:
    card = json.loads((two_minute_classifier / CARD).read_text(encoding="utf-8"))
    assert card["training"]["seconds"] < 300
    assert card["accuracy_interval"][REPORTED][0] > card["most_frequent_class"] + 0.05
    # Labels can be guessed from real hypotheses alone.
    assert card["hypothesis_only_accuracy"][REPORTED] > card["most_frequent_class"] + 0.02
    model = load_text(f"nli:{two_minute_classifier}")
    assert model.default_site().layer == PROBE
    pairs = read_pairs(shared("nli") / REPORTED)
    said = [
        int(k)
        for start in range(0, 1000, 250)
        for k in model.logits(list(pairs.texts[start : start + 250])).argmax(1).tolist()
    ]
    right = sum(k == label for k, label in zip(said, pairs.labels, strict=False)) / len(said)
    assert right == pytest.approx(card["accuracy"][REPORTED], abs=0.06)
    assert list(model.classes) == list(CLASSES)
