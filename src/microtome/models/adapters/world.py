"""`world:scenes`, `world:nli` and `world:clip`: the models that come with microtome."""

from __future__ import annotations

from torch import nn

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Family, Request
from microtome.models.clip_file import load_world_clip
from microtome.models.nli import WordEncoder, load_world_nli
from microtome.models.preprocess import Preprocess
from microtome.models.scenes import load_scenes, scenes_card
from microtome.models.state import load_weights

_NAMES = ("scenes", "nli", "clip")


def build(request: Request) -> Built:
    """A shipped model with what its card knows: the classifier of planted scenes, or of sentence pairs, or the CLIP.

    Raises
    ------
    ModelError
        If the name is unknown, or `@random` is asked for.
    """
    if request.name not in _NAMES:
        raise ModelError(
            f"There is no shipped model 'world:{request.name}'.",
            expected=f"one of {nearest(request.name, _NAMES)}",
            next_step="use world:scenes, world:nli or world:clip",
        )
    if request.random:
        raise ModelError(f"world:{request.name} has trained weights only.", next_step="leave out @random")
    if request.name == "nli":
        module, nli_card = load_world_nli()
        notes = _own_weights(module, request)
        return Built(module, classes=nli_card.classes, notes=notes, encoder=WordEncoder(nli_card.words))
    if request.name == "clip":
        clip, texts, clip_card = load_world_clip()
        preprocess = Preprocess(clip_card.sizes.image, clip_card.mean, clip_card.std)
        return Built(clip, preprocess, notes=_own_weights(clip, request), texts=texts)
    module, card = load_scenes(), scenes_card()
    notes = _own_weights(module, request)
    return Built(module, Preprocess(card.size, card.mean, card.std), card.classes, notes)


def _own_weights(module: nn.Module, request: Request) -> tuple[str, ...]:
    """Put the user's weights, if any, in place of the shipped ones."""
    return () if request.state is None else load_weights(module, request.state, source=request.source)


FAMILY = Family("world", "world:scenes", build)
