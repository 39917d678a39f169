"""`world:scenes`: the model that comes with microtome."""

from __future__ import annotations

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Family, Request
from microtome.models.preprocess import Preprocess
from microtome.models.scenes import load_scenes, scenes_card
from microtome.models.state import load_weights

_NAMES = ("scenes",)


def build(request: Request) -> Built:
    """The shipped model of the planted scenes, its preprocessing and classes from its card.

    Raises
    ------
    ModelError
        If the name is unknown, or `@random` is asked for.
    """
    if request.name not in _NAMES:
        raise ModelError(
            f"There is no shipped model 'world:{request.name}'.",
            expected=f"one of {nearest(request.name, _NAMES)}",
            next_step="use world:scenes",
        )
    if request.random:
        raise ModelError("world:scenes has trained weights only.", next_step="leave out @random")
    module, card = load_scenes(), scenes_card()
    notes: tuple[str, ...] = ()
    if request.state is not None:
        notes = load_weights(module, request.state, source=request.source)
    return Built(module, Preprocess(card.size, card.mean, card.std), card.classes, notes)


FAMILY = Family("world", "world:scenes", build)
