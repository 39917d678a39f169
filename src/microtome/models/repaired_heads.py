"""A transformer repaired by cutting heads: the heads and their mean terms beside the weights, cut in every pass.

    output' = output - (1 - keep) * sum over heads h of (term_h - mean_h)

No weight can say this: what a head writes is also read by the layers after it, and they are to read it as before. So
loading such a file puts hooks on the model for good, which compute the heads' terms in the same pass. A last layer
trained anew in place of the class texts is kept in the same way; the model then answers with its own classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, with_first
from microtome.models.repaired import PREFIX
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.find import REPAIRED, tower_of

_PLAN, _MEANS, _WEIGHT, _BIAS = (f"{PREFIX}heads.{name}" for name in ("plan", "means", "weight", "bias"))


@dataclass(frozen=True, eq=False)
class HeadRepair:
    """What is done to the output.

    Attributes
    ----------
    heads:
        (layer, head) of each head that is cut.
    keep:
        The share of its difference from the mean that each keeps; 0 = cut.
    means:
        What each is set to.
    cosine:
        Whether outputs are normalised before `weight`.
    classes:
        With a new last layer the names of its outputs; else empty.
    weight, bias:
        The new last layer; None: the output stays a vector of the space that it shares with texts.
    """

    heads: tuple[tuple[int, int], ...]
    keep: float
    means: Float[Tensor, "part d_out"]
    cosine: bool = True
    classes: tuple[str, ...] = ()
    weight: Float[Tensor, "klass d_out"] | None = None
    bias: Float[Tensor, " klass"] | None = None


def pack_heads(repair: HeadRepair) -> dict[str, Tensor]:
    """The repair as tensors that go into a weight file."""
    plan = {
        "heads": [list(head) for head in repair.heads], "keep": repair.keep, "cosine": repair.cosine,
        "classes": list(repair.classes),
    }  # fmt: skip
    text = torch.frombuffer(bytearray(json.dumps(plan).encode()), dtype=torch.uint8).clone()
    tensors = {_PLAN: text, _MEANS: repair.means, _WEIGHT: repair.weight, _BIAS: repair.bias}
    return {name: value.detach().contiguous() for name, value in tensors.items() if value is not None}


def unpack_heads(state: Mapping[str, Tensor]) -> HeadRepair | None:
    """The repair of heads that a weight file holds; None of an ordinary one.

    Raises
    ------
    ModelError
        If it is damaged.
    """
    if _PLAN not in state:
        return None
    try:
        plan = json.loads(bytes(state[_PLAN].cpu().numpy().tobytes()).decode())
        heads = tuple((int(layer), int(head)) for layer, head in plan["heads"])
        found = HeadRepair(
            heads, float(plan["keep"]), state[_MEANS], bool(plan["cosine"]), tuple(map(str, plan["classes"])),
            state.get(_WEIGHT), state.get(_BIAS),
        )  # fmt: skip
        if len(found.means) != len(heads) or (found.weight is None) != (found.bias is None):
            raise ValueError("its parts do not fit one another")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The repair in the weight file is damaged: {error!r}.", next_step="write it again with microtome audit"
        ) from error
    return found


def attach_heads(model: Model, repair: HeadRepair) -> Model:
    """The same model with heads cut for good; its module is changed, not copied.

    Raises
    ------
    ModelError
        If the model is no transformer that can be taken apart, or has other heads.
    """
    tower = tower_of(model)
    wrong = [head for head in repair.heads if not (head[0] < len(tower.layers) and head[1] < tower.heads)]
    if wrong or repair.means.shape[1:] != (tower.d_out,):
        raise ModelError(
            f"The repair in the weight file does not fit {model.spec}.",
            expected=f"heads up to {len(tower.layers) - 1}.{tower.heads - 1}, {tower.d_out} numbers each",
            next_step="load it with the model that it was written for",
        )
    _Cut(tower, repair).hook()
    # A buffer, so that the model's hash is another one than without the repair.
    packed = torch.cat([value.double().reshape(-1).cpu() for value in pack_heads(repair).values()])
    model.module.register_buffer(REPAIRED, packed, persistent=False)
    listed = ", ".join(f"{layer}.{head}" for layer, head in repair.heads)
    note = f"Repaired: the direct effect of heads {listed} is cut." if listed else "Repaired: its last layer is new."
    if repair.weight is None:
        return replace(model, notes=(*model.notes, note))
    return replace(model, notes=(*model.notes, note), classes=repair.classes, texts=None)


class _Cut:
    """Hooks that see what heads read and take what they wrote from the output."""

    def __init__(self, tower: Tower, repair: HeadRepair) -> None:
        self._tower, self._repair = tower, repair
        self._seen: dict[Place, Tensor] = {}
        self._heads: dict[int, list[int]] = {}
        for layer, head in repair.heads:
            self._heads.setdefault(layer, []).append(head)
        like = tower.pooling.matrices
        self._mean = repair.means.sum(dim=0).to(device=like.device, dtype=like.dtype)
        self._last = None
        if repair.weight is not None and repair.bias is not None:
            self._last = tuple(each.to(device=like.device, dtype=like.dtype) for each in (repair.weight, repair.bias))

    def hook(self) -> None:
        tower = self._tower
        places = [tower.end, *(tower.layers[layer].attention.at for layer in self._heads)] if self._heads else []
        for place in places:
            module = tower.module.get_submodule(place.module)
            if place.side == "input":
                module.register_forward_pre_hook(self._before(place), with_kwargs=True)
            else:
                module.register_forward_hook(self._after(place))
        if tower.output is None or tower.output.side == "output":
            ends = tower.module if tower.output is None else tower.module.get_submodule(tower.output.module)
            ends.register_forward_hook(self._ended, prepend=True)
        else:
            raise ModelError(
                f"A repair of heads cannot be kept with {tower.family}: nothing returns its output.",
                next_step="cut the heads with microtome.recipes.audit instead",
            )

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

    def split(x: Tensor, weight: Tensor, bias: Tensor) -> Float[Tensor, "batch head pos d_head"]:
        return torch.einsum("bpd,hed->bhpe", x, weight[heads]) + bias[heads][:, None]

    query = split(y[:, : rho.shape[2]], part.wq, part.bq) * part.temperature
    attention = (query @ split(y, part.wk, part.bk).transpose(-1, -2)).softmax(dim=-1)
    mixed = torch.einsum("rbi,bhie->brhe", rho, attention @ split(y, part.wv, part.bv))
    written = torch.einsum("brhe,hme->brm", mixed, part.wo[heads])
    return torch.einsum("brm,rom->bo", written, tower.pooling.matrices)
