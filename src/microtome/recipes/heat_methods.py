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
from microtome.methods.decompose.token_heat import token_heat
from microtome.models.towers.base import Tower

DECOMPOSITION = "decomposition"
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
    """

    tower: Tower
    layers: tuple[int, ...] | None = None
    cosine: bool = True


HeatMaker = Callable[
    [Float[Tensor, "batch 3 height width"], Float[Tensor, "batch d_out"]], Float[Tensor, "batch grid_h grid_w"]
]
"""Preprocessed images and a direction for each -> a map for each."""
HEAT_METHODS: Registry[Callable[[HeatSetup], HeatMaker]] = Registry("heatmap method")


def heat_names(wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of methods as registered, each once; `all` stands for every one, and `_` for `-`.

    Raises
    ------
    OptionError
        For a method that is not there.
    """
    found: dict[str, None] = {}
    for name in wanted:
        plain = name.strip().replace("_", "-")
        found |= dict.fromkeys(HEAT_METHODS if plain == "all" else [plain])
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


def _attribute(name: str) -> Callable[[HeatSetup], HeatMaker]:
    return lambda setup: partial(make_method(name, HeatmapSettings(cosine=setup.cosine)).run, setup.tower)


HEAT_METHODS.add(DECOMPOSITION, _decomposition)
for _name in METHODS:
    HEAT_METHODS.add(_name, _attribute(_name))
