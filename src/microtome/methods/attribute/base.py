"""What the heatmap methods share: attention recomputed, its gradient, the score, and rows laid out as patches.

Under sdpa the attention is no node of the model's graph. Its gradient follows exactly from that of what the attention
writes, o_i = sum over heads h and rows j of A[h, i, j] W_O v_j, and leaves the model's own pass as it is:

    d score / d A[h, i, j] = (W_O^T d score / d o_i) . v_j
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.core.source import Source
from microtome.models.towers.base import AttentionPart, Place, Tower, split_output
from microtome.models.towers.streams import Streams, run_tower


@runtime_checkable
class HeatmapMethod(Protocol):
    """A method that says how much each patch mattered; its fields are its settings."""

    @property
    def name(self) -> str:
        """As registered."""
        ...

    @property
    def source(self) -> Source:
        """Where the method comes from."""
        ...

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        """Relevance of each patch for the score of the output along `direction`.

        Parameters
        ----------
        tower:
            The model laid open.
        x:
            Preprocessed images, in the model's type and on its device.
        direction:
            One for each image: a text's embedding, a class's one-hot row. Methods that look at attention alone
            check it and make no use of it.

        Raises
        ------
        OptionError
            If `direction` does not fit the output.
        ModelError
            If the rows are not the grid's patches, a value is not finite, or the output carries no gradient.
        """
        ...


@dataclass(frozen=True, eq=False)
class GradedPass:
    """One pass of the model, with the gradient of the score by what attentions write.

    Attributes
    ----------
    end:
        The residual stream after the last block.
    inputs:
        The input of each attention that was asked for.
    gradients:
        d score / d (the attention's own output, before any LayerScale).
    score:
        Of each image.
    """

    end: Float[Tensor, "batch pos d_model"]
    inputs: tuple[Float[Tensor, "batch pos d_model"], ...]
    gradients: tuple[Float[Tensor, "batch pos d_model"], ...]
    score: Float[Tensor, " batch"]


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients on, whatever the caller has turned off; tensors from outside have to be copied before use."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def check_direction(tower: Tower, x: Tensor, direction: Tensor) -> None:
    """Raise OptionError unless there is one finite direction of the output's width for each image."""
    wanted = (x.shape[0], tower.d_out)
    if tuple(direction.shape) != wanted:
        raise OptionError(
            f"The directions have shape {tuple(direction.shape)}.",
            expected=f"{wanted}: one for each image, as wide as the output of {tower.family}",
            next_step="repeat a single direction with direction.expand(len(images), -1)",
        )
    if not bool(torch.isfinite(direction).all()):
        raise OptionError("A direction holds a value that is not finite.", expected="finite numbers")


def score_of(
    output: Float[Tensor, "batch d_out"], direction: Float[Tensor, "batch d_out"], *, cosine: bool
) -> Float[Tensor, " batch"]:
    """output . direction; with `cosine`, the output is divided by its length first (the direction never is)."""
    along = (output * direction).sum(dim=1)
    return along / output.norm(dim=1) if cosine else along


def attention_of(part: AttentionPart, y: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch head pos key"]:
    """Every head's attention, from the attention's input."""
    query = (torch.einsum("bid,hed->bhie", y, part.wq) + part.bq[:, None]) * part.temperature
    key = torch.einsum("bjd,hed->bhje", y, part.wk) + part.bk[:, None]
    return (query @ key.transpose(-1, -2)).softmax(dim=-1)


def values_of(part: AttentionPart, y: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch head pos d_head"]:
    """v of every head and row, from the attention's input."""
    return torch.einsum("bjd,hed->bhje", y, part.wv) + part.bv[:, None]


def own_projection(tower: Tower, part: AttentionPart) -> Float[Tensor, "head d_model d_head"]:
    """W_O as the module itself applies it, before any LayerScale (`AttentionPart.wo` has it folded in)."""
    name = f"{part.name}.out_proj" if part.mixed is None else part.mixed.module
    layer = tower.module.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return split_output(layer.weight, part.heads)


def attention_gradient(
    tower: Tower,
    part: AttentionPart,
    y: Float[Tensor, "batch pos d_model"],
    written: Float[Tensor, "batch pos d_model"],
) -> Float[Tensor, "batch head pos key"]:
    """d score / d attention of one block.

    Parameters
    ----------
    tower, part:
        The block's attention, and the tower that it belongs to.
    y:
        Its input.
    written:
        d score / d its own output (`GradedPass.gradients`).
    """
    pulled = torch.einsum("bid,hde->bhie", written, own_projection(tower, part))
    return pulled @ values_of(part, y).transpose(-1, -2)


def graded_pass(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    direction: Float[Tensor, "batch d_out"],
    *,
    layers: Sequence[int],
    cosine: bool,
) -> GradedPass:
    """Run the model once forward and once back. It computes what it always does: nothing is put into its way.

    Parameters
    ----------
    tower, x, direction:
        See `HeatmapMethod.run`.
    layers:
        Whose attentions are asked for.
    cosine:
        See `score_of`.

    Raises
    ------
    ModelError
        If the output carries no gradient.
    """
    parts = [tower.layers[n].attention for n in layers]
    written = [Place(part.name, "output") for part in parts]
    with differentiable():
        seen = run_tower(tower, x.clone().requires_grad_(), [tower.end, *(part.at for part in parts), *written])
        score = score_of(seen.output, direction.clone(), cosine=cosine)
        check_graded(tower, score)
        gradients = torch.autograd.grad(score.sum(), [seen.at(place) for place in written])
    inputs = tuple(seen.at(part.at).detach() for part in parts)
    return GradedPass(seen.at(tower.end).detach(), inputs, gradients, score.detach())


def check_graded(tower: Tower, result: Tensor) -> None:
    """Raise ModelError unless `result` can be differentiated."""
    if not result.requires_grad:
        raise ModelError(
            f"The output of {tower.family} carries no gradient.",
            expected="a forward pass that autograd can follow",
            next_step="take torch.no_grad out of the model's forward, or a method by attention alone (rollout)",
        )


def plain_pass(tower: Tower, x: Float[Tensor, "batch 3 height width"], *, layers: Sequence[int]) -> Streams:
    """Run the model without gradients and keep the end of the stream and the attentions' inputs."""
    with torch.no_grad():
        return run_tower(tower, x, [tower.end, *(tower.layers[n].attention.at for n in layers)])


def row_weights(tower: Tower, end: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos"]:
    """How much the output reads of each row: the pooling's row weights, summed over readouts, to a sum of 1.

    Where the class row alone is read, that row has weight 1.
    """
    rho = tower.pooling.rows(end).sum(dim=0)
    weights = torch.zeros(end.shape[:2], dtype=end.dtype, device=end.device)
    weights[:, : rho.shape[1]] = rho / rho.sum(dim=1, keepdim=True)
    return weights


def as_grid(tower: Tower, relevance: Float[Tensor, "batch pos"]) -> Float[Tensor, "batch grid_h grid_w"]:
    """The patches' part of a relevance of rows, as the image has them.

    Raises
    ------
    ModelError
        If the rows are not the grid's patches, or a value is not finite.
    """
    down, across = tower.grid
    patches = relevance[:, tower.first_patch :]
    if patches.shape[1] != down * across:
        raise ModelError(
            f"{tower.family} has {patches.shape[1]} rows of patches.",
            expected=f"{down} x {across} of them",
            next_step="give images of the size that the model was built for",
        )
    if not bool(torch.isfinite(patches).all()):
        raise ModelError(
            f"The heatmap of {tower.family} is not finite.",
            expected="finite weights, images and output",
            next_step="look for NaN in the weights and in the preprocessed images",
        )
    return patches.reshape(-1, down, across)
