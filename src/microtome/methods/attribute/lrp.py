"""Layer-wise relevance propagation with attention, LayerNorm's sigma and the activations' slopes held constant.

With A, sigma, f(z) / z, the pooling's row weights and (for a cosine) the output's length as they are for the image, the
network is affine in the rows x_i of its embedding, and gradient times input shares the score out among them:

    relevance_i = x_i . d score / d x_i          sum over i of relevance_i = score - (what the biases write)

The biases are those of values, attention outputs, MLPs, norms and classifier (queries and keys are in A), and the tail
where a pooler is not linear. The embedding of a patch includes its position's. Relevance may be negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.source import Source
from microtome.methods.attribute.base import (
    as_grid,
    attention_of,
    check_direction,
    check_graded,
    differentiable,
    own_projection,
    values_of,
)
from microtome.models.hooks import looking, watching
from microtome.models.outputs import first_tensor, with_first
from microtome.models.towers.base import AttentionPart, Place, Tower
from microtome.models.towers.streams import run_tower

NO_ACTIVATIONS = (nn.Identity, nn.Dropout, nn.LayerNorm)


@dataclass(frozen=True)
class Lrp:
    """Settings of relevance propagation. See `HeatmapMethod`.

    Attributes
    ----------
    cosine:
        Whether the score divides the output by its length (CLIP-like models) or not (class scores).
    """

    cosine: bool = True

    name = "lrp"
    source = Source(
        "Ali, Schnake, Eberle, Montavon, Müller & Wolf 2022, XAI for transformers: better explanations through "
        "conservative propagation",
        "the rules for attention heads and for LayerNorm",
        "relevance passes an activation unchanged, f(z) / z held constant; the final norm, the pooling's weights and "
        "the output's length are held constant too; linear layers by the plain rule, without epsilon",
    )

    def run(
        self, tower: Tower, x: Float[Tensor, "batch 3 height width"], direction: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        return as_grid(tower, row_relevance(tower, x, direction, cosine=self.cosine))


def row_relevance(
    tower: Tower,
    x: Float[Tensor, "batch 3 height width"],
    direction: Float[Tensor, "batch d_out"],
    *,
    cosine: bool = True,
) -> Float[Tensor, "batch pos"]:
    """Relevance of every row of the embedding, class and register tokens included. No hook is left behind.

    Parameters
    ----------
    tower, x, direction:
        See `HeatmapMethod.run`.
    cosine:
        See `Lrp`.

    Raises
    ------
    ModelError
        If an MLP is not linear - activation - linear, or the output carries no gradient.
    """
    check_direction(tower, x, direction)
    with differentiable():
        with _held_constant(tower):
            seen = run_tower(tower, x.clone().requires_grad_(), [tower.start, tower.end])
        start, end = seen.at(tower.start), seen.at(tower.end)
        check_graded(tower, end)
        output = seen.output.detach()
        along = direction.clone() / output.norm(dim=1, keepdim=True) if cosine else direction.clone()
        rho = tower.pooling.rows(end.detach()).detach()
        read = torch.einsum("rbi,bid->rbd", rho, end[:, : rho.shape[2]])
        score = torch.einsum("rbd,rod,bo->b", read, tower.pooling.matrices, along)
        (gradient,) = torch.autograd.grad(score.sum(), start)
    return (gradient * start.detach()).sum(dim=2)


@contextmanager
def _held_constant(tower: Tower) -> Iterator[None]:
    """Change the backward pass alone: what the model computes stays as it is, to the bit."""
    constants = _Constants(tower)
    places = {layer.attention.at for layer in tower.layers} | constants.neurons
    inputs = [*constants.kinds, *(place.module for place in places if place.side == "input")]
    outputs = [*constants.kinds, *(place.module for place in places if place.side == "output")]
    with (
        looking(tower.module, inputs, constants.enters),
        watching(tower.module, outputs, constants.leaves, on_start=constants.begins),
    ):
        yield
    missing = constants.neurons - constants.proved
    if missing:
        raise _unknown_mlp(tower, sorted(place.module for place in missing)[0])


@dataclass(eq=False)
class _Constants:
    """Replaces outputs while the model runs: the value is the module's own, the gradient that of a linear map."""

    tower: Tower
    kinds: dict[str, AttentionPart | nn.Module] = field(init=False)
    neurons: set[Place] = field(init=False)
    proved: set[Place] = field(init=False, default_factory=set)
    _seen: dict[Place, Tensor] = field(init=False, default_factory=dict)
    _activation: Tensor | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        modules = dict(self.tower.module.named_modules())
        self.kinds = {name: module for name, module in modules.items() if name and _kept(module)}
        self.kinds |= {layer.attention.name: layer.attention for layer in self.tower.layers}
        self.neurons = {layer.mlp.neurons for layer in self.tower.layers}

    def begins(self) -> None:
        """A forward pass starts."""
        self._seen.clear()
        self._activation = None

    def enters(self, name: str, value: Any) -> None:
        """Note the input of a module."""
        self._note(Place(name, "input"), first_tensor(value))

    def leaves(self, name: str, call: int, output: Any) -> Any:
        """Return what takes the place of a module's output, or None."""
        value = first_tensor(output)
        if value is None:
            return None
        linear = self._linear(name, value)
        if linear is not None:
            # Exactly the value: what is added is zero.
            value = value.detach() + (linear - linear.detach())
            if self._is_activation(name):
                self._activation = value.detach()
        self._note(Place(name, "output"), value)
        return None if linear is None else with_first(output, value)

    def _note(self, place: Place, value: Tensor | None) -> None:
        if value is None:
            return
        self._seen[place] = value
        if place in self.neurons:
            last = self._activation
            if last is None or last.shape != value.shape or not _same(last, value):
                raise _unknown_mlp(self.tower, place.module)
            self.proved.add(place)

    def _is_activation(self, name: str) -> bool:
        kind = self.kinds[name]
        return isinstance(kind, nn.Module) and not isinstance(kind, nn.LayerNorm)

    def _linear(self, name: str, value: Tensor) -> Tensor | None:
        """The module as a linear map of its input, at this input; None if it is left as it is."""
        kind = self.kinds.get(name)
        if isinstance(kind, AttentionPart):
            y = self._seen.get(kind.at)
            if y is None:
                raise ModelError(
                    f"Nothing passed the {kind.at.side} of '{kind.at.module}' before '{name}' ran.",
                    expected=f"the attention's input, as {self.tower.family} has it",
                    next_step="the model runs this part in another way: say which model, with its version",
                )
            mixed = attention_of(kind, y.detach()) @ values_of(kind, y)
            return torch.einsum("bhie,hde->bid", mixed, own_projection(self.tower, kind))
        z = self._seen.get(Place(name, "input"))
        if kind is None or z is None or z.shape != value.shape:
            return None
        if isinstance(kind, nn.LayerNorm):
            sigma = (z.detach().var(dim=-1, unbiased=False, keepdim=True) + kind.eps).sqrt()
            centred = (z - z.mean(dim=-1, keepdim=True)) / sigma
            return centred if kind.weight is None else centred * kind.weight
        slope = torch.where(z == 0, torch.zeros_like(z), value / z).detach()
        return z * slope


def _kept(module: nn.Module) -> bool:
    """Whether a module is a LayerNorm, or may be an activation: without parts, weights or buffers."""
    if isinstance(module, nn.LayerNorm):
        return True
    bare = next(module.children(), None) is None and not module.state_dict()
    return bare and not isinstance(module, NO_ACTIVATIONS)


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values; NaN is NaN, and is named where the heatmap ends."""
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def _unknown_mlp(tower: Tower, name: str) -> ModelError:
    return ModelError(
        f"What enters '{name}' of {tower.family} is not the output of an activation module.",
        expected="an MLP of linear, activation (GELU, QuickGELU, ReLU), linear",
        next_step="gated MLPs cannot be held constant: take another heatmap method",
    )
