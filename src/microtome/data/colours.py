"""The eleven basic colour names of English, computed from the pixels of any image set.

The names are those of Berlin & Kay, *Basic Color Terms* (1969). The rule is ours and short enough to read. A
pixel is taken to OKLCh (Ottosson, *A perceptual color space for image processing*, 2020: lightness L from 0
to 1, chroma C, hue h in degrees), where equal hue angles look alike at any lightness. Then

1. L < 0.20, or C < 0.035 and L < 0.32, is black;
2. C below 0.04 (0.035 where L > 0.93) is white if L > 0.90, else grey;
3. otherwise the hue decides, with lightness for the names that are light or dark forms of a hue:

   - 345 to 10: pink if L > 0.56, else purple (below 355) or red
   - 10 to 40: pink if L > 0.68 and C < 0.17, brown if L < 0.56 and C < 0.11, else red
   - 40 to 82: orange if L > 0.65 and C > 0.10; else pink if L > 0.82 (below 66), yellow if L > 0.85 (above),
     else brown
   - 82 to 117: yellow if L > 0.66, else brown (below 108) or green
   - 117 to 187: green
   - 187 to 287: blue
   - 287 to 345: pink if L > 0.80, else purple

That brown is a dark orange or yellow and pink a light red follows the places of the focal colours in Munsell
space (Sturges & Whitfield, *Locating basic colours in the Munsell space*, Color Research & Application 20,
1995). Channels are first rounded to 64 levels, so that one table answers for every pixel.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError
from microtome.data.base import ImageData, LabelledImage, hash_of

COLOR = "color"

COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
"""The names, by index in `colour_names`."""

RULE_VERSION = 1
"""Raised when a boundary changes: part of a data set's fingerprint."""

_NUMBER = {name: i for i, name in enumerate(COLOURS)}


def oklch(rgb: Float[np.ndarray, "*pixel 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """OKLab lightness (0 to 1), chroma and hue (degrees, 0 to 360) of sRGB colours (0 to 1)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    lightness, a, b = np.moveaxis(np.cbrt(linear @ cones.T) @ lab.T, -1, 0)
    return lightness, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360.0


def _named(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """The rule of the module's docstring: the first condition that holds names the colour."""

    def between(low: int, high: int) -> np.ndarray:
        return (hue >= low) & (hue < high)

    reddish = (hue >= 345) | (hue < 10)
    pale = chroma < np.where(lightness > 0.93, 0.035, 0.04)
    rules = [
        (lightness < 0.20, "black"),
        ((chroma < 0.035) & (lightness < 0.32), "black"),
        (pale & (lightness > 0.90), "white"),
        (pale, "grey"),
        (reddish & (lightness > 0.56), "pink"),
        (between(345, 355), "purple"),
        (reddish, "red"),
        (between(10, 40) & (lightness > 0.68) & (chroma < 0.17), "pink"),
        (between(10, 40) & (lightness < 0.56) & (chroma < 0.11), "brown"),
        (between(10, 40), "red"),
        (between(40, 82) & (lightness > 0.65) & (chroma > 0.10), "orange"),
        (between(40, 66) & (lightness > 0.82), "pink"),
        (between(66, 82) & (lightness > 0.85), "yellow"),
        (between(40, 82), "brown"),
        (between(82, 117) & (lightness > 0.66), "yellow"),
        (between(82, 108), "brown"),
        (between(108, 187), "green"),
        (between(187, 287), "blue"),
        (lightness > 0.80, "pink"),
    ]
    names = [np.uint8(_NUMBER[name]) for _, name in rules]
    return np.select([condition for condition, _ in rules], names, default=np.uint8(_NUMBER["purple"]))


@lru_cache(maxsize=1)
def _table() -> UInt8[np.ndarray, "cells"]:
    """Colour number of each of the 64 x 64 x 64 rounded colours."""
    levels = np.arange(64) / 63.0
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return _named(*oklch(rgb.reshape(-1, 3))).astype(np.uint8)


def colour_names(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width"]:
    """Number of the basic colour of each pixel, an index into `COLOURS`.

    Example: `COLOURS[colour_names(pixels)[0, 0]]` is `'red'` for a pixel of (255, 0, 0).
    """
    # 63 / 255 is rounded: level = round(value * 63 / 255).
    level = (np.arange(256, dtype=np.int32) * 126 + 255) // 510
    red, green, blue = level * 4096, level * 64, level
    return _table()[red[pixels[..., 0]] + green[pixels[..., 1]] + blue[pixels[..., 2]]]


class Coloured(ImageData):
    """An image set with the eleven basic colours of its pixels added as the category `color`.

    Every element gets exactly one colour: that of the pixels averaged over the element's own cell of the
    label grid. A colour whose word the data set uses already (the fruit orange) is called `color:orange`.

    Parameters
    ----------
    data:
        The image set; it must not have a category `color` of its own.
    """

    def __init__(self, data: ImageData) -> None:
        if any(concept.category == COLOR for concept in data.concepts):
            raise DataError(
                f"'{data.card.name}' has a category {COLOR} of its own.",
                expected="no computed colours beside annotated ones",
            )
        self._data = data
        pairs = [(concept.name, concept.category) for concept in data.concepts]
        self.concepts = unique_concepts([*pairs, *((name, COLOR) for name in COLOURS)])
        self.classes = data.classes
        note = "The eleven basic colours are computed from the pixels."
        self.card = replace(data.card, notes=(*data.card.notes, note))

    def __len__(self) -> int:
        return len(self._data)

    def key(self, index: int) -> str:
        return self._data.key(index)

    def labels(self, index: int) -> frozenset[str]:
        return self._data.labels(index) | {COLOR}

    def read(self, index: int) -> LabelledImage:
        image = self._data.read(index)
        rows, columns = image.planes.shape[1:]
        pixels = image.pixels
        if pixels.shape[:2] != (rows, columns):
            pixels = np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.BOX))
        plane = colour_names(pixels).astype(np.int32) + (len(self._data.concepts) + 1)
        return replace(image, planes=np.concatenate([image.planes, plane[None]]))

    def fingerprint(self) -> str:
        return hash_of(["coloured", RULE_VERSION, self._data.fingerprint()])
