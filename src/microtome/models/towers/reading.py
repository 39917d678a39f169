"""How strongly the heads after a layer read each of its neurons into the output.

    s[n, k] = sum over tokens i of B[k, i] / sigma[k, i] * a[n, i]              k = (readout, later layer, head)

a is the neuron's activation, B what each token brings into the output (`mixing`), sigma that of the later layer's norm
on the image. An image costs one product of B / sigma with the activations of the neurons.

Source: Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.models.towers.base import LayerPart, Place, Tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.streams import Streams


def places_after(tower: Tower, layer: int) -> list[Place]:
    """What has to be seen for the coefficients of a layer's neurons."""
    later = tower.layers[layer + 1 :]
    own = tower.layers[layer].mlp.neurons
    return [tower.end, own, *(place for one in later for place in (one.norm.at, one.attention.at))]


def coefficients(
    tower: Tower, streams: Streams, layer: int, neurons: Sequence[int] | None = None
) -> Float[Tensor, "batch k neuron"]:
    """s of some neurons (default: all) of a layer for a batch, from what was seen (`places_after`)."""
    rho = tower.pooling.rows(streams.at(tower.end))
    weights = [_per_token(one, streams, rho) for one in tower.layers[layer + 1 :]]
    stacked = torch.stack(weights, dim=2).flatten(1, 3) if len(weights) else rho[:0]
    active = streams.at(tower.layers[layer].mlp.neurons)
    return stacked @ (active if neurons is None else active[..., list(neurons)])


def _per_token(
    one: LayerPart, streams: Streams, rho: Float[Tensor, "readout batch row"]
) -> Float[Tensor, "batch readout head pos"]:
    mixed = weighted_attention(one.attention, streams.at(one.attention.at), rho)
    return (mixed / one.norm.sigma(streams.at(one.norm.at))[None, :, None, :]).transpose(0, 1)
