"""The k images in which each unit peaks highest, and where.

Ties go to the image with the lower number, so shards in any order give the same list.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int


class TopImages:
    """Streaming top-k of per-image peaks; see `stats.base.Statistic`.

    Attributes
    ----------
    values, images, cells:
        [unit, k]: peak (float32), image number (int64, -1 = none) and map cell y * w + x (int32), best first.
    """

    def __init__(self, units: int, k: int) -> None:
        self.values = np.full((units, k), -np.inf, np.float32)
        self.images = np.full((units, k), -1, np.int64)
        self.cells = np.zeros((units, k), np.int32)

    def add(
        self, first_image: int, peaks: Float[np.ndarray, "image unit"], cells: Int[np.ndarray, "image unit"]
    ) -> None:
        """Take the peaks of images first_image, first_image + 1, ..."""
        numbers = np.broadcast_to(np.arange(first_image, first_image + len(peaks)), peaks.T.shape)
        self._take(peaks.T, numbers, cells.T)

    def merge(self, other: TopImages) -> None:
        self._take(other.values, other.images, other.cells)

    def _take(self, values: np.ndarray, images: np.ndarray, cells: np.ndarray) -> None:
        k = self.values.shape[1]
        values = np.concatenate((self.values, values), axis=1)
        images = np.concatenate((self.images, images), axis=1)
        cells = np.concatenate((self.cells, cells), axis=1)
        order = np.lexsort((images, -values), axis=1)[:, :k]
        self.values = np.take_along_axis(values, order, axis=1)
        self.images = np.take_along_axis(images, order, axis=1)
        self.cells = np.take_along_axis(cells, order, axis=1)

    def state(self) -> dict[str, np.ndarray]:
        return {"values": self.values, "images": self.images, "cells": self.cells}

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray]) -> TopImages:
        made = cls(*state["values"].shape)
        made.values = np.array(state["values"], np.float32)
        made.images = np.array(state["images"], np.int64)
        made.cells = np.array(state["cells"], np.int32)
        return made
