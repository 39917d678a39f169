"""Ask a model about texts that are made one after another: what some of its units do, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.models.encode import Pool
from microtome.models.text import TextModel

Texts = tuple[str, ...]


@final
class Asker:
    """A model's activations and answers, each item asked once.

    Parameters
    ----------
    model:
        A text model.
    layer:
        Where the units are.
    units:
        Which of them.
    pool:
        How tokens become one activation, as in the run.
    dtype:
        Type that the run stored activations as: they are rounded alike.
    batch_size:
        Items in a forward pass.
    """

    def __init__(
        self, model: TextModel, layer: str, units: Sequence[int], *, pool: Pool = "max",
        dtype: Literal["float16", "float32"] = "float16", batch_size: int = 64,
    ) -> None:  # fmt: skip
        self._model, self._layer, self._units = model, layer, list(units)
        self._pool: Pool = pool
        self._dtype, self._batch_size = dtype, batch_size
        self._known: dict[Texts, tuple[np.ndarray, int]] = {}

    def ask(self, items: Sequence[Texts]) -> tuple[Float[np.ndarray, "item unit"], Int[np.ndarray, "item"]]:
        """Activation of each unit, and the number of the class answered, -1 of a model without classes.

        Raises
        ------
        ModelError
            If a text is empty or longer than the model takes.
        """
        fresh = [item for item in dict.fromkeys(items) if item not in self._known]
        # Of like length together: padding costs what words cost.
        fresh.sort(key=lambda item: sum(map(len, item)))
        for start in range(0, len(fresh), self._batch_size):
            self._run(fresh[start : start + self._batch_size])
        values = np.array([self._known[item][0] for item in items], np.float64).reshape(len(items), len(self._units))
        return values, np.array([self._known[item][1] for item in items], np.int64)

    def _run(self, items: list[Texts]) -> None:
        with torch.inference_mode():
            values, logits = self._model.pooled(items, self._layer, pool=self._pool)
        kept = values[:, self._units].float().cpu().numpy().astype(self._dtype)
        answers = np.full(len(items), -1) if logits is None else logits.argmax(dim=1).cpu().numpy()
        for item, row, answer in zip(items, kept, answers, strict=True):
            self._known[item] = row, int(answer)
