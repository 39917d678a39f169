"""The run that names the parts of a CLIP-like model: given, found beside the audit, or made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtome.core.concept import Concept
from microtome.core.errors import OptionError, RunError
from microtome.data.base import ImageData
from microtome.data.groups import WorldBirds
from microtome.data.restrict import Subset
from microtome.data.world.arrangements import Arrangements
from microtome.data.world.dataset import World
from microtome.methods.decompose.second_order import check_layer
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.models.towers.find import tower_of
from microtome.recipes.audit.asked import Detector
from microtome.recipes.audit.nouns import Named
from microtome.recipes.audit.term_sources import HeadTerms, NeuronTerms, TermSource
from microtome.recipes.audit.text_detectors import heads_of, neurons_of
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_neurons import decompose_neurons
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.record.one_pass import Progress
from microtome.store.atomic import read_arrays

HEADS, NEURONS = "decompose heads", "decompose neurons"
"""Kinds of runs."""
NAMED_BY = 10
"""Texts of each part in a run that the audit makes itself."""
LISTED = 160
"""Neurons that it names."""


@dataclass(frozen=True, eq=False)
class NamedTerms:
    """Terms of a model with the names of a run."""

    source: TermSource
    names: Mapping[int, Named]
    detectors: Mapping[int, Detector]


def layer_number(layer: str, tower: Tower) -> int:
    """`--layer` of a CLIP-like model. Raises OptionError unless it is a number, with heads after it."""
    if not (layer.isascii() and layer.isdigit()):
        raise OptionError(
            f"--layer is '{layer}'. A CLIP-like model is audited head by head, or neuron by neuron of one layer.",
            expected=f"no --layer (its heads), or a number from 0 to {len(tower.layers) - 2} (that layer's neurons)",
        )
    check_layer(tower, int(layer))
    return int(layer)


def open_terms(model: Model, run: Decomposition, concepts: Sequence[Concept]) -> NamedTerms:
    """The parts that a run names."""
    tower = tower_of(model)
    if run.manifest["kind"] == HEADS:
        return NamedTerms(HeadTerms(tower), *heads_of(run, concepts))
    held = read_arrays(run.path / "directions.safetensors")
    source = NeuronTerms(tower, int(run.manifest["summary"]["layer"]), held["readers"], held["directions"])
    return NamedTerms(source, *neurons_of(run, concepts, len(source.out)))


def term_run(
    model: Model, layer: int | None, data: ImageData, given: Path | str | None, *, out: Path, seed: int,
    overwrite: bool, progress: Progress,
) -> Decomposition:  # fmt: skip
    """A run of `decompose` on this model: of the neurons of a layer, or without one of its heads.

    Raises
    ------
    RunError
        If the given run is another, or another stands where the run is to be made.
    """
    if given is not None:
        found = Decomposition(given)
        if found.manifest.get("kind") == NEURONS and layer is None:
            layer = int(found.manifest["summary"]["layer"])
        if not _fits(found, model, layer):
            raise RunError(
                f"{given} names no {_words(layer)} of {model.spec} as it is now: it is {_told(found)}.",
                expected=f"a run of `microtome {HEADS if layer is None else NEURONS}` on the same weights",
                next_step="leave --run out to make one",
            )
        return found
    place = out.with_name(f"{out.name}-heads" if layer is None else f"{out.name}-neurons-{layer}")
    pool = "world" if _is_planted(data) else "general"
    listed = 0 if layer is None else min(LISTED, tower_of(model).layers[layer].mlp.w_out.shape[1])
    if place.exists():
        found = Decomposition(place)
        told = found.manifest
        same = told.get("seed") == seed and told["data"]["fingerprint"] == data.fingerprint()
        enough = told["settings"].get("texts", 0) >= NAMED_BY and told["settings"].get("listed", LISTED) >= listed
        if _fits(found, model, layer) and same and enough and told["texts"]["name"] == pool:
            return found
        if not overwrite:
            raise RunError(
                f"{place} is in the way: it is a run of another model, layer or data, or names less.",
                expected=f"a free folder for the run that names {_words(layer)}",
                next_step="choose another --out, name the run with --run, or add --overwrite",
            )
    passes = PassSettings(batch_size=64, seed=seed)
    words = (model.spec, "--data", data.card.spec or data.card.name, "--texts", pool)
    shared: dict[str, Any] = {"texts": pool, "out": place, "overwrite": True, "progress": progress}
    if layer is None:
        return decompose_heads(
            model, data, settings=HeadSettings(texts=NAMED_BY, pairs=0, shown_images=2, shown_texts=1, images=passes),
            command=("microtome", *HEADS.split(), *words, "--count", str(NAMED_BY), "--pairs", "0"), **shared,
        )  # fmt: skip
    return decompose_neurons(
        model, data,
        settings=NeuronSettings(layer=layer, listed=listed, texts=NAMED_BY, shown_images=2, images=passes),
        command=(
            "microtome", *NEURONS.split(), *words, "--layer", str(layer), "--listed", str(listed), "--count",
            str(NAMED_BY),
        ), **shared,
    )  # fmt: skip


def _told(run: Decomposition) -> str:
    """What a run is of, in words."""
    told = run.manifest
    if told.get("kind") == "audit":
        return f"an audit, which stands on {told['summary'].get('run')}"
    layer = told.get("summary", {}).get("layer")
    return f"a run of `{told.get('kind')}`" + (f", layer {layer}" if layer is not None else "")


def _words(layer: int | None) -> str:
    return "heads" if layer is None else f"neurons of layer {layer}"


def _fits(run: Decomposition, model: Model, layer: int | None) -> bool:
    told = run.manifest
    if told.get("kind") != (HEADS if layer is None else NEURONS) or told["model"]["sha256"] != model.fingerprint():
        return False
    return layer is None or told["summary"]["layer"] == layer


def _is_planted(data: ImageData) -> bool:
    """Whether the images are of the planted world, whose captions use its words."""
    inner: Any = data
    while isinstance(inner, Subset):
        inner = inner.whole
    return isinstance(inner, World | WorldBirds | Arrangements)
