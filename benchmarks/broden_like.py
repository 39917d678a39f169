"""A Broden-like table made from a seed: objects, parts, scenes, textures and colours on label grids.

Each image has one scene (whole image), sometimes a texture, 2 to 6 rectangles of objects with parts inside them, and
one of eleven colours on every pixel in coarse blobs. Concept frequencies fall off like 1 / rank, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shape:
    """How large a set to make."""

    images: int = 2000
    grid: int = 112
    colours: int = 11
    objects: int = 130
    parts: int = 80
    scenes: int = 60
    textures: int = 19


SMALL = Shape()
LARGE = Shape(objects=520, parts=320, scenes=240, textures=76)


def _zipf(generator: np.random.Generator, count: int, size: int) -> np.ndarray:
    weights = 1.0 / np.arange(1, count + 1)
    return generator.choice(count, size=size, p=weights / weights.sum())


def image_planes(shape: Shape, generator: np.random.Generator) -> np.ndarray:
    """int32 [plane = 5, grid, grid]: colour, object, part, scene, texture; 0 = none, ids run on over the planes."""
    g = shape.grid
    planes = np.zeros((5, g, g), np.int32)
    cells = generator.integers(shape.colours, size=(6, 6))
    planes[0] = 1 + np.kron(cells, np.ones((g // 6 + 1, g // 6 + 1), int))[:g, :g]
    first_object = 1 + shape.colours
    first_part = first_object + shape.objects
    first_scene = first_part + shape.parts
    first_texture = first_scene + shape.scenes
    for kind in _zipf(generator, shape.objects, int(generator.integers(2, 7))):
        h, w = generator.integers(g // 12, g // 2, 2)
        y, x = generator.integers(0, g - h), generator.integers(0, g - w)
        planes[1, y : y + h, x : x + w] = first_object + kind
        planes[2, y : y + h, x : x + w] = 0
        if generator.random() < 0.5:
            part = (kind * 7 + generator.integers(3)) % shape.parts
            planes[2, y : y + h // 2, x : x + w // 2] = first_part + part
    planes[3] = first_scene + _zipf(generator, shape.scenes, 1)[0]
    if generator.random() < 0.3:
        planes[4] = first_texture + _zipf(generator, shape.textures, 1)[0]
    return planes


def names(shape: Shape) -> list[tuple[str, str]]:
    """(name, category) of concepts 1.. in plane order."""
    counts = [("color", shape.colours), ("object", shape.objects), ("part", shape.parts)]
    counts += [("scene", shape.scenes), ("texture", shape.textures)]
    return [(f"{category} {i:03d}", category) for category, count in counts for i in range(count)]
