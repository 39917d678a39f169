"""A repaired model on disk: its weights, and where a repair could not be put into them, the interventions beside them.

A file of weights may hold tensors named `microtome_repair.*`. Loading it attaches what they say to the model for good:
the layer's output is changed in every pass, as `intervene` would. Names of layers and weights stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from microtome.core.errors import ModelError, OptionError
from microtome.core.intervention import Intervention
from microtome.core.site import Site
from microtome.models.hooks import split_layer
from microtome.models.intervene import apply
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, with_first
from microtome.models.text import TextModel

PREFIX = "microtome_repair."
_PLAN = f"{PREFIX}plan"
_BUFFER = "microtome_repair"


class Attached:
    """The forward hook that carries out interventions on one layer, in every pass."""

    def __init__(self, steps: Sequence[Intervention], site: Site) -> None:
        self.steps, self.site = tuple(steps), site

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        tensor = first_tensor(output)
        if tensor is None:
            raise ModelError(f"Layer '{self.site.layer}' returned no float tensor to be repaired.")
        site = self.site
        if tuple(tensor.shape[1:]) != site.shape:
            site = Site(site.layer, site.unit_axis, tuple(tensor.shape[1:]), tensor.shape[site.unit_axis])
        for step in self.steps:
            tensor = apply(step, tensor, site)
        return with_first(output, tensor)


def pack(interventions: Sequence[Intervention]) -> dict[str, Tensor]:
    """Interventions as tensors that go into a weight file.

    Raises
    ------
    ModelError
        If one acts on one call of several, at some positions alone, or draws at random: those cannot be kept.
    """
    plan, tensors = [], {}
    for number, it in enumerate(interventions):
        if "#" in it.layer or it.positions is not None or it.seed is not None or it.side != "output":
            raise ModelError(
                f"The intervention '{it.kind}' on '{it.layer}' cannot be kept with the weights.",
                expected="one that changes the whole output of a layer that runs once, without chance",
            )
        plan.append({"layer": it.layer, "kind": it.kind, "units": None if it.units is None else list(it.units)})
        for name in ("value", "low", "high"):
            held = getattr(it, name)
            if held is not None:
                tensors[f"{PREFIX}{number}.{name}"] = torch.as_tensor(held).detach().clone().contiguous()
    text = json.dumps(plan).encode()
    return {_PLAN: torch.frombuffer(bytearray(text), dtype=torch.uint8).clone(), **tensors}


def unpack(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[Intervention, ...]]:
    """Weights without what `pack` made, and the interventions; none of an ordinary weight file.

    Raises
    ------
    ModelError
        If they are damaged.
    """
    own = {name: value for name, value in state.items() if not name.startswith(PREFIX)}
    if _PLAN not in state:
        return own, ()
    try:
        plan = json.loads(bytes(state[_PLAN].cpu().numpy().tobytes()).decode())
        found = []
        for number, entry in enumerate(plan):
            value, low, high = (state.get(f"{PREFIX}{number}.{name}") for name in ("value", "low", "high"))
            units = None if entry["units"] is None else tuple(entry["units"])
            found.append(Intervention(entry["layer"], entry["kind"], units, value=value, low=low, high=high))
    except (ValueError, KeyError, TypeError, OptionError) as error:
        raise ModelError(
            f"The repair in the weight file is damaged: {error!r}.", next_step="write it again with microtome audit"
        ) from error
    return own, tuple(found)


def attach(model: Model, interventions: Sequence[Intervention]) -> Model:
    """The same model with interventions on its layers for good; its module is changed, not copied.

    Raises
    ------
    ModelError
        If a layer or a unit does not exist, or a layer runs several times in a pass.
    """
    _check_calls(model, interventions)
    for layer in dict.fromkeys(it.layer for it in interventions):
        site = model.site(layer)
        steps = [it for it in interventions if it.layer == layer]
        probe = torch.zeros((1, *site.shape), dtype=model.dtype, device=model.device)
        for step in steps:
            probe = apply(step, probe, site)
        module = model.module.get_submodule(split_layer(layer)[0])
        module.register_forward_hook(Attached(steps, site), prepend=True)
    # A buffer, so that the model's hash is another one than without the repair.
    packed = torch.cat([value.double().reshape(-1).cpu() for value in pack(interventions).values()])
    model.module.register_buffer(_BUFFER, packed, persistent=False)
    note = (
        f"Repaired: {len(interventions)} interventions act on {', '.join(sorted({it.layer for it in interventions}))}."
    )
    return replace(model, notes=(*model.notes, note))


def _check_calls(model: Model, interventions: Sequence[Intervention]) -> None:
    """Raise ModelError for a layer that runs several times in a pass: attached, a change would act on each of them."""
    names = {split_layer(it.layer)[0] for it in interventions}
    often = sorted({call.name for call in model.calls if call.index > 0} & names)
    if often:
        raise ModelError(
            f"Layer '{often[0]}' runs more than once in a forward pass, so a repair of it cannot be kept with the "
            "weights.",
            expected="a layer that runs once",
            next_step="repair the block that it ends, or a convolution or norm before it",
        )


def write_repaired(
    path: Path, model: Model | TextModel, *, changed: Mapping[str, Tensor], interventions: Sequence[Intervention] = ()
) -> None:
    """Write a model's weights with a repair in them (`changed`), or beside them (`interventions`).

    Raises
    ------
    ModelError
        If an intervention cannot be kept.
    RunError
        If the file cannot be written.
    """
    from microtome.store.atomic import write_atomically

    if hasattr(model.module, _BUFFER):
        raise ModelError(
            f"{model.spec} carries a repair beside its weights already; a second one would lose it.",
            next_step="repair the model as it was before",
        )
    state = {name: value.detach().cpu().contiguous().clone() for name, value in model.module.state_dict().items()}
    state |= {name: value.detach().cpu().contiguous().clone() for name, value in changed.items()}
    if interventions:
        if isinstance(model, Model):
            _check_calls(model, interventions)
        state |= pack(interventions)
    content = save(state, metadata={"made by": "microtome audit"})
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
