"""A picture with a map of patches laid over it: warm where patches speak for a direction, cold where against."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

WARM, COLD = (255, 112, 32), (40, 120, 255)
_STRONGEST = 0.72


def draw_heat(
    pixels: UInt8[np.ndarray, "height width 3"],
    heat: Float[np.ndarray, "grid_height grid_width"],
    *,
    size: int = 112,
    largest: float | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """Lay a map over a picture.

    Parameters
    ----------
    pixels:
        RGB, uint8; squeezed to a square, as on its way into the model.
    heat:
        One number a patch, over the same field of view.
    size:
        Width and height of the tile in pixels.
    largest:
        The number that gets the strongest colour; default: the largest of this map.

    Returns
    -------
    The tile: greyed where the map is near 0, warm above, cold below.
    """
    picture = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS), np.float32)
    top = float(np.abs(heat).max()) if largest is None else largest
    scaled = np.clip(heat / top, -1.0, 1.0) if top > 0 else np.zeros_like(heat)
    smooth = Image.fromarray(scaled.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(smooth), -1.0, 1.0)[:, :, None]
    grey = picture.mean(axis=2, keepdims=True) * 0.75 + picture * 0.25
    colour = np.where(strength >= 0, np.array(WARM, np.float32), np.array(COLD, np.float32))
    weight = _STRONGEST * np.abs(strength)
    return np.clip(np.rint(grey * (1.0 - weight) + colour * weight), 0, 255).astype(np.uint8)
