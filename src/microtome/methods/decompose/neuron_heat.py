"""Where in an image neurons act on the output by way of later heads.

    heat[n, j] = sum over k of reader[n, k] * B[k, j] / sigma[k, j] * a[n, j]

Summed over tokens it is the neuron's second-order effect along its own direction. For a text or class t the neurons
that point most along it, either way, are summed with weights direction . t.

Source: Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP, section 5.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from microtome.models.towers.base import Tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.reading import places_after
from microtome.models.towers.streams import run_tower


def neuron_heat(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    layer: int,
    neurons: Int[Tensor, " neuron"],
    readers: Float[Tensor, "neuron k"],
) -> Float[Tensor, "batch neuron pos"]:
    """What each token adds to each neuron's effect along its direction.

    Parameters
    ----------
    x:
        Preprocessed images, in the model's type and on its device.
    neurons, readers:
        Numbers of the neurons, and D . direction of each (`second_order.FirstDirections`).
    """
    with torch.no_grad():
        streams = run_tower(tower, x, places_after(tower, layer))
        rho = tower.pooling.rows(streams.at(tower.end))
        weights = []
        for one in tower.layers[layer + 1 :]:
            mixed = weighted_attention(one.attention, streams.at(one.attention.at), rho)
            weights.append((mixed / one.norm.sigma(streams.at(one.norm.at))[None, :, None, :]).transpose(0, 1))
        per_token = torch.stack(weights, dim=2).flatten(1, 3)
        acts = streams.at(tower.layers[layer].mlp.neurons)[..., neurons]
        return torch.einsum("nk,bkp->bnp", readers.to(x), per_token) * acts.transpose(1, 2)


def most_along(
    directions: Float[Tensor, "neuron d_out"], target: Float[Tensor, " d_out"], most: int
) -> tuple[Int[Tensor, " chosen"], Float[Tensor, " chosen"]]:
    """The neurons of largest |direction . target|, and direction . target of each."""
    along = directions @ target
    chosen = along.abs().topk(min(most, len(along))).indices
    return chosen, along[chosen]


def text_heat(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    layer: int,
    directions: Float[Tensor, "neuron d_out"],
    readers: Float[Tensor, "neuron k"],
    target: Float[Tensor, " d_out"],
    *,
    most: int = 200,
) -> Float[Tensor, "batch pos"]:
    """Heat of a text or class by the neurons that point most along it."""
    chosen, along = most_along(directions, target, most)
    heat = neuron_heat(tower, x, layer, chosen, readers[chosen])
    return torch.einsum("bnp,n->bp", heat, along.to(x))
