"""The output of a vision transformer as an exact sum of terms.

    output = constant + embedding + sum over layers (attention bias + MLP + sum over heads P_h u_h) + tail

    u_h = W_V (sum over j of B_h[j] * y_j) + b_V * sum over j of B_h[j]          P_h = M W_O

A head's term is a pair: a small vector u per image, readouts * d_head long, and a fixed matrix P; it is expanded only
when asked. Every term is projected, and the final LayerNorm is folded in with its actual mean and variance per image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.core.source import Source
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.streams import Streams, run_tower

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "section 3, equations 3 to 5",
    "any pooling that is linear in the tokens given row weights; terms stay in head space; biases are their own terms",
)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10, torch.float16: 2e-2, torch.bfloat16: 2e-1}
"""Largest relative error of the sum, by the model's type."""


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of a batch.

    Attributes
    ----------
    embedding:
        [batch, d_out]: patches, class token and positions, as they enter the first block.
    biases:
        [batch, layer, d_out]: what each attention's output bias writes.
    mlps:
        [batch, layer, d_out].
    heads:
        [batch, layer, head, space]: u of every head; `head_matrices` expand it.
    tail:
        [batch, d_out]: what follows a nonlinear pooler; None if nothing does.
    constant:
        [d_out].
    output:
        [batch, d_out]: the model's own.
    """

    embedding: Float[Tensor, "batch d_out"]
    biases: Float[Tensor, "batch layer d_out"]
    mlps: Float[Tensor, "batch layer d_out"]
    heads: Float[Tensor, "batch layer head space"]
    tail: Float[Tensor, "batch d_out"] | None
    constant: Float[Tensor, " d_out"]
    output: Float[Tensor, "batch d_out"]


def head_matrices(tower: Tower, layer: int) -> Float[Tensor, "head d_out space"]:
    """P of every head of a layer: from head space to the output."""
    per_readout = torch.einsum("rom,hme->hore", tower.pooling.matrices, tower.layers[layer].attention.wo)
    return per_readout.flatten(2)


def expand_heads(
    tower: Tower, heads: Float[Tensor, "batch layer head space"]
) -> Float[Tensor, "batch layer head d_out"]:
    """The heads' terms in the output's space."""
    terms = [torch.einsum("bhs,hos->bho", heads[:, n], head_matrices(tower, n)) for n in range(heads.shape[1])]
    return torch.stack(terms, dim=1)


def head_sum(tower: Tower, heads: Float[Tensor, "batch layer head space"]) -> Float[Tensor, "batch d_out"]:
    """The sum of all heads' terms."""
    written = torch.zeros(heads.shape[0], tower.readouts, tower.d_model, dtype=heads.dtype, device=heads.device)
    for n, layer in enumerate(tower.layers):
        u = heads[:, n].unflatten(-1, (tower.readouts, tower.d_head))
        written += torch.einsum("bhre,hme->brm", u, layer.attention.wo)
    return torch.einsum("brm,rom->bo", written, tower.pooling.matrices)


def places_of(tower: Tower) -> list[Place]:
    """What has to be seen to take the output apart."""
    return [tower.start, tower.end, *(place for layer in tower.layers for place in (layer.attention.at, layer.mlp.at))]


def take_apart(tower: Tower, streams: Streams) -> Terms:
    """The terms from what was seen in one pass (`places_of`)."""
    end = streams.at(tower.end)
    rho = tower.pooling.rows(end)
    rows = rho.shape[2]
    matrices = tower.pooling.matrices

    def projected(x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch d_out"]:
        """sum over r and i of M_r rho[r, i] x_i."""
        weighted = torch.einsum("rbi,bid->brd", rho, x[:, :rows])
        return torch.einsum("brd,rod->bo", weighted, matrices)

    biases, mlps, heads = [], [], []
    shares = rho.sum(dim=2)
    for layer in tower.layers:
        y = streams.at(layer.attention.at)
        heads.append(head_vectors(tower, y, weighted_attention(layer.attention, y, rho), layer=len(heads)))
        biases.append(torch.einsum("rb,ro->bo", shares, matrices @ layer.attention.bo))
        written = streams.at(layer.mlp.at)
        mlps.append(projected(written if layer.mlp.scale is None else written[:, :rows] * layer.mlp.scale))
    return Terms(
        projected(streams.at(tower.start)),
        torch.stack(biases, dim=1),
        torch.stack(mlps, dim=1),
        torch.stack(heads, dim=1),
        None if tower.tail is None else _flat(streams.at(tower.tail)),
        tower.pooling.constant,
        streams.output,
    )


def head_vectors(
    tower: Tower,
    y: Float[Tensor, "batch pos d_model"],
    mixed: Float[Tensor, "readout batch head pos"],
    *,
    layer: int,
) -> Float[Tensor, "batch head space"]:
    """u of every head of a layer, from the attention's input and B."""
    part = tower.layers[layer].attention
    readouts, heads = mixed.shape[0], mixed.shape[2]
    # One product for all readouts: `mixed @ y` would repeat y for each.
    gathered = (mixed.transpose(0, 1).flatten(1, 2) @ y).unflatten(1, (readouts, heads)).transpose(0, 1)
    u = torch.einsum("rbhd,hed->bhre", gathered, part.wv) + torch.einsum("rbh,he->bhre", mixed.sum(-1), part.bv)
    return u.flatten(2)


def _flat(x: Tensor) -> Float[Tensor, "batch d_out"]:
    return x.reshape(x.shape[0], -1)


def total(tower: Tower, terms: Terms) -> Float[Tensor, "batch d_out"]:
    """The sum of all terms."""
    parts = terms.constant + terms.embedding + terms.biases.sum(1) + terms.mlps.sum(1) + head_sum(tower, terms.heads)
    return parts if terms.tail is None else parts + terms.tail


def relative_error(tower: Tower, terms: Terms) -> float:
    """max over images of |sum - output| / |output|."""
    gap = (total(tower, terms) - terms.output).norm(dim=1) / terms.output.norm(dim=1).clamp_min(1e-30)
    return float(gap.max())


def check_exact(tower: Tower, terms: Terms) -> float:
    """The relative error of a batch.

    Raises
    ------
    ModelError
        If the terms do not add up to the model's own output, or either is not finite.
    """
    error = relative_error(tower, terms)
    allowed = TOLERANCE.get(terms.output.dtype, 1e-5)
    if not error <= allowed:
        raise ModelError(
            f"The terms of {tower.family} do not add up to its output: relative error {error:.2g}.",
            expected=f"at most {allowed:g} in {str(terms.output.dtype).removeprefix('torch.')}",
            next_step="if the model has NaN weights or parts of its own between the blocks, it cannot be decomposed",
        )
    return error


def decompose(tower: Tower, x: Float[Tensor, "batch 3 height width"]) -> Terms:
    """Take the output for a batch of preprocessed images apart, and check the sum.

    Parameters
    ----------
    tower:
        The model laid open (`tower_of`).
    x:
        Images as the model takes them, in its type and on its device.

    Raises
    ------
    ModelError
        If the sum is not exact (`check_exact`).
    """
    with torch.no_grad():
        terms = take_apart(tower, run_tower(tower, x, places_of(tower)))
        check_exact(tower, terms)
    return terms
