"""What is to be done to a transformer's output in every pass, and how that is kept in a file of weights.

    output' = output - (1 - keep) * sum over heads h of (term_h - mean_h)
    output' = output - sum over neurons n of c_n d_n,      c = (1 - keep) * (e - mean),  e_n = reader_n . s_n

s_n are the coefficients with which later heads read neuron n, d_n its direction in the output. Of a direction u over
neurons c is what of e - mean lies along u. `repaired_output` carries it out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.models.repaired import PREFIX

_PLAN, _MEANS, _WEIGHT, _BIAS = (f"{PREFIX}heads.{name}" for name in ("plan", "means", "weight", "bias"))
NEURONS = f"{PREFIX}neurons."
"""Before the names of tensors that say which neurons are cut."""


@dataclass(frozen=True, eq=False)
class NeuronCut:
    """Neurons of a layer whose effect through later heads is cut.

    Attributes
    ----------
    layer, neurons:
        Which.
    readers:
        [neuron, k]: a neuron's effect is its reader times its coefficients.
    directions:
        [neuron, d_out]: along which the effect goes.
    means:
        [neuron]: what each effect is set to.
    along:
        A unit vector over the neurons: only this combination of their effects is cut; None: every one.
    """

    layer: int
    neurons: tuple[int, ...]
    readers: Float[Tensor, "neuron k"]
    directions: Float[Tensor, "neuron d_out"]
    means: Float[Tensor, " neuron"]
    along: Float[Tensor, " neuron"] | None = None

    def tensors(self) -> dict[str, Tensor]:
        """As they go into a file."""
        held = {name: getattr(self, name) for name in ("readers", "directions", "means", "along")}
        return {f"{NEURONS}{name}": value for name, value in held.items() if value is not None}


@dataclass(frozen=True, eq=False)
class OutputRepair:
    """What is done to the output.

    Attributes
    ----------
    heads:
        (layer, head) of each head that is cut.
    keep:
        The share of its difference from the mean that each keeps; 0 = cut.
    means:
        What each is set to.
    neurons:
        Neurons that are cut; None without any.
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
    neurons: NeuronCut | None = None

    @property
    def words(self) -> str:
        """What is cut: `heads 4.1, 5.0`, `neurons 3.17, 3.40 and 6 more`, `a direction over the neurons of layer 3`;
        empty where nothing is."""
        said = [f"heads {', '.join(f'{layer}.{head}' for layer, head in self.heads)}"] if self.heads else []
        if self.neurons is not None and self.neurons.along is not None:
            said.append(f"a direction over the neurons of layer {self.neurons.layer}")
        elif self.neurons is not None:
            own, more = self.neurons.neurons, len(self.neurons.neurons) - 8
            listed = ", ".join(f"{self.neurons.layer}.{neuron}" for neuron in own[:8])
            said.append(f"neurons {listed}" + (f" and {more} more" if more > 0 else ""))
        return " and ".join(said)

    @property
    def done(self) -> str:
        """What is done to it: `cut`, or `cut by 50 %`."""
        return "cut" if self.keep == 0 else f"cut by {100 * (1 - self.keep):.0f} %"


def pack_output(repair: OutputRepair) -> dict[str, Tensor]:
    """The repair as tensors that go into a weight file."""
    plan = {
        "heads": [list(head) for head in repair.heads], "keep": repair.keep, "cosine": repair.cosine,
        "classes": list(repair.classes),
    }  # fmt: skip
    if repair.neurons is not None:
        plan["neurons"] = [repair.neurons.layer, list(repair.neurons.neurons)]
    text = torch.frombuffer(bytearray(json.dumps(plan).encode()), dtype=torch.uint8).clone()
    tensors = {_PLAN: text, _MEANS: repair.means, _WEIGHT: repair.weight, _BIAS: repair.bias}
    tensors |= {} if repair.neurons is None else repair.neurons.tensors()
    return {name: value.detach().contiguous() for name, value in tensors.items() if value is not None}


def unpack_output(state: Mapping[str, Tensor]) -> OutputRepair | None:
    """The repair of the output that a weight file holds; None of an ordinary one.

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
        found = OutputRepair(
            heads, float(plan["keep"]), state[_MEANS], bool(plan["cosine"]), tuple(map(str, plan["classes"])),
            state.get(_WEIGHT), state.get(_BIAS), _unpack_neurons(plan, state),
        )  # fmt: skip
        if len(found.means) != len(heads) or (found.weight is None) != (found.bias is None):
            raise ValueError("its parts do not fit one another")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"The repair in the weight file is damaged: {error!r}.", next_step="write it again with microtome audit"
        ) from error
    return found


def _unpack_neurons(plan: Mapping[str, Any], state: Mapping[str, Tensor]) -> NeuronCut | None:
    if "neurons" not in plan:
        return None
    layer, neurons = plan["neurons"]
    readers, directions, means = (state[f"{NEURONS}{name}"] for name in ("readers", "directions", "means"))
    along = state.get(f"{NEURONS}along")
    if any(len(each) != len(neurons) for each in (readers, directions, means, *([] if along is None else [along]))):
        raise ValueError("its parts do not fit one another")
    return NeuronCut(int(layer), tuple(map(int, neurons)), readers, directions, means, along)
