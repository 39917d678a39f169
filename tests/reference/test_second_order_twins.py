"""Second-order effects against the plain sum over later layers, heads and tokens, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from microtome.methods.decompose.neuron_heat import neuron_heat, text_heat
from microtome.methods.decompose.second_order import (
    directions_of,
    effects,
    first_directions,
    gram,
    norms,
    summed_effect,
    width,
)
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import Streams, run_tower
from tests.reference.decompose import literal_attention
from tests.support.decompose_worlds import SIDE, blended, tiny_clip

LAYERS = 3


def tower(*, several_readouts: bool) -> Tower:
    laid = tower_of(tiny_clip(layers=LAYERS, dtype=torch.float64))
    return blended(laid) if several_readouts else laid


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seen(laid: Tower, layer: int) -> Streams:
    with torch.no_grad():
        return run_tower(laid, images(), places_after(laid, layer))


def literal_effect(laid: Tower, streams: Streams, layer: int, neuron: int) -> Tensor:
    """phi of one neuron, [batch, d_out], term by term: its vector through each later norm, head and pooling."""
    rho = laid.pooling.rows(streams.at(laid.end))
    activation = streams.at(laid.layers[layer].mlp.neurons)[:, :, neuron]
    vector = laid.layers[layer].mlp.w_out[:, neuron]
    total = torch.zeros(len(activation), laid.d_out, dtype=torch.float64)
    for later in laid.layers[layer + 1 :]:
        part, x, y = later.attention, streams.at(later.norm.at), streams.at(later.attention.at)
        for head in range(part.heads):
            for image in range(len(activation)):
                attention = literal_attention(part, y[image], head)
                for token in range(x.shape[1]):
                    written = activation[image, token] * vector
                    scale = (x[image, token].var(unbiased=False) + later.norm.eps).sqrt()
                    normed = later.norm.scale * (written - written.mean()) / scale
                    moved = part.wo[head] @ (part.wv[head] @ normed)
                    for readout in range(laid.readouts):
                        rows = rho[readout, image]
                        for row in range(len(rows)):
                            share = rows[row] * attention[row][token]
                            total[image] += share * (laid.pooling.matrices[readout] @ moved)
    return total


@pytest.mark.parametrize("several", [False, True], ids=["class row", "three readouts"])
@pytest.mark.parametrize("layer", [0, 1])
def test_effects_are_the_sum_over_later_heads_and_tokens(layer: int, several: bool) -> None:
    laid = tower(several_readouts=several)
    streams = seen(laid, layer)
    found = effects(coefficients(laid, streams, layer), directions_of(laid, layer))
    for neuron in (0, 17):
        expected = literal_effect(laid, streams, layer, neuron)
        assert expected.norm() > 0
        assert (found[:, neuron] - expected).norm() <= 1e-11 * expected.norm()


def test_sums_norms_and_chosen_neurons_agree_with_what_is_expanded() -> None:
    laid = tower(several_readouts=False)
    s, fixed = coefficients(laid, seen(laid, 0), 0), directions_of(laid, 0)
    assert s.shape[1] == fixed.shape[1] == width(laid, 0) == 2 * laid.heads
    expanded = effects(s, fixed)
    torch.testing.assert_close(summed_effect(s, fixed), expanded.sum(1))
    torch.testing.assert_close(norms(s, gram(fixed)), expanded.norm(dim=-1))
    torch.testing.assert_close(directions_of(laid, 0, np.array([5, 2])), fixed[[5, 2]])


def test_the_first_direction_is_that_of_the_stored_effects() -> None:
    rng = np.random.default_rng(0)
    s, fixed = rng.standard_normal((40, 6, 5)), rng.standard_normal((5, 6, 9))
    covariance = np.stack([np.cov(s[:, :, n].T, bias=True) for n in range(5)])
    found = first_directions(covariance, fixed)
    for n in range(5):
        stored = s[:, :, n] @ fixed[n]
        centred = stored - stored.mean(0)
        _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        assert abs(axes[0] @ found.directions[n]) == pytest.approx(1.0, abs=1e-9)
        assert found.share[n] == pytest.approx(sizes[0] ** 2 / (sizes**2).sum())
        assert found.variance[n] == pytest.approx(centred.var(0).sum())
        np.testing.assert_allclose(s[:, :, n] @ found.readers[n], stored @ found.directions[n])


def test_a_neuron_without_effect_has_no_direction() -> None:
    found = first_directions(np.zeros((2, 3, 3)), np.ones((2, 3, 4)))
    assert not found.directions.any()
    assert not found.share.any()


def test_a_neurons_heat_adds_up_to_its_effect_along_its_direction() -> None:
    laid = tower(several_readouts=False)
    x, fixed = images(), directions_of(laid, 1)
    s = coefficients(laid, seen(laid, 1), 1)
    directions = torch.nn.functional.normalize(fixed.sum(1), dim=-1)
    readers = torch.einsum("nko,no->nk", fixed, directions)
    neurons = torch.tensor([3, 11])
    heat = neuron_heat(laid, x, 1, neurons, readers[neurons])
    along = torch.einsum("bno,no->bn", effects(s, fixed), directions)
    torch.testing.assert_close(heat.sum(-1), along[:, neurons])
    target = torch.randn(laid.d_out, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    every = text_heat(laid, x, 1, directions, readers, target, most=len(directions))
    torch.testing.assert_close(every.sum(-1), along @ (directions @ target))
    assert not torch.allclose(every, text_heat(laid, x, 1, directions, readers, target, most=2))
