"""The text side of a CLIP-like model: from words to directions in its output's space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from microtome.core.errors import DataError, ModelError, problems_together

_MOST_AT_ONCE = 128


@runtime_checkable
class TextTower(Protocol):
    """Texts to vectors beside a model's images.

    Attributes
    ----------
    context:
        Longest text in tokens, with whatever the tokenizer puts around it.
    scale, bias:
        What the cosine of an image and a text is multiplied by, and what is added, before softmax or sigmoid.
    template:
        How a class is put into words where nobody says: `a photo of a {}.`.
    """

    context: int
    scale: float
    bias: float
    template: str

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, uncut. Raises DataError for texts that the tokenizer cannot take."""
        ...

    def encode(self, texts: Sequence[str]) -> Float[Tensor, "text d_out"]:
        """The texts in the output's space, not normalised."""
        ...


def text_directions(texts_of: TextTower | None, texts: Sequence[str], *, spec: str) -> Float[Tensor, "text d_out"]:
    """Unit vectors of texts, in the order given.

    Parameters
    ----------
    texts_of:
        The model's text side.
    texts:
        At least one.
    spec:
        The model's name, for messages.

    Raises
    ------
    ModelError
        If the model has no text side, or its text tower returns NaN.
    DataError
        If there is no text, or texts are longer than the context (all of them are named).
    """
    if texts_of is None:
        raise ModelError(
            f"{spec} has no text side, so texts say nothing to it.",
            expected="a CLIP-like model: world:clip, a CLIPModel or SiglipModel of transformers, a model of open_clip",
            next_step="name a class of its own instead",
        )
    if not texts:
        raise DataError("There are no texts.", expected="at least one text")
    lengths = texts_of.lengths(texts)
    long = [f'"{t[:60]}" has {n} tokens' for t, n in zip(texts, lengths, strict=True) if n > texts_of.context]
    if long:
        raise DataError(
            f"{len(long)} of {len(texts)} texts are longer than {spec} reads:\n{problems_together(long, limit=5)}",
            expected=f"at most {texts_of.context} tokens each",
            next_step="shorten or remove them",
        )
    with torch.no_grad():
        parts = [texts_of.encode(texts[first : first + _MOST_AT_ONCE]) for first in range(0, len(texts), _MOST_AT_ONCE)]
    vectors = torch.cat(parts)
    if not torch.isfinite(vectors).all():
        raise ModelError(f"The text tower of {spec} returns NaN or infinite numbers.", next_step="check its weights")
    return torch.nn.functional.normalize(vectors, dim=-1)
