"""Heatmaps: what each head and patch adds to the output along a direction.

    heat[h, j] = sum over r of B[r, h, j] * (g[r, h] . y_j + c[r, h])
    g[r, h] = W_V' W_O' M_r' t          c[r, h] = b_V . W_O' M_r' t

One number for each head and patch; the text is folded with W_O W_V once, so nothing is expanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.source import Source
from microtome.models.towers.base import Tower
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.streams import Streams, run_tower

SOURCE = Source(
    "Gandelsman, Efros & Steinhardt 2023, Interpreting CLIP's image representation via text-based decomposition",
    "section 5, equation 5",
    "for any direction and any pooling of `towers`; the text is folded into the heads",
)


@dataclass(frozen=True, eq=False)
class FoldedDirection:
    """A direction seen from a layer's inputs.

    Attributes
    ----------
    g:
        [direction, readout, head, d_model].
    c:
        [direction, readout, head].
    """

    g: Float[Tensor, "direction readout head d_model"]
    c: Float[Tensor, "direction readout head"]


def fold(tower: Tower, directions: Float[Tensor, "direction d_out"], layer: int) -> FoldedDirection:
    """Directions folded with a layer's W_O and W_V."""
    part = tower.layers[layer].attention
    seen = torch.einsum("ko,rom,hme->krhe", directions, tower.pooling.matrices, part.wo)
    return FoldedDirection(torch.einsum("krhe,hed->krhd", seen, part.wv), torch.einsum("krhe,he->krh", seen, part.bv))


def heat_by_head(
    tower: Tower, streams: Streams, folded: FoldedDirection, layer: int, rho: Float[Tensor, "readout batch row"]
) -> Float[Tensor, "direction batch head pos"]:
    """The heat of every head of one layer at every token, class and register tokens among them."""
    part = tower.layers[layer].attention
    y = streams.at(part.at)
    mixed = weighted_attention(part, y, rho)
    spoken = torch.einsum("bpd,krhd->krbhp", y, folded.g) + folded.c[:, :, None, :, None]
    return torch.einsum("rbhp,krbhp->kbhp", mixed, spoken)


def heatmaps(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    directions: Float[Tensor, "direction d_out"],
    *,
    layers: Sequence[int] | None = None,
    folded: Sequence[FoldedDirection] | None = None,
) -> Float[Tensor, "batch direction grid_height grid_width"]:
    """The sum over heads of what each patch adds along each direction.

    Parameters
    ----------
    tower:
        The model laid open.
    x:
        Preprocessed images, in the model's type and on its device.
    directions:
        Texts, classes or any vectors of the output's space.
    layers:
        Count these layers alone; default: all.
    folded:
        `fold` of each of these layers, where many batches share the directions.
    """
    chosen = list(range(len(tower.layers)) if layers is None else layers)
    prepared = [fold(tower, directions, n) for n in chosen] if folded is None else list(folded)
    with torch.no_grad():
        streams = run_tower(tower, x, [tower.end, *(tower.layers[n].attention.at for n in chosen)])
        rho = tower.pooling.rows(streams.at(tower.end))
        total = torch.zeros(len(directions), len(x), _tokens(tower), dtype=x.dtype, device=x.device)
        for n, own in zip(chosen, prepared, strict=True):
            total += heat_by_head(tower, streams, own, n, rho).sum(dim=2)
    return on_grid(tower, total).transpose(0, 1)


def head_heatmaps(
    tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, " d_out"], *, layer: int, head: int
) -> Float[Tensor, "batch grid_height grid_width"]:
    """What one head adds along a direction, by patch."""
    with torch.no_grad():
        streams = run_tower(tower, x, [tower.end, tower.layers[layer].attention.at])
        rho = tower.pooling.rows(streams.at(tower.end))
        found = heat_by_head(tower, streams, fold(tower, direction[None], layer), layer, rho)
    return on_grid(tower, found[0, :, head])


def on_grid(tower: Tower, tokens: Float[Tensor, "*batch pos"]) -> Float[Tensor, "*batch grid_height grid_width"]:
    """The patches of a row of tokens, laid out as in the image."""
    return tokens[..., tower.first_patch : _tokens(tower)].unflatten(-1, tower.grid)


def _tokens(tower: Tower) -> int:
    return tower.first_patch + tower.grid[0] * tower.grid[1]
