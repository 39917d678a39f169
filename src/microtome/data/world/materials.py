"""The materials: patterns in two tones of one colour."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

MATERIALS: tuple[str, ...] = ("plain", "striped", "dotted", "checked", "zigzag")


def pattern(
    material: str, x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], *, soft: float, variant: int
) -> Float[np.ndarray, "..."] | None:
    """How much of the second tone a pattern puts at each point, 0 to 1; None for `plain`.

    Parameters
    ----------
    material:
        One of `MATERIALS`.
    x, y:
        Coordinates in units of the pattern's period, broadcastable.
    soft:
        Width of a pixel in those units: edges are blurred over it.
    variant:
        Chooses the direction of stripes (0 upright, 1 level, 2 diagonal).
    """
    if material == "striped":
        along = (x, y, (x + y) * 0.75)[variant % 3]
        return _step(_triangle(along) - 0.5, soft)
    if material == "dotted":
        row = np.floor(y)
        u = x + 0.5 * (row - 2.0 * np.floor(row / 2.0))
        u = u - np.floor(u) - 0.5
        v = y - row - 0.5
        return _step(0.3 - np.sqrt(u * u + v * v), soft / 2)
    if material == "checked":
        a = _triangle(x * 0.75) - 0.5
        b = _triangle(y * 0.75) - 0.5
        return _step(np.where(a * b >= 0, 1.0, -1.0) * np.minimum(np.abs(a), np.abs(b)), soft)
    if material == "zigzag":
        return _step(_triangle(y + 0.5 * _triangle(x * 0.7)) - 0.5, soft)
    return None


def _triangle(value: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """A wave of period 1 that runs 0, 1, 0 in straight lines."""
    return 1.0 - np.abs(2.0 * (value - np.floor(value)) - 1.0)


def _step(value: Float[np.ndarray, "..."], soft: float) -> Float[np.ndarray, "..."]:
    return np.clip(value / (2.0 * soft) + 0.5, 0.0, 1.0)
