"""A published network, brought as a user would bring it, reaches its stated accuracy through our loader."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.trace import trace

NETWORK = Path(__file__).parents[1] / "support" / "squeezenet.py"
BATCH = 50


@pytest.fixture(scope="module")
def squeezenet(shared: Callable[[str], Path]) -> Model:
    folder = shared("models/squeezenet1_1_imagenet")
    given = json.loads((folder / "config.json").read_text())["input"]
    model = load(
        f"{NETWORK}:make_model",
        weights=folder / "model.safetensors",
        size=given["size"],
        mean=tuple(given["mean"]),
        std=tuple(given["std"]),
        device="cpu",
    )
    preprocess = replace(model.preprocess, crop="center", resize_short=given["resize_short_side"])
    return replace(model, preprocess=preprocess)


def test_its_sites(squeezenet: Model) -> None:
    assert squeezenet.site("features.12").units == 512
    assert squeezenet.site("features.12").positions == (14, 14)


@pytest.mark.slow
def test_top1_is_what_is_stated(squeezenet: Model, shared: Callable[[str], Path]) -> None:
    folder = shared("imagenet_samples")
    index = json.loads((folder / "index.json").read_text())
    labels = torch.tensor([entry["class"] for entry in index])
    logits = []
    for start in range(0, len(index), BATCH):
        images = [np.asarray(Image.open(folder / e["file"]).convert("RGB")) for e in index[start : start + BATCH]]
        logits.append(squeezenet.logits(squeezenet.preprocess(images, crop=True)))
    order = torch.cat(logits).argsort(1, descending=True)
    top1 = (order[:, 0] == labels).double().mean().item()
    top5 = (order[:, :5] == labels[:, None]).any(1).double().mean().item()
    assert len(index) == 1000
    assert abs(top1 - 0.622) <= 0.01, top1
    assert abs(top5 - 0.842) <= 0.015, top5


def test_tracing_agrees_with_the_network_cut_by_hand(squeezenet: Model, shared: Callable[[str], Path]) -> None:
    image = np.asarray(Image.open(shared("imagenet_samples") / "images" / "0001.jpg").convert("RGB"))
    x = squeezenet.preprocess(image)
    with torch.no_grad():
        expected = squeezenet.module.get_submodule("features")(x)
    with trace(squeezenet, ["features.12"], stop=True) as cache:
        assert torch.equal(cache.run(x)["features.12"], expected)
