"""A sheet of tiles that is filled one by one and saved at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from microtome.report.tiles import sprite
from microtome.store.atomic import write_atomically

COLUMNS = 12


class Sheet:
    """Tiles of one page: twelve in a row, numbered from 0.

    Parameters
    ----------
    folder, name:
        The run folder, and the sheet's path below it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._path = folder / name
        self._tiles: list[np.ndarray] = []

    def add(self, tile: UInt8[np.ndarray, "size size 3"]) -> int:
        """Add a tile; returns its number."""
        self._tiles.append(tile)
        return len(self._tiles) - 1

    def save(self) -> None:
        """Write the sheet, if it has tiles."""
        if self._tiles:
            picture = Image.fromarray(sprite(self._tiles, columns=COLUMNS))
            write_atomically(self._path, lambda temporary: picture.save(temporary, format="JPEG", quality=88))
