"""`nli:FOLDER`: a classifier of sentence pairs that `microtome.zoo.train_nli` has written."""

from __future__ import annotations

from microtome.core.errors import ModelError
from microtome.models.adapters.family import Built, Family, Request
from microtome.models.nli import WordEncoder, load_nli
from microtome.models.state import load_weights


def build(request: Request) -> Built:
    """The classifier in a folder, with its vocabulary and classes from its card.

    Raises
    ------
    ModelError
        If the folder holds none, or `@random` is asked for.
    """
    if request.random:
        raise ModelError(f"nli:{request.name} has trained weights only.", next_step="leave out @random")
    module, card = load_nli(request.name)
    notes: tuple[str, ...] = ()
    if request.state is not None:
        notes = load_weights(module, request.state, source=request.source)
    return Built(module, classes=card.classes, notes=notes, encoder=WordEncoder(card.words))


FAMILY = Family("nli", "nli:runs/nli-real", build)
