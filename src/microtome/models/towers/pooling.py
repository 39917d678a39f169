"""How the last residual stream becomes the output, where it is not the class row alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.towers.base import AttentionPart, NormPart, centred

Span = tuple[int, int | None]
CLASS: Span = (0, 1)


@dataclass(frozen=True, eq=False)
class RowMeans:
    """Pooling by means of rows, one mean a readout. Made by `row_means`.

        rho[r, i] = 1 / (n_r sigma_i)         the final norm of every row, then the mean over the n_r rows
        rho[r, i] = 1 / (n_r sigma(mean_r))   the mean, then the norm (`norm_last`)
        rho[r, i] = 1 / n_r                   without a norm

    Attributes
    ----------
    matrices, constant:
        See `Pooling`.
    spans:
        First row of each readout, and the one past its last (None: to the end).
    norm:
        The final LayerNorm, or None.
    norm_last:
        Whether it follows the mean.
    """

    matrices: Float[Tensor, "readout d_out d_model"]
    constant: Float[Tensor, " d_out"]
    spans: tuple[Span, ...]
    norm: NormPart | None
    norm_last: bool = False
    first_row_only: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first_row_only", set(self.spans) == {CLASS})

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch row"]:
        if self.first_row_only:
            x = x[:, :1]
        rho = torch.zeros(len(self.spans), *x.shape[:2], dtype=x.dtype, device=x.device)
        for row, (first, last) in zip(rho, self.spans, strict=True):
            part = x[:, first:last]
            if self.norm is None:
                row[:, first:last] = 1.0 / part.shape[1]
            elif self.norm_last:
                row[:, first:last] = 1.0 / (part.shape[1] * self.norm.sigma(part.mean(dim=1, keepdim=True)))
            else:
                row[:, first:last] = 1.0 / (part.shape[1] * self.norm.sigma(part))
        return rho


def row_means(
    projections: Float[Tensor, "readout d_out d_model"],
    bias: Float[Tensor, " d_out"] | None,
    *,
    spans: Sequence[Span],
    norm: NormPart | None,
    norm_last: bool = False,
) -> RowMeans:
    """Pooling by means of rows, from what comes after the norm.

    Parameters
    ----------
    projections:
        What each readout's mean is multiplied by.
    bias:
        Of the output, or None.
    spans, norm, norm_last:
        See `RowMeans`.
    """
    constant = torch.zeros_like(projections[0, :, 0]) if bias is None else bias
    if norm is None:
        return RowMeans(projections, constant, tuple(spans), None)
    matrices = torch.stack([centred(projection, norm.scale) for projection in projections])
    return RowMeans(matrices, constant + (projections @ norm.shift).sum(0), tuple(spans), norm, norm_last)


@dataclass(frozen=True, eq=False)
class AttentionRows:
    """Pooling by an attention whose query is fixed: one readout a pooling head.

        rho[h, i] = A[h, i] / sigma_i       M_h = W_O[h] W_V[h] diag(scale) (1 - 11'/d)

    A is the attention of a learned query to the normed rows: it needs each row's own mean and variance.

    Attributes
    ----------
    part:
        The pooling attention.
    norm:
        The final LayerNorm.
    query:
        [head, d_head], after its projection.
    first_row:
        Rows before it are not attended to.
    """

    part: AttentionPart
    norm: NormPart
    query: Float[Tensor, "head d_head"]
    first_row: int = 0
    first_row_only: bool = field(default=False, init=False)
    matrices: Float[Tensor, "readout d_out d_model"] = field(init=False)
    constant: Float[Tensor, " d_out"] = field(init=False)
    looks: Float[Tensor, "readout d_model"] = field(init=False)

    def __post_init__(self) -> None:
        part, norm = self.part, self.norm
        through = torch.stack([centred(wo @ wv, norm.scale) for wo, wv in zip(part.wo, part.wv, strict=True)])
        value = torch.einsum("hed,d->he", part.wv, norm.shift) + part.bv
        folded = torch.einsum("he,hed->hd", self.query * part.temperature, part.wk)
        object.__setattr__(self, "matrices", through)
        object.__setattr__(self, "constant", torch.einsum("hde,he->d", part.wo, value) + part.bo)
        object.__setattr__(self, "looks", centred(folded, norm.scale))

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch pos"]:
        sigma = self.norm.sigma(x)
        scores = torch.einsum("hd,bid->hbi", self.looks, x) / sigma
        scores[..., : self.first_row] = -torch.inf
        return scores.softmax(dim=-1) / sigma


def linear_parts(layer: nn.Module, width: int, like: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weight [d_out, width] and bias of a linear layer; the identity where there is none (`nn.Identity`).

    Raises
    ------
    ModelError
        If it is another layer.
    """
    if isinstance(layer, nn.Identity):
        return torch.eye(width, dtype=like.dtype, device=like.device), None
    if not isinstance(layer, nn.Linear):
        raise ModelError(
            f"The model ends in a {type(layer).__name__}, so its output is no sum over heads.",
            expected="a linear classifier",
        )
    return layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
