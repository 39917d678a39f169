"""Find the sites of a model: one forward pass of zeros, noting what every module returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.site import Site
from microtome.models.hooks import watching
from microtome.models.outputs import first_tensor

USER_CODE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What the user's own code may raise when it is imported or run; kept as the cause of the ModelError."""

_UNITS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)
_UNITS_SECOND = (
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.GroupNorm,
    nn.InstanceNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Upsample,
)


@dataclass(frozen=True)
class Call:
    """One call of one module in the probe pass, in the order in which the calls ended."""

    name: str
    index: int
    kind: str
    shape: tuple[int, ...]
    """Output shape of one example, without batch."""
    axis: int | None
    """Unit axis (batch included) where the module's type decides it."""


def probe(module: nn.Module, x: Float[Tensor, "batch *shape"]) -> tuple[Call, ...]:
    """Run `module` on `x` and return the calls whose output is a float tensor with the batch axis in front.

    Raises
    ------
    ModelError
        If the forward pass fails on an input of this shape.
    """
    modules = dict(module.named_modules())
    names = [name for name in modules if name]
    calls: list[Call] = []

    def note(name: str, call: int, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is None or tensor.ndim < 2 or tensor.shape[0] != x.shape[0] or 0 in tensor.shape:
            return
        shape = tuple(tensor.shape[1:])
        calls.append(Call(name, call, type(modules[name]).__name__, shape, _known_axis(modules[name], shape)))

    try:
        with torch.no_grad(), watching(module, names, note):
            module(x)
    except ModelError:
        raise
    except USER_CODE_ERRORS as error:
        raise ModelError(
            f"The model's forward pass fails on an input of shape {tuple(x.shape)}: {type(error).__name__}: {error}",
            expected="a model that takes a batch of RGB images, [batch 3 height width]",
            next_step="give the input size that the model was trained with (--size), or wrap it in a module that does",
        ) from error
    return tuple(calls)


def sites_of(calls: Sequence[Call], names: Sequence[str]) -> dict[str, Site]:
    """Sites by layer name, in the order of `names`; a module called k > 1 times adds `name#0` ... `name#k-1`.

    Where the units lie: `[batch token unit]` and `[batch unit]` have them last. A four-axis output has them
    at axis 1 (`[batch unit height width]`), unless the module is of a kind that works on the last axis
    (linear, layer norm); other modules (activations, blocks) follow the nearest earlier module, else later
    one, that returned the same shape.
    """
    sites: dict[str, Site] = {}
    by_name: dict[str, list[tuple[int, Call]]] = {}
    for position, call in enumerate(calls):
        by_name.setdefault(call.name, []).append((position, call))
    for name in names:
        own = by_name.get(name, [])
        if not own:
            continue
        keyed = [(name, own[-1])]
        if own[-1][1].index > 0:
            keyed += [(f"{name}#{entry[1].index}", entry) for entry in own]
        for key, (position, call) in keyed:
            axis, in_image = _axis(calls, position)
            sites[key] = Site(key, axis, call.shape, call.shape[axis - 1], in_image)
    return sites


def last_spatial(calls: Sequence[Call], sites: dict[str, Site]) -> Site | None:
    """The site with a spatial map whose module ended last in the pass, or None."""
    for call in reversed(calls):
        if call.name in sites and sites[call.name].spatial:
            return sites[call.name]
    return None


def axis_of_shape(ndim: int) -> int:
    """Unit axis of an output of `ndim` axes, batch included, if nothing else is known: 1 of 4, else the last."""
    return 1 if ndim == 4 else ndim - 1


def _known_axis(module: nn.Module, shape: tuple[int, ...]) -> int | None:
    if isinstance(module, nn.LayerNorm) and (
        # Channel-first layer norms (ConvNeXt) derive from nn.LayerNorm but keep [batch unit height width].
        shape[-1] != module.normalized_shape[-1] or type(module).__name__.endswith("2d")
    ):
        return 1
    if isinstance(module, _UNITS_LAST):
        return len(shape)
    return 1 if isinstance(module, _UNITS_SECOND) else None


def _axis(calls: Sequence[Call], position: int) -> tuple[int, bool]:
    """Unit axis of a call's output, and whether its two other axes can be the image's."""
    here = calls[position]
    if here.axis is not None:
        return here.axis, True
    for call in [*reversed(calls[:position]), *calls[position + 1 :]]:
        if call.axis is not None and call.shape == here.shape:
            return call.axis, True
    # [batch head token d_head] and [batch head query key]: their third axis counts tokens.
    tokens = {call.shape[0] for call in calls if len(call.shape) == 2 and call.axis == 2}
    in_image = not (len(here.shape) == 3 and here.shape[1] in tokens)
    return axis_of_shape(len(here.shape) + 1), in_image
