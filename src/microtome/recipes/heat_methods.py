"""Every way to a heatmap under one roof: the decomposition, and the methods of `methods/attribute`.

A further way is one row of `HEAT_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import OptionError
from microtome.core.registry import Registry
from microtome.methods.attribute.registry import METHODS, HeatmapSettings, make_method
from microtome.methods.decompose.heatmap import on_grid
from microtome.methods.decompose.neuron_heat import text_heat
from microtome.methods.decompose.token_heat import token_heat
from microtome.models.towers.base import Tower
from microtome.recipes.neuron_directions import NeuronDirections

DECOMPOSITION = "decomposition"
NEURONS = "neurons"
MOST_NEURONS = 200
UNDIRECTED = ("raw-attention", "rollout")
"""Methods that look at attention alone: their map is the same for every direction."""


@dataclass(frozen=True, eq=False)
class HeatSetup:
    """What a method is made from.

    Attributes
    ----------
    tower:
        The model laid open.
    layers:
        Count the heads of these layers alone, where a method can; None: all.
    cosine:
        Whether the score is a cosine (texts) or the output itself (classes).
    neurons:
        Directions of a layer's neurons, for the method `neurons`.
    """

    tower: Tower
    layers: tuple[int, ...] | None = None
    cosine: bool = True
    neurons: NeuronDirections | None = None


HeatMaker = Callable[
    [Float[Tensor, "batch 3 height width"], Float[Tensor, "batch d_out"]], Float[Tensor, "batch grid_h grid_w"]
]
"""Preprocessed images and a direction for each -> a map for each."""
HEAT_METHODS: Registry[Callable[[HeatSetup], HeatMaker]] = Registry("heatmap method")


def heat_names(wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of methods as registered, each once; `all` stands for every one but `neurons`, and `_` for `-`.

    Raises
    ------
    OptionError
        For a method that is not there.
    """
    found: dict[str, None] = {}
    for name in wanted:
        plain = name.strip().replace("_", "-")
        every = [name for name in HEAT_METHODS if name != NEURONS]
        found |= dict.fromkeys(every if plain == "all" else [plain])
    for name in found:
        HEAT_METHODS[name]
    return tuple(found)


def heat_maker(name: str, setup: HeatSetup) -> HeatMaker:
    """A method, ready for batches. Raises OptionError for one that is not there, or cannot count some layers alone."""
    if setup.layers is not None and name != DECOMPOSITION:
        raise OptionError(
            f"The heatmap method '{name}' cannot be held to some layers.",
            expected=f"--layers with the method {DECOMPOSITION}",
            next_step="leave --layers out",
        )
    return HEAT_METHODS[name](setup)


def _decomposition(setup: HeatSetup) -> HeatMaker:
    def run(
        x: Float[Tensor, "batch 3 height width"], directions: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        each, which = directions.unique(dim=0, return_inverse=True)
        tokens = token_heat(setup.tower, x, each, layers=setup.layers).tokens
        return on_grid(setup.tower, tokens[torch.arange(len(x), device=x.device), which])

    return run


def _neurons(setup: HeatSetup) -> HeatMaker:
    """By the neurons that point most along the direction, either way, through the heads after them."""
    known = setup.neurons
    if known is None:
        raise OptionError(
            f"The heatmap method '{NEURONS}' needs directions of neurons.",
            expected="--neurons RUN, a run of `microtome decompose neurons` with the same model",
        )

    def run(
        x: Float[Tensor, "batch 3 height width"], directions: Float[Tensor, "batch d_out"]
    ) -> Float[Tensor, "batch grid_h grid_w"]:
        own, readers = torch.from_numpy(known.directions).to(x), torch.from_numpy(known.readers).to(x)
        heats = [
            text_heat(setup.tower, x[n : n + 1], known.layer, own, readers, direction, most=MOST_NEURONS)
            for n, direction in enumerate(directions)
        ]
        return on_grid(setup.tower, torch.cat(heats))

    return run


def _attribute(name: str) -> Callable[[HeatSetup], HeatMaker]:
    return lambda setup: partial(make_method(name, HeatmapSettings(cosine=setup.cosine)).run, setup.tower)


HEAT_METHODS.add(DECOMPOSITION, _decomposition)
HEAT_METHODS.add(NEURONS, _neurons)
for _name in METHODS:
    HEAT_METHODS.add(_name, _attribute(_name))
