"""What decomposition needs to know of a vision transformer, whatever library it comes from.

    output = constant + tail + sum over r of M_r * sum over tokens i of rho[r, i] * x_i

x_i are the rows of the residual stream after the last block, M_r a fixed matrix (final scale, centring and projection),
rho a row weight per image that holds 1 / sigma_i of the final LayerNorm; the tail is whatever follows a pooler that is
not linear. Every x_i is a sum: embedding, and what each attention head and each MLP added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Side = Literal["input", "output"]


@dataclass(frozen=True)
class Place:
    """Where a tensor [batch, pos, d_model] is to be seen while the model runs.

    Attributes
    ----------
    module:
        Name of a submodule of the model.
    side:
        Its first input, or its (first) output.
    """

    module: str
    side: Side = "input"


@dataclass(frozen=True, eq=False)
class NormPart:
    """A LayerNorm: scale * (x - mean) / sqrt(variance + eps) + shift.

    Attributes
    ----------
    at:
        Where its input is to be seen.
    scale, shift:
        [d_model].
    eps:
        Added to the variance.
    """

    at: Place
    scale: Float[Tensor, " d_model"]
    shift: Float[Tensor, " d_model"]
    eps: float

    def sigma(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows"]:
        """sqrt(variance + eps) of each row."""
        return (x.var(dim=-1, unbiased=False) + self.eps).sqrt()


@dataclass(frozen=True, eq=False)
class AttentionPart:
    """Self-attention of one block; what scales its output afterwards (LayerScale) is folded into `wo` and `bo`.

    Attributes
    ----------
    name:
        The attention's module; an intervention on it changes what all its heads write.
    at:
        Where its input (after the block's first norm) is to be seen.
    wq, wk, wv:
        [head, d_head, d_model].
    bq, bk, bv:
        [head, d_head]; zeros where the layer has none.
    wo:
        [head, d_model, d_head].
    bo:
        [d_model].
    temperature:
        Factor on q.k, usually 1 / sqrt(d_head).
    mixed:
        Where the heads' outputs side by side, [batch, pos, head * d_head], enter the output projection: what an
        intervention on single heads changes; None where no module has that input (nn.MultiheadAttention).
    """

    name: str
    at: Place
    wq: Float[Tensor, "head d_head d_model"]
    wk: Float[Tensor, "head d_head d_model"]
    wv: Float[Tensor, "head d_head d_model"]
    bq: Float[Tensor, "head d_head"]
    bk: Float[Tensor, "head d_head"]
    bv: Float[Tensor, "head d_head"]
    wo: Float[Tensor, "head d_model d_head"]
    bo: Float[Tensor, " d_model"]
    temperature: float
    mixed: Place | None = None

    @property
    def heads(self) -> int:
        return self.wq.shape[0]

    @property
    def d_head(self) -> int:
        return self.wq.shape[1]


@dataclass(frozen=True, eq=False)
class MlpPart:
    """The MLP of one block; LayerScale is folded into `w_out`, `b_out` and `scale`.

    Attributes
    ----------
    name:
        The MLP's module.
    at:
        Where what it writes is to be seen, before LayerScale.
    scale:
        LayerScale [d_model], or None.
    neurons:
        Where the neurons' activations [batch, pos, neuron] are to be seen.
    w_out:
        [d_model, neuron]: what a neuron of activation 1 writes.
    b_out:
        [d_model].
    """

    name: str
    at: Place
    scale: Float[Tensor, " d_model"] | None
    neurons: Place
    w_out: Float[Tensor, "d_model neuron"]
    b_out: Float[Tensor, " d_model"]


@dataclass(frozen=True, eq=False)
class LayerPart:
    """One block: norm, attention, MLP."""

    norm: NormPart
    attention: AttentionPart
    mlp: MlpPart


@runtime_checkable
class Pooling(Protocol):
    """How rows of the last residual stream become the output."""

    @property
    def matrices(self) -> Float[Tensor, "readout d_out d_model"]:
        """M_r of each readout."""
        ...

    @property
    def constant(self) -> Float[Tensor, " d_out"]:
        """Final shift, projected, and the classifier's bias."""
        ...

    @property
    def first_row_only(self) -> bool:
        """Whether every rho is zero but on row 0."""
        ...

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch pos"]:
        """rho for the residual stream `x` after the last block; with `first_row_only`, pos is 1."""
        ...


@dataclass(frozen=True, eq=False)
class Tower:
    """A vision transformer laid open. Its tensors have the model's type and device.

    Attributes
    ----------
    module:
        The network that is run.
    family:
        What it was recognised as, in words (`CLIP of transformers`).
    start:
        Where the residual stream is to be seen before the first block.
    end:
        The same after the last block.
    layers:
        The blocks, in order.
    pooling:
        See `Pooling`.
    output:
        Where the vector that the sum must equal is to be seen, [batch, d_out]; None: it is the module's own output.
    tail:
        Where what follows a nonlinear pooler is to be seen: added to the sum as one term; None if there is none.
    tail_name:
        Its name.
    first_patch:
        Number of the first patch's row: rows before it are class and register tokens.
    grid:
        Patches down and across.
    patch:
        Pixels of a patch, down and across; 0: not known.
    any_size:
        Whether the model fits its positions to the input's size, so that the grid follows it.
    """

    module: nn.Module
    family: str
    start: Place
    end: Place
    layers: tuple[LayerPart, ...]
    pooling: Pooling
    first_patch: int
    grid: tuple[int, int]
    output: Place | None = None
    tail: Place | None = None
    tail_name: str = ""
    patch: tuple[int, int] = (0, 0)
    any_size: bool = False

    @property
    def heads(self) -> int:
        return self.layers[0].attention.heads

    @property
    def d_head(self) -> int:
        return self.layers[0].attention.d_head

    @property
    def readouts(self) -> int:
        return self.pooling.matrices.shape[0]

    @property
    def d_out(self) -> int:
        return self.pooling.matrices.shape[1]

    @property
    def d_model(self) -> int:
        return self.pooling.matrices.shape[2]

    @property
    def space(self) -> int:
        """Width of the space that a head's term lives in: readouts times d_head."""
        return self.readouts * self.d_head


def centred(matrix: Float[Tensor, "d_out d_model"], norm_scale: Float[Tensor, " d_model"]) -> Tensor:
    """`matrix` after a LayerNorm's scale and centring: matrix diag(scale) (1 - 11'/d). Shape [d_out, d_model]."""
    scaled = matrix * norm_scale
    return scaled - scaled.mean(dim=1, keepdim=True)


@dataclass(frozen=True, eq=False)
class ClassRow:
    """Pooling by the class row: projection of its LayerNorm. See `Pooling`.

    Attributes
    ----------
    norm:
        The final LayerNorm.
    projection:
        [d_out, d_model]; the identity where the output is the norm's own.
    bias:
        [d_out] or None.
    """

    norm: NormPart
    projection: Float[Tensor, "d_out d_model"]
    bias: Float[Tensor, " d_out"] | None = None
    first_row_only: bool = True
    matrices: Float[Tensor, "readout d_out d_model"] = field(init=False)
    constant: Float[Tensor, " d_out"] = field(init=False)

    def __post_init__(self) -> None:
        constant = self.projection @ self.norm.shift
        object.__setattr__(self, "matrices", centred(self.projection, self.norm.scale)[None])
        object.__setattr__(self, "constant", constant if self.bias is None else constant + self.bias)

    def rows(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "readout batch one"]:
        return (1.0 / self.norm.sigma(x[:, :1]))[None]


def split_heads(weight: Float[Tensor, "inner d_model"], heads: int) -> Float[Tensor, "head d_head d_model"]:
    """A query, key or value matrix by heads."""
    return weight.detach().reshape(heads, -1, weight.shape[1])


def split_bias(bias: Tensor | None, like: Float[Tensor, "head d_head d_model"]) -> Float[Tensor, "head d_head"]:
    """Its bias by heads; zeros where there is none."""
    if bias is None:
        return torch.zeros(like.shape[:2], dtype=like.dtype, device=like.device)
    return bias.detach().reshape(like.shape[:2])


def split_output(
    weight: Float[Tensor, "d_model inner"], heads: int, scale: Tensor | None = None
) -> Float[Tensor, "head d_model d_head"]:
    """The output matrix by heads, with LayerScale folded in."""
    weight = weight.detach() if scale is None else weight.detach() * scale.detach()[:, None]
    return weight.reshape(weight.shape[0], heads, -1).permute(1, 0, 2).contiguous()


def fused_attention(
    name: str, *, weight: Tensor, bias: Tensor | None, out: nn.Linear, heads: int, layer_scale: Tensor | None = None,
    mixed: Place | None = None,
) -> AttentionPart:  # fmt: skip
    """The description of an attention with query, key and value in one matrix, one under the other.

    Parameters
    ----------
    name:
        The attention's module name.
    weight, bias:
        [3 * inner, d_model] and [3 * inner] or None.
    out:
        The output layer.
    heads, mixed:
        See `AttentionPart`; the temperature is 1 / sqrt(d_head).
    layer_scale:
        What scales the attention's output afterwards, [d_model].
    """
    wq, wk, wv = (split_heads(part, heads) for part in weight.chunk(3))
    bq, bk, bv = (None, None, None) if bias is None else bias.chunk(3)
    wo = split_output(out.weight, heads, layer_scale)
    bo = torch.zeros(wo.shape[1], dtype=wo.dtype, device=wo.device) if out.bias is None else out.bias.detach()
    return AttentionPart(
        name, Place(name), wq, wk, wv, split_bias(bq, wq), split_bias(bk, wk), split_bias(bv, wv),
        wo, bo if layer_scale is None else bo * layer_scale.detach(), wq.shape[1] ** -0.5, mixed,
    )  # fmt: skip


def norm_part(name: str, norm: nn.LayerNorm) -> NormPart:
    """The description of a LayerNorm of that name; without scale or shift it has ones and zeros."""
    width = norm.normalized_shape[-1]
    known = next(iter(norm.parameters()), torch.zeros(1))
    scale = torch.ones(width, dtype=known.dtype, device=known.device) if norm.weight is None else norm.weight.detach()
    shift = torch.zeros_like(scale) if norm.bias is None else norm.bias.detach()
    return NormPart(Place(name), scale, shift, norm.eps)


def separate_attention(
    name: str, *, parts: tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear], out_name: str, heads: int,
    temperature: float, layer_scale: Tensor | None = None,
) -> AttentionPart:  # fmt: skip
    """The description of an attention with query, key, value and output as linear layers of their own.

    Parameters
    ----------
    name:
        The attention's module name.
    parts:
        Query, key, value and output layers.
    out_name:
        Module name of the output layer, whose input is the heads side by side.
    heads, temperature:
        See `AttentionPart`.
    layer_scale:
        What scales the attention's output afterwards, [d_model].
    """
    query, key, value, out = parts
    wq, wk, wv = (split_heads(part.weight, heads) for part in (query, key, value))
    wo = split_output(out.weight, heads, layer_scale)
    bo = torch.zeros(wo.shape[1], dtype=wo.dtype, device=wo.device) if out.bias is None else out.bias.detach()
    return AttentionPart(
        name, Place(name), wq, wk, wv, split_bias(query.bias, wq), split_bias(key.bias, wk), split_bias(value.bias, wv),
        wo, bo if layer_scale is None else bo * layer_scale.detach(), temperature, Place(out_name),
    )  # fmt: skip


def plain_mlp(name: str, *, neurons: str, last: nn.Linear, layer_scale: Tensor | None = None) -> MlpPart:
    """The description of an MLP whose last layer `neurons` (a module name) takes the neurons' activations."""
    weight = last.weight.detach()
    bias = torch.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device) if last.bias is None else last.bias
    if layer_scale is not None:
        weight = weight * layer_scale.detach()[:, None]
        bias = bias * layer_scale
        layer_scale = layer_scale.detach()
    return MlpPart(name, Place(name, "output"), layer_scale, Place(neurons), weight, bias.detach())
