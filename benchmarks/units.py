"""Activation maps (7 x 7) of units that answer to a random formula, with smooth noise, for the benchmark's table."""

from __future__ import annotations

import numpy as np

from microtome.core.signatures import SignatureTable


def planted_maps(
    table: SignatureTable, maps: np.ndarray, *, units: int, seed: int = 0, cells: int = 7, noise: float = 0.3
) -> np.ndarray:
    """float16 [image, unit, cells, cells]: how much of each cell satisfies the unit's formula, plus noise.

    The formula is (a OR b) AND NOT c of concepts that are drawn by their size; c or b is left out now and then.
    """
    generator = np.random.default_rng(seed)
    n_images, grid, _ = maps.shape
    share = table.concept_counts / table.total
    likely = np.where((share > 0.0005) & (share < 0.08), 1.0, 0.0)
    out = np.empty((n_images, units, cells, cells), np.float16)
    step = grid // cells
    indptr, rows = table.columns
    for unit in range(units):
        a, b, c = generator.choice(len(share), size=3, replace=False, p=likely / likely.sum())
        truth = np.zeros(table.n_signatures, np.float32)
        truth[rows[indptr[a] : indptr[a + 1]]] = 1
        if unit % 3:
            truth[rows[indptr[b] : indptr[b + 1]]] = 1
        if unit % 3 == 2:
            truth[rows[indptr[c] : indptr[c + 1]]] = 0
        cell_share = truth[maps].reshape(n_images, cells, step, cells, step).mean(axis=(2, 4))
        out[:, unit] = cell_share + noise * generator.standard_normal(cell_share.shape)
    return out
