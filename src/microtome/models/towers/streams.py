"""What is seen inside a tower while it runs on one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import ModelError
from microtome.models.hooks import looking, watching
from microtome.models.outputs import first_tensor
from microtome.models.towers.base import Place, Tower


@dataclass(frozen=True, eq=False)
class Streams:
    """Tensors of one forward pass, by the place where they were seen.

    Attributes
    ----------
    seen:
        [batch, pos, d_model] of each place that was asked for (neurons: [batch, pos, neuron]).
    output:
        What the sum must equal, [batch, d_out].
    """

    seen: dict[Place, Float[Tensor, "batch pos width"]]
    output: Float[Tensor, "batch d_out"]

    def at(self, place: Place) -> Float[Tensor, "batch pos width"]:
        return self.seen[place]


def run_tower(tower: Tower, x: Float[Tensor, "batch 3 height width"], places: Sequence[Place]) -> Streams:
    """Run the model on preprocessed images and keep what passes the given places. No hook is left behind.

    Raises
    ------
    ModelError
        If a place was not passed, or its tensor is not [batch, pos, width].
    """
    wanted = list(dict.fromkeys(p for p in (*places, tower.output, tower.tail) if p is not None))
    seen: dict[Place, Tensor] = {}

    def keep(place: Place, value: Any) -> None:
        tensor = first_tensor(value)
        if place in wanted and tensor is not None:
            seen[place] = tensor

    inputs = [place.module for place in wanted if place.side == "input"]
    outputs = [place.module for place in wanted if place.side == "output"]
    with (
        looking(tower.module, inputs, lambda name, value: keep(Place(name, "input"), value)),
        watching(tower.module, outputs, lambda name, call, value: keep(Place(name, "output"), value)),
    ):
        answer = tower.module(x)
    for place in wanted:
        if place not in seen:
            raise ModelError(
                f"Nothing passed the {place.side} of '{place.module}' while {tower.family} ran.",
                expected="one float tensor a forward pass",
                next_step="the model runs this part in another way: say which model, with its version",
            )
    own = first_tensor(getattr(answer, "logits", answer)) if tower.output is None else seen[tower.output]
    if own is None or own.ndim != 2:
        raise ModelError(f"The output of {tower.family} is no [batch, d_out] tensor.")
    return Streams(seen, own)
