"""Other models that are shown the same inputs: does what misleads one mislead them all?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from microtome.core.errors import ModelError
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes.answering import Answering, answering

AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Other:
    """A model whose answers are numbers of another model's classes.

    Attributes
    ----------
    name:
        Its spec.
    places:
        For each of its outputs the number in the audited model's classes, -1 = none.
    run:
        Inputs -> numbers of its own outputs.
    """

    name: str
    places: Int[np.ndarray, " klass"]
    run: Callable[[Sequence[Any]], Int[np.ndarray, " item"]]

    def knows(self, target: int) -> bool:
        """Whether it can answer with a class of the audited model."""
        return bool((self.places == target).any())

    def answers(self, inputs: Sequence[Any]) -> Int[np.ndarray, " item"]:
        """Its answers as classes of the audited model, -1 where it answers with another."""
        return self.places[self.run(inputs)] if len(inputs) else np.zeros(0, np.int64)


def other_model(model: Model | TextModel, classes: Sequence[str]) -> Other:
    """A model beside the audited one. A CLIP-like model is asked for the same classes, as texts.

    Raises
    ------
    ModelError
        If it shares no class with it.
    """
    answers = answering(model, classes) if isinstance(model, Model) and model.texts is not None else None
    if answers is not None:
        assert isinstance(model, Model)
        return Other(model.spec, np.arange(len(classes)), _asked_in_texts(model, answers))
    place = {name.casefold(): number for number, name in enumerate(classes)}
    places = np.array([place.get(name.casefold(), -1) for name in model.classes], np.int64)
    if not len(places) or (places < 0).all():
        raise ModelError(
            f"{model.spec} answers with none of the audited model's classes.",
            expected=f"classes among {', '.join(list(classes)[:5])} ...",
            next_step="leave it out of --also",
        )

    def run(inputs: Sequence[Any]) -> Int[np.ndarray, " item"]:
        found = []
        for first in range(0, len(inputs), AT_ONCE):
            some = inputs[first : first + AT_ONCE]
            with torch.no_grad():
                logits = model.logits(some) if isinstance(model, TextModel) else model.logits(model.preprocess(some))
            found.append(logits.argmax(dim=1).cpu().numpy())
        return np.concatenate(found)

    return Other(model.spec, places, run)


def _asked_in_texts(model: Model, answers: Answering) -> Callable[[Sequence[Any]], Int[np.ndarray, " item"]]:
    """Inputs -> the class whose text each is nearest to."""

    def run(inputs: Sequence[Any]) -> Int[np.ndarray, " item"]:
        batches = [inputs[first : first + AT_ONCE] for first in range(0, len(inputs), AT_ONCE)]
        outputs = [model.logits(model.preprocess(some)).double().cpu().numpy() for some in batches]
        return answers.answers(np.concatenate(outputs))

    return run
