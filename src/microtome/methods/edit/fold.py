"""Fold a change of a layer's units into the weights that read them, where one layer alone does.

A change that is the same at every position is affine in the units, a' = G a + s. A layer that reads them by a matrix
gives the same with

    W' = W G,   b' = b + W s          (of a convolution at each offset; with s != 0 only without padding)

Whether a layer is the only reader is not read off the code but seen: with the new weights the model must answer as the
changed model does, on inputs of noise and on changed activations.

Source: Fong & Vedaldi 2018 and Bau et al. 2020 ablate while the model runs; that an ablation is an edit of the next
layer's weights is linear algebra.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, replace
from microtome.core.site import Site
from microtome.models.hooks import split_layer
from microtome.models.intervene import apply, intervene
from microtome.models.model import Model
from microtome.models.trace import trace

PROOF_IMAGES = 4
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
AFFINE = ("ablate-zero", "ablate-mean", "add", "scale", "project")


def affine_of(
    interventions: Sequence[Intervention], site: Site
) -> tuple[Float[Tensor, "unit unit_"], Float[Tensor, " unit"]]:
    """G and s of a chain of interventions on one layer, float64.

    Raises
    ------
    ModelError
        If one of them is not affine in the units, or acts at some positions alone.
    """
    for it in interventions:
        if it.kind not in AFFINE or it.positions is not None or it.side != "output":
            raise ModelError(
                f"The intervention '{it.kind}' on layer '{it.layer}' is no matrix on its units.",
                expected=f"one of {', '.join(AFFINE)}, at every position of an output",
            )
    flat = Site(site.layer, 1, (site.units,), site.units)
    points = torch.cat([torch.zeros(1, site.units, dtype=torch.float64), torch.eye(site.units, dtype=torch.float64)])
    for it in interventions:
        points = apply(it, points, flat)
    shift = points[0]
    return (points[1:] - shift).T.contiguous(), shift


def fold(model: Model, interventions: Sequence[Intervention]) -> dict[str, Tensor] | None:
    """The parameters that change, by name, so that the model does by itself what the interventions do; else None.

    None means that no single layer reads the units: the change cannot be put into weights.

    Parameters
    ----------
    interventions:
        All of one layer, of the kinds that `affine_of` takes.

    Raises
    ------
    ModelError
        If they are not, or of several layers.
    """
    layers = {it.layer for it in interventions}
    if len(layers) != 1:
        raise ModelError(f"{len(layers)} layers cannot be folded at once.", expected="interventions on one layer")
    site = model.site(next(iter(layers)))
    gain, shift = affine_of(interventions, site)
    x = _probe(model)
    # A unit that the images leave silent does not tell who reads it, so the layer's output is also put in its place.
    given = ([], [replace(site.layer, _awake(model, site, x))])
    wanted = [_logits(model, [*first, *interventions], x) for first in given]
    for changed in _candidates(model, site, gain, shift):
        twin = with_weights(model, changed)
        if all(_agrees(_logits(twin, first, x), own, model) for first, own in zip(given, wanted, strict=True)):
            return changed
    return None


def _probe(model: Model) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((PROOF_IMAGES, 3, model.preprocess.height, model.preprocess.width), generator=generator)


def _awake(model: Model, site: Site, x: Tensor) -> Tensor:
    """Noise of the size of the layer's output, of either sign only where that has both."""
    with trace(model, [site.layer], stop=True) as cache:
        acts = cache.run(x)[site.layer]
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(acts.shape, generator=generator).to(acts)
    size = float(acts.float().square().mean().sqrt()) or 1.0
    return size * (noise if bool((acts < 0).any()) else noise.abs())


def _logits(model: Model, interventions: Sequence[Intervention], x: Tensor) -> Tensor:
    with intervene(model, interventions):
        return model.logits(x)


def _candidates(model: Model, site: Site, gain: Tensor, shift: Tensor) -> Iterator[dict[str, Tensor]]:
    """New weights of each layer that could be the reader, in the order of the pass."""
    ran = list(dict.fromkeys(call.name for call in model.calls))
    name = split_layer(site.layer)[0]
    after = ran[ran.index(name) + 1 :] if name in ran else ran
    modules = dict(model.module.named_modules())
    for each in after:
        module = modules.get(each)
        if isinstance(module, nn.Linear) and module.in_features == site.units:
            weight = module.weight.detach().double()
            yield from _changed(each, module, weight @ gain.to(weight.device), weight @ shift.to(weight.device))
        elif isinstance(module, nn.Conv2d) and module.in_channels == site.units and module.groups == 1:
            weight = module.weight.detach().double()
            if module.padding not in (0, (0, 0)) and bool(shift.any()):
                continue
            turned = torch.einsum("oihw,ij->ojhw", weight, gain.to(weight.device))
            yield from _changed(each, module, turned, weight.sum(dim=(2, 3)) @ shift.to(weight.device))


def _changed(name: str, module: nn.Linear | nn.Conv2d, weight: Tensor, more: Tensor) -> Iterator[dict[str, Tensor]]:
    old = module.weight.detach()
    if module.bias is None:
        if not bool(more.any()):
            yield {f"{name}.weight": weight.to(old.dtype)}
        return
    bias = module.bias.detach()
    yield {f"{name}.weight": weight.to(old.dtype), f"{name}.bias": (bias.double() + more).to(bias.dtype)}


def _agrees(got: Float[Tensor, "batch klass"], wanted: Float[Tensor, "batch klass"], model: Model) -> bool:
    """Whether new weights did what the interventions did, within the rounding of the model's type."""
    bound = TOLERANCE.get(model.dtype, 2e-2) * max(1.0, float(wanted.abs().max()))
    return bool(torch.isfinite(got).all()) and float((got - wanted).abs().max()) <= bound


def with_weights(model: Model, changed: dict[str, Tensor]) -> Model:
    """A copy of the model with some of its parameters replaced."""
    from dataclasses import replace

    module = copy.deepcopy(model.module)
    state = module.state_dict()
    module.load_state_dict({**state, **{name: value.to(state[name].device) for name, value in changed.items()}})
    return replace(model, module=module)
