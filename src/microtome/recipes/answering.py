"""What a decomposed model answers: the class whose direction its output points to most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from microtome.core.errors import OptionError
from microtome.models.model import Model
from microtome.models.texts import text_directions


@dataclass(frozen=True, eq=False)
class Answering:
    """Classes as directions in the output's space.

    Attributes
    ----------
    classes:
        Their names.
    directions:
        [class, d_out]. Of texts they have unit norm, and answers follow the cosine.
    cosine:
        Whether outputs are normalised first.
    how:
        In words: which texts, or the model's own classes.
    """

    classes: tuple[str, ...]
    directions: Float[np.ndarray, "klass d_out"]
    cosine: bool
    how: str

    def scores(self, outputs: Float[np.ndarray, "image d_out"]) -> Float[np.ndarray, "image klass"]:
        """Cosines, or the model's own logits."""
        found = outputs @ self.directions.T
        return found / np.linalg.norm(outputs, axis=1, keepdims=True).clip(1e-30) if self.cosine else found

    def answers(self, outputs: Float[np.ndarray, "image d_out"]) -> Int[np.ndarray, " image"]:
        """The class of each output."""
        return self.scores(outputs).argmax(axis=1)

    def right(
        self, outputs: Float[np.ndarray, "image d_out"], labels: Int[np.ndarray, " image"]
    ) -> Bool[np.ndarray, " image"]:
        """Whether each answer is the label; images without one are never right."""
        return self.answers(outputs) == labels

    def accuracy(self, outputs: Float[np.ndarray, "image d_out"], labels: Int[np.ndarray, " image"]) -> float:
        """Share right among the labelled images; NaN without any."""
        known = labels >= 0
        return float(self.right(outputs, labels)[known].mean()) if known.any() else float("nan")


def answering(
    model: Model, classes: Sequence[str], *, texts: Sequence[str] = (), template: str = ""
) -> Answering | None:
    """How a model answers with the data's classes; None where there is no way (no classes, or none of its own).

    Parameters
    ----------
    model:
        Of a CLIP-like model the classes become texts; of a classifier they are matched by name with its own.
    classes:
        The data's classes, in the order of its labels.
    texts:
        A text for each class, in place of the template.
    template:
        `a photo of a {}.`; several, separated by `|`, are averaged. Default: the model's own.

    Raises
    ------
    OptionError
        If the number of texts is not that of the classes, or a template has no `{}`.
    """
    if not classes:
        return None
    if texts and len(texts) != len(classes):
        raise OptionError(
            f"There are {len(texts)} class texts and {len(classes)} classes.",
            expected=f"one for each of: {', '.join(classes)}",
        )
    if model.texts is None:
        place = {name.casefold(): number for number, name in enumerate(model.classes)}
        if not all(name.casefold() in place for name in classes):
            return None
        picked = np.eye(len(model.classes))[[place[name.casefold()] for name in classes]]
        return Answering(tuple(classes), picked, cosine=False, how="the model's own classes")
    templates = [part.strip() for part in (template or model.texts.template).split("|")]
    if any("{}" not in part for part in templates):
        raise OptionError(
            f"The template '{template}' has no place for the class.", expected="such as 'a photo of a {}.'"
        )
    sets = [list(texts)] if texts else [[part.replace("{}", name) for name in classes] for part in templates]
    vectors = sum(text_directions(model.texts, words, spec=model.spec).double().cpu() for words in sets)
    assert isinstance(vectors, torch.Tensor)
    unit = torch.nn.functional.normalize(vectors, dim=-1).numpy()
    return Answering(tuple(classes), unit, cosine=True, how="; ".join(texts) if texts else " | ".join(templates))
