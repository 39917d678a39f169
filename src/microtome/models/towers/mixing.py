"""How much of each token a head brings into the output.

    B[r, h, j] = sum over i of rho[r, i] * A[h, i, j]

A is the attention, recomputed from its input; rho the row weights of the pooling. Where the output reads row 0 alone,
only that row of A is formed: its query is folded with W_K, and the key bias cancels in the softmax.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.models.towers.base import AttentionPart


def weighted_attention(
    part: AttentionPart,
    y: Float[Tensor, "batch pos d_model"],
    rho: Float[Tensor, "readout batch row"],
) -> Float[Tensor, "readout batch head pos"]:
    """B of one block.

    Parameters
    ----------
    part:
        The attention.
    y:
        Its input.
    rho:
        Row weights; one row: row 0 alone is read.
    """
    if rho.shape[2] == 1:
        return rho[..., None] * first_row_attention(part, y)[None]
    query, key = _queries_and_keys(part, y)
    # One image at a time: its attention stays in the cache, and that of a batch is never held.
    images = zip(rho.unbind(1), query, key, strict=True)
    return torch.stack([(rows @ (q @ k).softmax(dim=-1)).transpose(0, 1) for rows, q, k in images], dim=1)


def first_row_attention(part: AttentionPart, y: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch head pos"]:
    """Row 0 of every head's attention."""
    query = torch.einsum("bd,hed->bhe", y[:, 0], part.wq) + part.bq
    folded = torch.einsum("bhe,hed->bhd", query * part.temperature, part.wk)
    return (folded @ y.transpose(1, 2)).softmax(dim=-1)


def full_attention(part: AttentionPart, y: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch head pos key"]:
    """Every head's attention."""
    query, key = _queries_and_keys(part, y)
    return (query @ key).softmax(dim=-1)


def _queries_and_keys(
    part: AttentionPart, y: Float[Tensor, "batch pos d_model"]
) -> tuple[Float[Tensor, "batch head pos d_head"], Float[Tensor, "batch head d_head pos"]]:
    """Queries times the temperature, and keys without their bias."""
    shape = (y.shape[0], y.shape[1], part.heads, part.d_head)
    query = y @ (part.wq.flatten(0, 1) * part.temperature).T + part.bq.flatten() * part.temperature
    key = y @ part.wk.flatten(0, 1).T
    return query.view(shape).transpose(1, 2), key.view(shape).permute(0, 2, 3, 1)
