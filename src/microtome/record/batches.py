"""Items through a model in batches: halved when memory runs out, and the checks on what comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.core.errors import DataError, ModelError
from microtome.models.probe import USER_CODE_ERRORS

HALF_LARGEST = 65504.0
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")

RunBatch = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""(first, last + 1) -> activations [item, unit, height, width] and answers [item]."""


@dataclass
class Batches:
    """Runs lists of items in batches.

    Attributes
    ----------
    size:
        Items in a forward pass; what is left of it after halvings.
    spec:
        The model's name, for messages.
    item, takes:
        What an item is called, and what the model has to take, for messages.
    notes:
        What happened on the way, for the manifest.
    """

    size: int
    spec: str
    item: str
    takes: str
    notes: list[str] = field(default_factory=list)

    def over(
        self, count: int, run: RunBatch
    ) -> tuple[Float[np.ndarray, "item unit height width"], Int[np.ndarray, "item"]]:
        """Activations and answers of `count` items.

        Raises
        ------
        ModelError
            If one item alone does not fit in memory, or the model fails on a batch.
        """
        values, answers, start = [], [], 0
        while start < count:
            stop = min(start + self.size, count)
            try:
                activations, answer = run(start, stop)
            except (MemoryError, *USER_CODE_ERRORS) as error:
                self._halve(error, stop - start)
                continue
            values.append(activations)
            answers.append(answer)
            start = stop
        return np.concatenate(values), np.concatenate(answers)

    def _halve(self, error: Exception, items: int) -> None:
        """Halve the batch where `error` is a lack of memory; any other is the model's own."""
        text = str(error).lower()
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and not any(words in text for words in _NO_MEMORY):
            smaller = "try --batch-size 1" if items > 1 else "mend the model"
            raise ModelError(
                f"The forward pass of {self.spec} fails on a batch of {items}: {type(error).__name__}: {error}",
                expected=f"a model that takes {self.takes}",
                next_step=f"{smaller}; --debug shows the trace",
            ) from error
        if self.size == 1:
            raise ModelError(
                f"One {self.item} alone does not fit in memory with {self.spec}.",
                next_step="use a smaller --size, another --device or a machine with more memory",
            ) from error
        self.size = max(1, self.size // 2)
        self.notes.append(f"A batch did not fit in memory; batch size halved to {self.size}.")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def check_finite(
    values: Float[np.ndarray, "item unit height width"], names: Sequence[str], *, layer: str, item: str
) -> None:
    """Raise DataError, naming the first item, if an activation is NaN or infinite."""
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if finite.all():
        return
    first = int(np.argmin(finite))
    if values.dtype == np.float16 and not np.isnan(values[first]).any():
        raise DataError(
            f"Layer '{layer}' exceeds {HALF_LARGEST:.0f}, the largest float16, on {item} '{names[first]}'.",
            expected="activations that float16 can hold, or exact infinities nowhere",
            next_step="add --cache-dtype float32",
        )
    raise DataError(
        f"Layer '{layer}' gives NaN or infinite activations on {item} '{names[first]}' "
        f"({len(values) - int(finite.sum())} of {len(values)} {item}s of its block).",
        expected="finite numbers",
        next_step="check the weights and the preprocessing (--mean, --std), or choose an earlier --layer",
    )
