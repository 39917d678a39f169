"""A sheet of scenes beside their masks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8

from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice
from microtome.data.world.palette import PAINT
from microtome.data.world.vocabulary import CONCEPTS, PLANES

_GAP = 6


def preview_sheet(
    world: World, *, columns: int = 4, masks: tuple[str, ...] = ("object", "part", "surface")
) -> UInt8[np.ndarray, "height width 3"]:
    """All images of a world in rows, each followed by its label planes in flat colours.

    Parameters
    ----------
    world:
        The images; keep it short.
    columns:
        Images in a row.
    masks:
        Which planes follow an image, names of `vocabulary.PLANES`; empty = images alone.
    """
    cells = 1 + len(masks)
    size, rows = world.size, -(-len(world) // columns)
    wide = columns * (cells * size + (cells - 1) * 2 + _GAP) + _GAP
    sheet = np.full((rows * (size + _GAP) + _GAP, wide, 3), 250, dtype=np.uint8)
    for index in range(len(world)):
        image = world.read(index)
        row, column = divmod(index, columns)
        top = _GAP + row * (size + _GAP)
        left = _GAP + column * (cells * size + (cells - 1) * 2 + _GAP)
        pictures = [image.pixels, *(paint_plane(image.planes[PLANES.index(mask)]) for mask in masks)]
        for cell, picture in enumerate(pictures):
            start = left + cell * (size + 2)
            sheet[top : top + size, start : start + size] = picture
    return sheet


def paint_plane(plane: Int[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """A label plane in flat colours: colour names in their paint, others in one each, none in white."""
    table = np.full((len(CONCEPTS) + 1, 3), 255, dtype=np.uint8)
    for index, concept in enumerate(CONCEPTS):
        dice = Dice(index * 7919 + 13)
        own = PAINT[concept.name] if concept.category == "color" else [dice.between(50.0, 235.0) for _ in range(3)]
        table[index + 1] = np.array(own).astype(np.uint8)
    return table[plane]
