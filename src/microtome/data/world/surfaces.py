"""How each surface is painted, and where a stretch of ground lies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from microtome.data.world.graph import Ground
from microtome.data.world.noise import smooth_curve, smooth_noise
from microtome.data.world.palette import SKY, ground_tone
from microtome.data.world.shapes import Ellipse, Polygon

Row = Float[np.ndarray, " width"]
Column = Float[np.ndarray, " height"]
Field = Float[np.ndarray, "height width"]


def ground_distance(ground: Ground, x: Row, y: Column) -> Field | None:
    """Signed distance to a ground's edge (negative inside), in widths of the picture; None = everywhere."""
    if ground.outline == "full":
        return None
    if ground.outline == "below":
        level, waves = ground.frame
        line = level + waves * (2.0 * smooth_curve(x * 2.5, seed=ground.seed) - 1.0)
        return line[None, :] - y[:, None]
    if ground.outline == "ellipse":
        cx, cy, rx, ry = ground.frame
        return Ellipse(cx, cy, rx, ry).distance(x[None, :], y[:, None])
    corners = tuple(zip(ground.frame[0::2], ground.frame[1::2], strict=True))
    return Polygon(corners).distance(x[None, :], y[:, None])


def top_of(ground: Ground) -> float:
    """Height at which a ground begins (fraction of the picture)."""
    if ground.outline == "full":
        return 0.0
    if ground.outline == "below":
        return max(0.0, ground.frame[0] - ground.frame[1])
    if ground.outline == "ellipse":
        return max(0.0, ground.frame[1] - ground.frame[3])
    return max(0.0, min(ground.frame[1::2]))


def ground_colours(ground: Ground, x: Row, y: Column) -> Float[np.ndarray, "3 height width"]:
    """The colours of a ground over the given columns and rows, 0 to 255, before the scene's light."""
    if ground.surface == "sky":
        high, low = (np.array(tone)[:, None, None] for tone in SKY.get(ground.color, SKY["blue"]))
        depth = np.minimum(y * 1.7, 1.0)[None, :, None]
        drift = smooth_noise(x * 3.0, y * 7.0, seed=ground.seed) - 0.5
        return high + (low - high) * depth + 9.0 * drift
    tone = np.array(ground_tone(ground.surface, ground.color))[:, None, None]
    if ground.part:
        return np.broadcast_to(tone, (3, y.size, x.size))
    return tone * _shade(ground, x, y)


def _shade(ground: Ground, x: Row, y: Column) -> Field:
    """Brightness of a ground's texture around 1."""
    seed = ground.seed
    near = (y - top_of(ground))[:, None]
    if ground.surface == "water":
        ripples = smooth_noise(x * 7.0, y * 44.0, seed=seed)
        return 1.12 - 0.26 * near + 0.3 * np.maximum(ripples - 0.62, 0.0) - 0.1 * np.maximum(0.3 - ripples, 0.0)
    if ground.surface == "grass":
        blades = smooth_noise(x * 60.0, y * 26.0, seed=seed)
        patches = smooth_noise(x * 4.0, y * 6.0, seed=seed >> 12)
        return 1.0 - 0.14 * near + 0.13 * (blades - 0.5) + 0.1 * (patches - 0.5)
    if ground.surface == "sand":
        dunes = smooth_noise(x * 3.0, y * 10.0, seed=seed >> 12)
        grain = smooth_noise(x * 80.0, y * 80.0, seed=seed)
        return 1.0 + 0.08 * (dunes - 0.5) - 0.1 * np.maximum(grain - 0.6, 0.0) - 0.06 * near
    if ground.surface == "snow":
        drifts = smooth_noise(x * 3.0, y * 6.0, seed=seed)
        return 1.01 - 0.1 * drifts * (0.4 + near)
    if ground.surface == "soil":
        furrow = y * 22.0
        wave = np.abs(2.0 * (furrow - np.floor(furrow)) - 1.0)[:, None]
        return 0.9 + 0.16 * wave + 0.12 * (smooth_noise(x * 50.0, y * 50.0, seed=seed) - 0.5)
    if ground.surface == "stone":
        return _bricks(x * 7.0, y * 14.0, seed, joint=0.14, jitter=0.14)
    if ground.surface == "wood":
        return _bricks(x * 2.0, y * 12.0, seed, joint=0.1, jitter=0.1) * (
            0.97 + 0.06 * smooth_noise(x * 6.0, y * 60.0, seed=seed)
        )
    if ground.surface == "wall":
        stripe = np.floor(x * 14.0)
        return (1.0 + 0.05 * (stripe - 2.0 * np.floor(stripe / 2.0)))[None, :] - 0.1 * near
    return 1.0 - 0.05 * near + 0.09 * (smooth_noise(x * 70.0, y * 70.0, seed=seed) - 0.5)


def _bricks(x: Row, y: Column, seed: int, *, joint: float, jitter: float) -> Field:
    """Rows of stones or boards, each a little lighter or darker, with dark joints."""
    row = np.floor(y)
    across = x[None, :] + 0.5 * (row - 2.0 * np.floor(row / 2.0))[:, None]
    column = np.floor(across)
    mixed = (column.astype(np.int64) * 7919 + row.astype(np.int64)[:, None] * 104729 + (seed & 0xFFFF)) % 61
    gap = np.minimum(across - column, 1.0) < joint * 0.5
    gap = gap | ((y - row) < joint)[:, None]
    return 1.0 - jitter * (mixed / 61.0 - 0.5) - 0.16 * gap
