"""The first directions of a layer's neurons, from a run of `decompose neurons`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from microtome.core.errors import RunError
from microtome.methods.decompose.second_order import width
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.store.atomic import read_arrays
from microtome.store.run import read_manifest

FILE = "directions.safetensors"


@dataclass(frozen=True, eq=False)
class NeuronDirections:
    """Directions and readers of all neurons of a layer; see `second_order.FirstDirections`."""

    layer: int
    directions: Float[np.ndarray, "neuron d_out"]
    readers: Float[np.ndarray, "neuron k"]


def read_directions(run: Path, model: Model, tower: Tower) -> NeuronDirections:
    """The directions that a run of `decompose neurons` left.

    Raises
    ------
    RunError
        If `run` is no such run, or is of another model or other weights.
    """
    manifest = read_manifest(run)
    if manifest.get("kind") != "decompose neurons" or not (run / FILE).exists():
        raise RunError(f"{run} is no run of `microtome decompose neurons`.", next_step="make one, with the same model")
    arrays, layer = read_arrays(run / FILE), int(manifest["summary"]["layer"])
    directions, readers = arrays["directions"], arrays["readers"]
    neurons = tower.layers[layer].mlp.w_out.shape[1] if layer < len(tower.layers) else -1
    fitting = (neurons, tower.d_out), (neurons, width(tower, layer) if neurons > 0 else -1)
    same = manifest["model"]["sha256"] == model.fingerprint()
    if not same or (directions.shape, readers.shape) != fitting:
        raise RunError(f"The neurons of {run} are not of this model.", next_step="make the run anew with this model")
    return NeuronDirections(layer, directions, readers)
