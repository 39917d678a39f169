"""Layers whose mean over positions goes straight into the classifier: there ablation is one product.

Where a network ends in global average pooling and one linear layer,

    logits = W mean_p(A[:, p]) + b

so that setting unit u to a value v everywhere changes the logits by W[:, u] (v - mean_p A[u, p]), and no module has to
run again. Whether a network is of this kind is not read off its code but measured, on changed activations too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.intervention import replace
from microtome.core.site import Site
from microtome.models.hooks import split_layer
from microtome.models.intervene import intervene
from microtome.models.model import Model
from microtome.models.outputs import full_precision
from microtome.models.trace import trace

PROOF_IMAGES, PROOF_SEED = 3, 0
_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
_HALF_TOLERANCE = 2e-2


@final
@dataclass(frozen=True, eq=False)
class LinearTail:
    """A layer's way to the logits: `logits = weight @ pooled + bias`. Made by `linear_tail`.

    `pooled` is the mean over positions of the layer's output, or the output itself where it has no positions.
    Weights are copies, in float32 where the model has half precision.

    Attributes
    ----------
    weight:
        `[class unit]`.
    bias:
        `[class]`; zeros where the module has none.
    module:
        Name of the linear layer, or of the 1 x 1 convolution, that they were taken from.

    Source: Zhou et al. 2016, Learning deep features for discriminative localization, equation 1: average pooling and
    the linear layer after it change places.
    """

    weight: Float[Tensor, "klass unit"]
    bias: Float[Tensor, " klass"]
    module: str

    def pooled(self, activations: Float[Tensor, "batch *shape"], site: Site) -> Float[Tensor, "batch unit"]:
        """Means over positions of the layer's output, in the type of `weight`.

        Parameters
        ----------
        activations:
            The layer's output, of any batch length.
        site:
            The layer's site: says which axis holds the units.
        """
        acts = activations.movedim(site.unit_axis, 1).to(self.weight)
        return acts.flatten(2).mean(2) if acts.ndim > 2 else acts

    def logits(self, pooled: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch klass"]:
        """What the model returns where the layer's means are `pooled`."""
        return torch.addmm(self.bias, pooled, self.weight.T)

    def logits_without(
        self, pooled: Float[Tensor, "batch unit"], value: Float[Tensor, " unit"]
    ) -> Float[Tensor, "batch unit klass"]:
        """Logits with each unit set to its value everywhere, one unit at a time.

            logits[n, u] = logits[n] + (value[u] - pooled[n, u]) weight[:, u]

        The result holds batch x units x classes numbers, and as many are in use while it is made: 33 MB and 66 MB in
        float32 for 16 images, 512 units and 1,000 classes. `tail.logits_of_each` gives one unit after the other.

        Parameters
        ----------
        pooled:
            Means over positions, from `pooled`.
        value:
            What each unit becomes: zeros, or its mean over some data.
        """
        change = value.to(pooled) - pooled
        return self.logits(pooled)[:, None] + change[:, :, None] * self.weight.T


def linear_tail(model: Model, layer: str) -> LinearTail | None:
    """The linear tail after `layer`, or None where what follows is not one.

    The last linear layer or 1 x 1 convolution that takes as many inputs as the layer has units and returns as many
    outputs as there are logits is a candidate; it is taken if `weight @ mean + bias` equals the model's logits on
    random images (3 at the input size, standard normal, seed 0), with the layer's output as it is and with four
    outputs put in its place: those of another image, two and a half times as large, and noise around zero, of the
    size of the output and 30 times as large. Noise takes negative values, so a rectifier in between is found out even
    after a layer that is never negative. Equal means: within 1e-4 (float64: 1e-10, half precision: 2e-2) of
    |weight| @ |mean| + |bias|.

    Parameters
    ----------
    model:
        An image model.
    layer:
        A site of it.

    Raises
    ------
    ModelError
        If there is no such layer, or the model does not return `[batch class]`.

    Examples
    --------
    >>> linear_tail(load("world:scenes"), "layer4").module
    'fc'
    >>> linear_tail(load("world:scenes"), "layer3") is None
    True
    """
    site = model.site(layer)
    shape = (PROOF_IMAGES, 3, model.preprocess.height, model.preprocess.width)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(PROOF_SEED))
    with trace(model, [layer]) as cache:
        logits = model.logits(x)
        acts = cache[layer]
    for candidate in _candidates(model, site, logits.shape[1]):
        if _agrees(candidate, acts, site, logits, model.dtype) and all(
            _agrees(candidate, changed, site, _logits_given(model, layer, x, changed), model.dtype)
            for changed in _changes(acts)
        ):
            return candidate
    return None


def _candidates(model: Model, site: Site, classes: int) -> Iterator[LinearTail]:
    """Linear modules that ran after the layer and fit in between, last first."""
    own, seen = split_layer(site.layer)[0], set()
    for call in reversed(model.calls):
        if call.name == own:
            return
        module = model.module.get_submodule(call.name)
        if call.name in seen or not _pointwise(module):
            continue
        seen.add(call.name)
        weight = full_precision(module.weight.detach().flatten(1)).clone()
        if weight.shape == (classes, site.units):
            bias = torch.zeros_like(weight[:, 0]) if module.bias is None else full_precision(module.bias.detach())
            yield LinearTail(weight, bias.clone(), call.name)


def _pointwise(module: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """Whether the module is one matrix, applied at every position."""
    if isinstance(module, nn.Conv2d):
        plain = module.kernel_size == (1, 1) and module.stride == (1, 1) and module.groups == 1
        return plain and module.padding in ((0, 0), 0, "valid")
    return isinstance(module, nn.Linear)


def _changes(acts: Tensor) -> Iterator[Tensor]:
    """Other outputs that the layer might have returned."""
    noise = torch.randn(acts.shape, generator=torch.Generator().manual_seed(PROOF_SEED)).to(acts)
    scale = acts.abs().mean()
    # Of a layer that is zero everywhere, noise must not be zero too.
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    yield acts.roll(1, 0)
    yield 2.5 * acts
    yield scale * noise
    yield 30 * scale * noise


def _logits_given(model: Model, layer: str, x: Tensor, activations: Tensor) -> Tensor:
    with intervene(model, replace(layer, activations)):
        return model.logits(x)


def _agrees(tail: LinearTail, acts: Tensor, site: Site, logits: Tensor, dtype: torch.dtype) -> bool:
    pooled = tail.pooled(acts, site)
    room = tail.weight.abs() @ pooled.abs().T + tail.bias.abs()[:, None]
    difference = (tail.logits(pooled) - logits).abs()
    return bool((difference <= _TOLERANCE.get(dtype, _HALF_TOLERANCE) * room.T).all())
