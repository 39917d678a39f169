"""A transformer repaired at its output: what heads or neurons add to it is held at its mean, in every pass.

No weight can say this: what a part writes is also read by the layers after it, and they are to read it as before. So
loading such a file (`output_repair`) puts hooks on the model for good, which compute the terms in the same pass. A last
layer trained anew in place of the class texts is kept in the same way; the model then answers with its own classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.output_repair import NEURONS, NeuronCut, OutputRepair, pack_output
from microtome.models.outputs import first_tensor, with_first
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.find import REPAIRED, tower_of
from microtome.models.towers.mixing import weighted_attention
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import Streams


def attach_output(model: Model, repair: OutputRepair) -> Model:
    """The same model with heads or neurons cut for good; its module is changed, not copied.

    Raises
    ------
    ModelError
        If the model is no transformer that can be taken apart, or has other heads or neurons.
    """
    tower = tower_of(model)
    wrong = [head for head in repair.heads if not (head[0] < len(tower.layers) and head[1] < tower.heads)]
    if wrong or repair.means.shape[1:] != (tower.d_out,) or not _fits(tower, repair.neurons):
        raise ModelError(
            f"The repair in the weight file does not fit {model.spec}.",
            expected=f"heads up to {len(tower.layers) - 1}.{tower.heads - 1} or neurons of a layer before the last, "
            f"and outputs of {tower.d_out} numbers",
            next_step="load it with the model that it was written for",
        )
    _Cut(tower, repair).hook()
    # A buffer, so that the model's hash is another one than without the repair.
    packed = torch.cat([value.double().reshape(-1).cpu() for value in pack_output(repair).values()])
    model.module.register_buffer(REPAIRED, packed, persistent=False)
    said = repair.words
    note = (
        f"Repaired: the effect of {said} on the output is {repair.done}."
        if said
        else "Repaired: its last layer is new."
    )
    if repair.weight is None:
        return replace(model, notes=(*model.notes, note))
    return replace(model, notes=(*model.notes, note), classes=repair.classes, texts=None)


def _fits(tower: Tower, cut: NeuronCut | None) -> bool:
    if cut is None:
        return True
    if not 0 <= cut.layer < len(tower.layers) - 1:
        return False
    wide = tower.readouts * (len(tower.layers) - 1 - cut.layer) * tower.heads
    highest = tower.layers[cut.layer].mlp.w_out.shape[1]
    shapes = cut.readers.shape[1:] == (wide,) and cut.directions.shape[1:] == (tower.d_out,)
    return shapes and all(0 <= neuron < highest for neuron in cut.neurons)


class _Cut:
    """Hooks that see what heads read, and neurons, and take what they wrote from the output."""

    def __init__(self, tower: Tower, repair: OutputRepair) -> None:
        self._tower, self._repair = tower, repair
        self._seen: dict[Place, Tensor] = {}
        self._heads: dict[int, list[int]] = {}
        for layer, head in repair.heads:
            self._heads.setdefault(layer, []).append(head)
        like = tower.pooling.matrices
        self._mean = repair.means.sum(dim=0).to(device=like.device, dtype=like.dtype)
        cut = repair.neurons
        self._neurons = None if cut is None else {
            name.removeprefix(NEURONS): value.to(device=like.device, dtype=like.dtype)
            for name, value in cut.tensors().items()
        }  # fmt: skip
        self._last = None
        if repair.weight is not None and repair.bias is not None:
            self._last = tuple(each.to(device=like.device, dtype=like.dtype) for each in (repair.weight, repair.bias))

    def hook(self) -> None:
        """Put the hooks on. Raises ModelError, before the first, where nothing returns the output."""
        tower = self._tower
        if tower.output is not None and tower.output.side != "output":
            raise ModelError(
                f"A repair of the output cannot be kept with {tower.family}: nothing returns it.",
                next_step="cut the parts with microtome.recipes.audit instead",
            )
        places = [tower.end, *(tower.layers[layer].attention.at for layer in self._heads)] if self._heads else []
        if self._repair.neurons is not None:
            places += places_after(tower, self._repair.neurons.layer)
        for place in dict.fromkeys(places):
            module = tower.module.get_submodule(place.module)
            if place.side == "input":
                module.register_forward_pre_hook(self._before(place), with_kwargs=True)
            else:
                module.register_forward_hook(self._after(place))
        ends = tower.module if tower.output is None else tower.module.get_submodule(tower.output.module)
        ends.register_forward_hook(self._ended, prepend=True)

    def _before(self, place: Place) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def look(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._keep(place, inputs[0] if inputs else named.get("hidden_states", next(iter(named.values()), None)))

        return look

    def _after(self, place: Place) -> Callable[[nn.Module, Any, Any], None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            self._keep(place, output)

        return look

    def _keep(self, place: Place, value: Any) -> None:
        tensor = first_tensor(value)
        if tensor is not None:
            self._seen[place] = tensor

    def _ended(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        tensor = first_tensor(getattr(output, "logits", output))
        if tensor is None:
            raise ModelError(f"{self._tower.family} returned no float tensor to be repaired.")
        if self._heads:
            tensor = tensor - (1.0 - self._repair.keep) * (self._written() - self._mean)
        if self._neurons is not None:
            tensor = tensor - (1.0 - self._repair.keep) * self._added(self._neurons, tensor)
        self._seen.clear()
        if self._last is not None:
            tensor = nn.functional.normalize(tensor, dim=-1) if self._repair.cosine else tensor
            tensor = tensor @ self._last[0].T + self._last[1]
        return tensor if self._last is not None else with_first(output, tensor)

    def _written(self) -> Float[Tensor, "batch d_out"]:
        """The sum of the heads' terms."""
        end = self._seen[self._tower.end]
        rho = self._tower.pooling.rows(end)
        terms = [
            term_sum(self._tower, layer, heads, self._seen[self._tower.layers[layer].attention.at], rho)
            for layer, heads in self._heads.items()
        ]
        return torch.stack(terms).sum(dim=0)

    def _added(self, held: Mapping[str, Tensor], output: Float[Tensor, "batch d_out"]) -> Float[Tensor, "batch d_out"]:
        """What the neurons add to the output by way of later heads, beyond their means."""
        cut = self._repair.neurons
        assert cut is not None
        s = coefficients(self._tower, Streams(self._seen, output), cut.layer, cut.neurons)
        return output_change(torch.einsum("bkn,nk->bn", s, held["readers"]) - held["means"], held)


def output_change(beyond: Float[Tensor, "batch neuron"], held: Mapping[str, Tensor]) -> Float[Tensor, "batch d_out"]:
    """Effects of neurons in the output's space; where `held` has a vector `along`, what of them lies along it."""
    along = held.get("along")
    if along is not None:
        beyond = (beyond @ along)[:, None] * along
    return beyond @ held["directions"]


def term_sum(
    tower: Tower, layer: int, heads: list[int], y: Float[Tensor, "batch pos d_model"],
    rho: Float[Tensor, "readout batch row"],
) -> Float[Tensor, "batch d_out"]:  # fmt: skip
    """What some heads of a layer add to the output.

    Parameters
    ----------
    y:
        The attention's input.
    rho:
        Row weights of the pooling.
    """
    part = tower.layers[layer].attention
    mixed = weighted_attention(part, y, rho)[:, :, heads]
    values = torch.einsum("bpd,hed->bhpe", y, part.wv[heads]) + part.bv[heads][:, None]
    written = torch.einsum("brhe,hme->brm", torch.einsum("rbhp,bhpe->brhe", mixed, values), part.wo[heads])
    return torch.einsum("brm,rom->bo", written, tower.pooling.matrices)
