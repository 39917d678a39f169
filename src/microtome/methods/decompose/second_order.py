"""Second-order effects: what a neuron adds to the output by way of the attention heads after it.

    phi_n(image) = sum over k of s[n, k] * D[n, k]              k = (readout, later layer, head)
    s[n, k] = sum over tokens i of B[k, i] / sigma[k, i] * a[n, i]
    D[n, k] = M_r W_O W_V diag(scale) (1 - 11'/d) w_n

a is the neuron's activation, w_n its output weights, sigma that of the later layer's norm on the image. s is read in
one pass (`models/towers/reading.py`); D is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from microtome.core.errors import OptionError
from microtome.core.source import Source
from microtome.models.towers.base import Tower, centred

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2024, Interpreting the second-order effects of neurons in CLIP",
    "section 3, equations 4 to 6",
    "factored into coefficients and fixed directions; the first direction follows from streamed second moments of the "
    "coefficients over all images, where the paper takes the images of largest norm",
)


def check_layer(tower: Tower, layer: int) -> None:
    """Raise OptionError unless the layer's neurons have heads after them."""
    if not 0 <= layer < len(tower.layers) - 1:
        raise OptionError(
            f"Neurons of layer {layer} have no attention after them in {tower.family}.",
            expected=f"a layer from 0 to {len(tower.layers) - 2}",
        )


def width(tower: Tower, layer: int) -> int:
    """How many k there are: readouts times later layers times heads."""
    return tower.readouts * (len(tower.layers) - 1 - layer) * tower.heads


def directions_of(
    tower: Tower, layer: int, neurons: Int[np.ndarray, " neuron"] | None = None
) -> Float[Tensor, "neuron k d_out"]:
    """D of some neurons (default: all) of a layer. Takes 4 bytes times neurons times k times d_out in float32."""
    written = tower.layers[layer].mlp.w_out
    if neurons is not None:
        written = written[:, torch.as_tensor(neurons, device=written.device)]
    parts = []
    for matrix in tower.pooling.matrices:
        for one in tower.layers[layer + 1 :]:
            part = one.attention
            reads = centred(part.wv.flatten(0, 1), one.norm.scale).view_as(part.wv)
            seen = torch.einsum("hed,dn->nhe", reads, written)
            parts.append(torch.einsum("hoe,nhe->nho", torch.einsum("om,hme->hoe", matrix, part.wo), seen))
    return torch.cat(parts, dim=1)


def effects(
    s: Float[Tensor, "batch k neuron"], fixed: Float[Tensor, "neuron k d_out"]
) -> Float[Tensor, "batch neuron d_out"]:
    """phi of every neuron, expanded."""
    return torch.bmm(s.permute(2, 0, 1), fixed).transpose(0, 1)


def summed_effect(
    s: Float[Tensor, "batch k neuron"], fixed: Float[Tensor, "neuron k d_out"]
) -> Float[Tensor, "batch d_out"]:
    """The sum of phi over neurons, never expanded."""
    return s.transpose(1, 2).flatten(1) @ fixed.flatten(0, 1)


@dataclass(frozen=True, eq=False)
class FirstDirections:
    """The direction along which each neuron's effect varies most.

    Attributes
    ----------
    directions:
        [neuron, d_out], unit vectors; the sign is not decided yet.
    readers:
        [neuron, k]: reader . s is phi along the direction.
    share:
        Share of the effect's variance along it, 0 to 1.
    variance:
        The whole variance of the effect.
    """

    directions: Float[np.ndarray, "neuron d_out"]
    readers: Float[np.ndarray, "neuron k"]
    share: Float[np.ndarray, " neuron"]
    variance: Float[np.ndarray, " neuron"]

    def turned(self, signs: Float[np.ndarray, " neuron"]) -> FirstDirections:
        """The same with signs of +1 or -1."""
        turn = signs[:, None]
        return FirstDirections(self.directions * turn, self.readers * turn, self.share, self.variance)


def first_directions(
    covariance: Float[np.ndarray, "neuron k k_"], fixed: Float[np.ndarray, "neuron k d_out"]
) -> FirstDirections:
    """The leading eigenvector of D' S D for each neuron, from the k x k covariance S of its coefficients.

    With S = L L' the covariance of phi is A' A, A = L' D, and its eigenvectors follow from the k x k matrix A A'.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(values.clip(0.0))[:, None, :]
    a = root.transpose(0, 2, 1) @ fixed
    spread, turns = np.linalg.eigh(a @ a.transpose(0, 2, 1))
    total = spread.clip(0.0).sum(axis=1)
    direction = np.einsum("nk,nko->no", turns[:, :, -1], a)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = np.divide(direction, length, out=np.zeros_like(direction), where=length > 0)
    share = np.divide(spread[:, -1].clip(0.0), total, out=np.zeros_like(total), where=total > 0)
    return FirstDirections(direction, np.einsum("nko,no->nk", fixed, direction), share, total)


def gram(fixed: Float[Tensor, "neuron k d_out"]) -> Float[Tensor, "neuron k k_"]:
    """D D' of each neuron: |phi|^2 = s' (D D') s."""
    return fixed @ fixed.transpose(1, 2)


def norms(s: Float[Tensor, "batch k neuron"], grams: Float[Tensor, "neuron k k_"]) -> Float[Tensor, "batch neuron"]:
    """|phi| of every neuron."""
    by_neuron = s.permute(2, 0, 1)
    return ((by_neuron @ grams) * by_neuron).sum(-1).clamp_min(0.0).sqrt().T
