"""Ablation of every unit by one product against the literal loop: one intervention and one whole pass a unit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from microtome.core.intervention import ablate
from microtome.models.intervene import intervene
from microtome.models.linear_tail import linear_tail
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.tail import logits_of_each
from microtome.models.trace import trace


@pytest.fixture(scope="module")
def model() -> Model:
    found = load("world:scenes", device="cpu")
    found.module.double()
    return found


def literal(model: Model, layer: str, x: Tensor, value: Tensor) -> Tensor:
    """Logits [unit batch class], each from the network with one unit changed."""
    logits = []
    for unit in range(model.site(layer).units):
        with intervene(model, ablate(layer, [unit], mean=float(value[unit]))):
            logits.append(model.logits(x))
    return torch.stack(logits)


@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_the_linear_tail_is_the_loop_of_interventions(model: Model, kind: str) -> None:
    x = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    site, linear = model.site("layer4"), linear_tail(model, "layer4")
    assert linear is not None
    with trace(model, ["layer4"]) as cache:
        acts = cache.run(x)["layer4"]
    pooled = linear.pooled(acts, site)
    value = torch.zeros(site.units, dtype=torch.float64) if kind == "zero" else acts.mean((0, 2, 3))
    loop = literal(model, "layer4", x, value)
    plain = model.logits(x)
    assert (loop - plain).abs().amax((1, 2)).median() > 1e-3, "units matter"
    assert torch.allclose(linear.logits(pooled), plain, rtol=0, atol=1e-11)
    assert torch.allclose(linear.logits_without(pooled, value).transpose(0, 1), loop, rtol=0, atol=1e-11)
    for route in (linear, None):
        units, logits = zip(*logits_of_each(model, "layer4", x, value, linear=route), strict=True)
        assert list(units) == list(range(site.units))
        assert torch.allclose(torch.stack(logits), loop, rtol=0, atol=1e-11)
