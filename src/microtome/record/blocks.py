"""The cache of a pass: one file of labels and one of activations for each block of images.

A block that is there is whole (files appear by rename), so a pass that was killed goes on with the first missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors import safe_open

from microtome.store.atomic import read_arrays, write_arrays


class BlockCache:
    """Numbered blocks of named arrays in a folder.

    Parameters
    ----------
    folder:
        Where they lie; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, kind: str, block: int) -> Path:
        return self.folder / f"{kind}-{block:06d}.safetensors"

    def has(self, kind: str, block: int) -> bool:
        return self.path(kind, block).exists()

    def write(self, kind: str, block: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Store a block, whole or not at all. Raises RunError when the disk is full."""
        write_arrays(self.path(kind, block), arrays)

    def read(self, kind: str, block: int) -> dict[str, np.ndarray]:
        return read_arrays(self.path(kind, block))

    def activations(self, block: int, start: int, stop: int) -> Float[np.ndarray, "image unit height width"]:
        """Activations of units start..stop-1 of one block, float32; only their part of the file is read."""
        with safe_open(self.path("activations", block), framework="numpy") as file:
            return np.ascontiguousarray(file.get_slice("values")[:, start:stop]).astype(np.float32)
