"""Heat at every token, with what it adds up to; and how much a head writes from each token, whatever the direction.

    heat[t, j] = sum over the chosen heads of B_h[j] * (g_h . y_j + c_h)         (see `heatmap`)
    norm[h, j] = | P_h (B_h[j] * (W_V y_j + b_V)) |

Over all tokens, class and register tokens among them, the heat adds up to the heads' part of output . direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.methods.decompose.heatmap import fold, heat_by_head
from microtome.methods.decompose.terms import head_matrices
from microtome.models.towers.base import Tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.streams import run_tower


@dataclass(frozen=True, eq=False)
class TokenHeat:
    """Heat of a batch.

    Attributes
    ----------
    tokens:
        [batch, direction, pos]: what each token adds by way of the chosen heads, class and register tokens in front.
    output:
        [batch, direction]: the whole output . direction.
    """

    tokens: Float[Tensor, "batch direction pos"]
    output: Float[Tensor, "batch direction"]


def token_heat(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "direction d_out"],
    *,
    layers: Sequence[int] | None = None,
    head: int | None = None,
) -> TokenHeat:
    """What each token adds along each direction.

    Parameters
    ----------
    tower:
        The model laid open.
    x:
        Preprocessed images, in the model's type and on its device.
    directions:
        Texts, classes or any vectors of the output's space.
    layers:
        Count the heads of these layers alone; default: all.
    head:
        Count this head of the layers alone; default: all.
    """
    chosen = list(range(len(tower.layers)) if layers is None else layers)
    with torch.no_grad():
        streams = run_tower(tower, x, [tower.end, *(tower.layers[n].attention.at for n in chosen)])
        rho = tower.pooling.rows(streams.at(tower.end))
        total = torch.zeros(())
        for n in chosen:
            heat = heat_by_head(tower, streams, fold(tower, directions, n), n, rho)
            total = total.to(heat) + (heat.sum(dim=2) if head is None else heat[:, :, head])
        return TokenHeat(total.transpose(0, 1), streams.output @ directions.T)


def head_norms(
    tower: Tower, x: Float[Tensor, "batch 3 height width"], *, layer: int, head: int
) -> Float[Tensor, "batch pos"]:
    """The length of what a head writes into the output from each token. Never negative; the parts do not add up."""
    part = tower.layers[layer].attention
    with torch.no_grad():
        streams = run_tower(tower, x, [tower.end, part.at])
        y = streams.at(part.at)
        mixed = weighted_attention(part, y, tower.pooling.rows(streams.at(tower.end)))[:, :, head]
        spoken = y @ part.wv[head].T + part.bv[head]
        written = torch.einsum("rbp,bpe->bpre", mixed, spoken).flatten(2)
        return (written @ head_matrices(tower, layer)[head].T).norm(dim=2)
