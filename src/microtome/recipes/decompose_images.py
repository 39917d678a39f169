"""`decompose(model, images)`: the output for some images as an exact sum of terms, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microtome.methods.decompose.terms import Terms
from microtome.methods.decompose.terms import decompose as take_terms
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.towers.find import tower_of


def decompose(model: Model | str, images: np.ndarray | Sequence[np.ndarray]) -> Terms:
    """Take the output for some images apart: embedding, attention heads, MLPs, biases. The sum is checked.

    Parameters
    ----------
    model:
        A loaded model, or a spec that `load` takes.
    images:
        RGB bytes: one image `[h w 3]`, a stack, or a sequence of images of any sizes; prepared as the model asks.

    Returns
    -------
    The terms, in the model's type and on its device: `heads` [image, layer, head, space] are small vectors that
    `methods.decompose.terms.expand_heads` expands; everything else is [image, ..., d_out].

    Raises
    ------
    ModelError
        If the model is no transformer that can be decomposed, or the terms do not add up to its own output.

    Examples
    --------
    >>> terms = decompose("world:clip", pixels)
    >>> terms.heads.shape, terms.mlps.shape, terms.output.shape
    (torch.Size([1, 6, 8, 20]), torch.Size([1, 6, 128]), torch.Size([1, 128]))
    """
    loaded = load(model) if isinstance(model, str) else model
    return take_terms(tower_of(loaded), loaded.prepared(loaded.preprocess(images, crop=True)))
