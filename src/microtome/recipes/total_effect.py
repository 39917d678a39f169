"""The total effect of parts: they are held at their means while the model runs, so the layers after them see it.

The means are by token position, of another sample of images. Of an MLP and of an attention layer it is their output, of
single heads their part of the output projection's input, of the embedding what enters the first block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from microtome.core.intervention import Intervention, ablate
from microtome.methods.decompose.ablation import Parts
from microtome.models.intervene import intervene
from microtome.models.towers.base import Place, Tower
from microtome.models.towers.streams import run_tower
from microtome.recipes.direct_pass import Opened

Means = dict[Place, Float[Tensor, "_ _"]]


def can_hold_heads(tower: Tower) -> bool:
    """Whether single heads can be changed while the model runs: the projection behind them is a module of its own."""
    return all(layer.attention.mixed is not None for layer in tower.layers)


@dataclass(frozen=True, eq=False)
class Sample:
    """Some images as the model takes them, kept in memory."""

    batches: tuple[Float[Tensor, "_ 3 height width"], ...]

    @classmethod
    def of(cls, opened: Opened, numbers: Int[np.ndarray, " image"], batch_size: int) -> Sample:
        """The images of these numbers in the data set."""
        batches = []
        for first in range(0, len(numbers), batch_size):
            pixels = [opened.data.read(int(n)).pixels for n in numbers[first : first + batch_size]]
            batches.append(opened.model.preprocess(pixels, crop=True))
        return cls(tuple(batches))


def position_means(opened: Opened, sample: Sample) -> Means:
    """What every part writes on average, by token position: float64."""
    places = _places(opened.tower)
    sums: dict[Place, Tensor] = {}
    count = 0
    with torch.no_grad():
        for batch in sample.batches:
            streams = run_tower(opened.tower, opened.model.prepared(batch), places)
            count += len(batch)
            for place in places:
                added = streams.at(place).double().sum(dim=0)
                sums[place] = sums[place] + added if place in sums else added
    return {place: total / count for place, total in sums.items()}


def held_at(tower: Tower, parts: Parts, means: Means) -> list[Intervention]:
    """Interventions that hold these parts at their means; heads of a layer that is held whole are left out."""
    found: list[Intervention] = []
    if parts.embedding:
        found.append(_held(tower.start, means))
    found += [_held(tower.layers[n].mlp.at, means) for n in parts.mlps]
    found += [_held(_attention(tower, n), means) for n in parts.attention]
    for n in dict.fromkeys(layer for layer, _ in parts.heads if layer not in parts.attention):
        part = tower.layers[n].attention
        assert part.mixed is not None
        heads = sorted(head for layer, head in parts.heads if layer == n)
        units = [unit for head in heads for unit in range(head * part.d_head, (head + 1) * part.d_head)]
        found.append(_held(part.mixed, means, units))
    return found


def outputs_held(
    opened: Opened, sample: Sample, interventions: Sequence[Intervention]
) -> Float[np.ndarray, "image d_out"]:
    """The model's outputs for a sample under interventions, float64."""
    return np.concatenate(list(_outputs(opened, sample, interventions)))


def _outputs(opened: Opened, sample: Sample, interventions: Sequence[Intervention]) -> Iterator[np.ndarray]:
    with torch.no_grad(), intervene(opened.tower.module, interventions):
        for batch in sample.batches:
            yield run_tower(opened.tower, opened.model.prepared(batch), ()).output.double().cpu().numpy()


def _attention(tower: Tower, layer: int) -> Place:
    return Place(tower.layers[layer].attention.name, "output")


def _places(tower: Tower) -> list[Place]:
    found = [tower.start]
    for n, layer in enumerate(tower.layers):
        found += [layer.mlp.at, _attention(tower, n)]
        if layer.attention.mixed is not None:
            found.append(layer.attention.mixed)
    return found


def _held(place: Place, means: Means, units: Sequence[int] | None = None) -> Intervention:
    return ablate(place.module, units, mean=means[place], side=place.side)
