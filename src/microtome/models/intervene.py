"""Carry out interventions while a model runs: the one place where activations are changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention
from microtome.core.site import Site
from microtome.models.hooks import looking, split_layer, watching
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, with_first
from microtome.models.probe import axis_of_shape
from microtome.models.trace import checked_names


@dataclass(frozen=True, eq=False)
class _Step:
    """An intervention with the place where it acts."""

    intervention: Intervention
    name: str
    call: int
    site: Site | None
    """None for a bare module and for an input: the site is then known only when the layer runs."""
    explicit: bool
    """The call was named (`relu#0`), or is known to be the only one."""


@contextmanager
def intervene(model: Model | nn.Module, interventions: Sequence[Intervention] | Intervention) -> Iterator[None]:
    """Change layer outputs and inputs in every forward pass inside the context. No hook is left behind,
    whatever happens.

    Interventions on one layer act in the order given; contexts nest, and of two that change the same layer
    the inner one acts first. `trace` sees the changed activations, whichever of the two contexts is the outer
    one. Gradients flow through what was not replaced. Of an input (`side="input"`) every call is changed.

    Parameters
    ----------
    model:
        A Model, or any `nn.Module`. Of a bare module that runs several times in a pass the call must be named
        (`relu#1`); of a Model the plain name means the last call.
    interventions:
        One or many; see `microtome.core.intervention`.

    Raises
    ------
    ModelError
        If a layer or unit does not exist, or a value or mask has a shape that does not fit the layer's
        output.

    Examples
    --------
    >>> with intervene(model, ablate("layer4", units=[3, 17])):
    ...     without = model.logits(x)
    >>> with trace(model, ["layer4"], stop=True) as cache:
    ...     donor = cache.run(other)["layer4"]
    >>> with intervene(model, replace("layer4", donor, units=[3])):
    ...     swapped = model.logits(x)
    """
    wanted = [interventions] if isinstance(interventions, Intervention) else list(interventions)
    names = checked_names(model, [it.layer for it in wanted])
    steps = [_step(model, it, name) for it, name in zip(wanted, names, strict=True)]
    for step in steps:
        if step.site is not None:
            _check_units(step.intervention, step.site)

    def change(name: str, call: int, output: Any) -> Any:
        for step in steps:
            if step.name != name or step.intervention.side != "output":
                continue
            if not step.explicit and call > 0:
                raise ModelError(
                    f"Layer '{name}' runs more than once in a forward pass.",
                    expected=f"the call to change: '{name}#0', '{name}#1' ...",
                )
            if step.call == call:
                output = _changed(step, output)
        return output

    def enter(name: str, value: Any) -> Any:
        for step in steps:
            if step.name == name and step.intervention.side == "input":
                value = _changed(step, value)
        return value

    root = model.module if isinstance(model, Model) else model
    inputs = [step.name for step in steps if step.intervention.side == "input"]
    outputs = [step.name for step in steps if step.intervention.side == "output"]
    with looking(root, inputs, enter, first=True), watching(root, outputs, change, first=True):
        yield


def apply(intervention: Intervention, activations: Tensor, site: Site) -> Tensor:
    """The activations `[batch ...]` of `site` after one intervention: a new tensor of the same shape and
    type.

    Raises
    ------
    ModelError
        If units, values or positions do not fit the activations.
    """
    _check_units(intervention, site)
    if activations.ndim != len(site.shape) + 1:
        raise _misfit(intervention, "the layer's output", tuple(activations.shape), "an output with as many axes")
    acts = activations.movedim(site.unit_axis, 1)
    chosen = _chosen(intervention, acts)
    new = _new_values(intervention, acts, site)
    return torch.where(chosen, new.to(acts.dtype), acts).movedim(1, site.unit_axis)


def donors(batch: int, seed: int) -> np.ndarray:
    """Which example of a batch lends its activations to which: a permutation [batch] without fixed points.

    Raises
    ------
    ModelError
        If the batch holds one example.
    """
    if batch < 2:
        raise ModelError(
            "Resampling within a batch needs two examples; this batch holds one.",
            next_step="use a larger batch, or give the other example's activations as `value`",
        )
    order = np.random.default_rng(seed).permutation(batch)
    permutation = np.empty(batch, dtype=np.int64)
    permutation[order] = np.roll(order, -1)
    return permutation


def _step(model: Model | nn.Module, it: Intervention, name: str) -> _Step:
    _, call = split_layer(it.layer)
    if not isinstance(model, Model) or it.side == "input":
        return _Step(it, name, call or 0, None, explicit=call is not None)
    calls = Counter(entry.name for entry in model.calls)
    site = model.site(it.layer if it.layer in model.sites() else name)
    return _Step(it, name, calls[name] - 1 if call is None else call, site, explicit=True)


def _changed(step: _Step, output: Any) -> Any:
    tensor = first_tensor(output)
    if tensor is None:
        raise ModelError(
            f"Layer '{step.name}' {'takes' if step.intervention.side == 'input' else 'returns'} "
            f"{type(output).__name__}, which holds no float tensor in first place.",
            next_step="choose a layer that `microtome layers MODEL` lists",
        )
    site = step.site
    if site is None:
        axis = axis_of_shape(tensor.ndim)
        site = Site(step.intervention.layer, axis, tuple(tensor.shape[1:]), tensor.shape[axis])
    return with_first(output, apply(step.intervention, tensor, site))


def _check_units(it: Intervention, site: Site) -> None:
    bad = [unit for unit in it.units or () if unit >= site.units]
    if bad:
        raise ModelError(
            f"Layer '{it.layer}' has no unit {', '.join(map(str, bad))}.",
            expected=f"units from 0 to {site.units - 1}",
        )


def _chosen(it: Intervention, acts: Tensor) -> Tensor:
    """True where something changes; broadcasts against `acts`, [batch unit position...]."""
    units = torch.ones(acts.shape[1], dtype=torch.bool, device=acts.device)
    if it.units is not None:
        units = torch.zeros_like(units)
        units[list(it.units)] = True
    mask = units.view(1, -1, *[1] * (acts.ndim - 2))
    if it.positions is None:
        return mask
    positions = _tensor(it.positions, acts).bool()
    places = tuple(acts.shape[2:])
    if tuple(positions.shape) == places:
        return mask & positions[None, None]
    if tuple(positions.shape) in ((acts.shape[0], *places), (1, *places)):
        return mask & positions[:, None]
    raise _misfit(it, "`positions`", tuple(positions.shape), f"{places}, or that with the batch in front")


def _new_values(it: Intervention, acts: Tensor, site: Site) -> Tensor:
    """What the chosen activations become; broadcasts against `acts`."""
    if it.kind == "ablate-zero":
        return torch.zeros((), dtype=acts.dtype, device=acts.device)
    if it.kind == "ablate-resample" and it.seed is not None:
        return acts[torch.from_numpy(donors(acts.shape[0], it.seed)).to(acts.device)]
    if it.kind == "clamp":
        low = None if it.low is None else _laid_out(it, "`low`", it.low, acts, site)
        high = None if it.high is None else _laid_out(it, "`high`", it.high, acts, site)
        return torch.clamp(acts, min=low, max=high)
    if it.kind == "project":
        return acts - _along(it, acts, site)
    value = _laid_out(it, "`value`", it.value, acts, site)
    if it.kind == "scale":
        return acts * value
    return acts + value if it.kind == "add" else value


def _along(it: Intervention, acts: Tensor, site: Site) -> Tensor:
    """The component of the chosen units' vector along the intervention's direction, at every position."""
    units = list(range(site.units)) if it.units is None else list(it.units)
    given = _tensor(it.value, acts)
    if tuple(given.shape) != (len(units),):
        raise _misfit(it, "`value`", tuple(given.shape), f"[{len(units)}], one number for each unit")
    direction = given.double()
    square = float(direction @ direction)
    if not (square > 0 and square < float("inf")):
        raise ModelError(
            f"Intervention 'project' on layer '{it.layer}': the direction is zero, or holds NaN or infinity.",
            expected="a finite direction that is not zero",
        )
    spread = torch.zeros(site.units, dtype=torch.float64, device=acts.device)
    spread[units] = direction / square**0.5
    unit = spread.to(acts.dtype)
    dots = torch.einsum("bu...,u->b...", acts, unit)
    return torch.einsum("b...,u->bu...", dots, unit)


def _laid_out(it: Intervention, what: str, value: Any, acts: Tensor, site: Site) -> Tensor:
    """A value in a shape that Intervention allows, made to broadcast against [batch unit position...]."""
    tensor = _tensor(value, acts).to(acts.dtype)
    shape = tuple(tensor.shape)
    if tensor.ndim == 0:
        return tensor
    units = range(site.units) if it.units is None else it.units
    if shape == (len(units),):
        spread = torch.zeros(site.units, dtype=acts.dtype, device=acts.device)
        spread = spread.index_put((torch.tensor(list(units), device=acts.device),), tensor)
        return spread.view(1, -1, *[1] * (acts.ndim - 2))
    own = acts.movedim(1, site.unit_axis).shape
    if shape == tuple(own[1:]):
        return tensor[None].movedim(site.unit_axis, 1)
    if shape in (tuple(own), (1, *own[1:])):
        return tensor.movedim(site.unit_axis, 1)
    expected = f"one number, [{len(units)}], {tuple(own[1:])} or {tuple(own)}"
    raise _misfit(it, what, shape, expected)


def _tensor(value: Any, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value.to(like.device)
    return torch.from_numpy(np.array(value)).to(like.device)


def _misfit(it: Intervention, what: str, got: tuple[int, ...], expected: str) -> ModelError:
    return ModelError(
        f"Intervention '{it.kind}' on layer '{it.layer}': {what} has shape {got}.",
        expected=expected,
        next_step="the layer's shape is what `microtome layers MODEL` prints",
    )
