"""Texts for a pass: sentence pairs and sentences as one element each, running text as one element a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.core.errors import OptionError
from microtome.data.text.base import LabelledText, TextData
from microtome.models.text import TextModel
from microtome.record.batches import Batches, check_finite
from microtome.record.items import Items
from microtome.record.labels import LabelBlock
from microtome.record.settings import RecordSettings


@final
class TextFeed:
    """See `feed.Feed`.

    Parameters
    ----------
    classify:
        Also ask which class the model answers; of pairs and sentences only.

    Raises
    ------
    OptionError
        For token elements on a layer that has one value a text, or whose window the model cannot take.
    """

    def __init__(self, model: TextModel, items: Items, settings: RecordSettings, *, classify: bool) -> None:
        data = items.sets[0]
        assert isinstance(data, TextData)
        self.site = model.site(settings.layer)
        self.spatial = self.padded = not settings.image_level
        self.map_shape: tuple[int, ...] = settings.grid
        self.batches = Batches(settings.batch_size, model.spec, "text", "a batch of texts of different lengths")
        self._model, self._items, self._settings = model, items, settings
        self._classify = classify and not self.spatial
        if self.spatial and self.site.unit_axis != 2:
            raise OptionError(
                f"Layer '{self.site.layer}' has one value a text, so its elements cannot be tokens.",
                expected="a layer with a value for each token",
                next_step="choose another --layer; `microtome layers MODEL` lists them",
            )
        if self.spatial and settings.grid[1] > model.longest:
            raise OptionError(
                f"--window is {settings.grid[1]}, and {model.spec} takes {model.longest} tokens at most.",
                expected="a window that the model can take",
                next_step=f"use --window {model.longest}",
            )

    def read(self, first: int, last: int) -> tuple[LabelBlock, Sequence[LabelledText]]:
        """Labels and texts of items first..last-1. Raises DataError naming file and line."""
        rows, columns = self._settings.grid
        place: dict[tuple[int, ...], int] = {}
        maps = np.full((last - first, rows, columns), -1, np.int32)
        labels, texts = [], []
        for at, index in enumerate(range(first, last)):
            text, renumber = self._items.read_text(index)
            for element, members in enumerate(text.sets):
                known = renumber[np.array(members, np.int64) + 1]
                key = tuple(np.unique(known[known > 0] - 1).tolist())
                maps[at, 0, element] = place.setdefault(key, len(place))
            labels.append(self._items.class_of(index, text.label))
            texts.append(text)
        return LabelBlock(maps, list(place), np.array(labels, np.int64)), texts

    def run(
        self, inputs: Sequence[LabelledText], names: Sequence[str]
    ) -> tuple[Float[np.ndarray, "item unit height width"], Int[np.ndarray, "item"]]:
        """Activations and answered classes of a list of texts; places beyond a text's end hold its least value.

        Raises
        ------
        DataError
            If an activation is NaN or infinite, naming the first such text.
        ModelError
            If one text alone does not fit in memory, or the model fails on a batch.
        """
        one = self._token_batch if self.spatial else self._pooled_batch
        values, answers = self.batches.over(len(inputs), lambda first, last: one(inputs[first:last]))
        # What float16 cannot hold becomes infinite, and the check below says which text it is.
        with np.errstate(over="ignore"):
            stored = values.astype(np.float16 if self._settings.dtype == "float16" else np.float32)
        check_finite(stored, names, layer=self.site.layer, item="text")
        return stored, answers

    def kept(self, inputs: Sequence[LabelledText]) -> dict[str, np.ndarray]:
        """Nothing: the report reads the texts again."""
        return {}

    def _pooled_batch(self, texts: Sequence[LabelledText]) -> tuple[np.ndarray, np.ndarray]:
        shown = [tuple(side.text for side in text.sides) for text in texts]
        with torch.inference_mode():
            values, logits = self._model.pooled(shown, self.site.layer, pool=self._settings.pool)
        answers = np.full(len(texts), -1, np.int64)
        if self._classify and logits is not None:
            answers = logits.argmax(dim=1).cpu().numpy()
        return self._chosen(values.float().cpu().numpy())[:, :, None, None], answers

    def _token_batch(self, texts: Sequence[LabelledText]) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            found = self._model.tokens([text.pieces for text in texts], self.site.layer)
        units = len(self._settings.units or range(self.site.units))
        values = np.empty((len(texts), units, *self._settings.grid), np.float32)
        for at, one in enumerate(found):
            own = self._chosen(one.float().cpu().numpy()).T
            values[at, :, 0, : own.shape[1]] = own
            values[at, :, 0, own.shape[1] :] = own.min(axis=1, keepdims=True)
        return values, np.full(len(texts), -1, np.int64)

    def _chosen(self, values: np.ndarray) -> np.ndarray:
        return values if self._settings.units is None else values[:, list(self._settings.units)]
