"""The factors of an arrangement and the values that each can take."""

from __future__ import annotations

from typing import Literal

from microtome.data.world.materials import MATERIALS
from microtome.data.world.palette import COLORS

Factor = Literal["color", "object", "material", "count", "surface", "side"]
Side = Literal["left", "middle", "right"]

FACTOR_VALUES: dict[Factor, tuple[str, ...]] = {
    "color": COLORS,
    "object": (
        "tree", "pine", "flower", "cactus", "mushroom", "gull", "robin", "person", "rock", "car", "tractor", "boat",
        "house", "lighthouse", "sign", "ball", "umbrella", "snowman", "vase",
    ),
    "material": MATERIALS,
    "count": ("1", "2", "3", "4"),
    "surface": ("water", "grass", "sand", "road", "snow", "stone", "soil", "wood"),
    "side": ("left", "middle", "right"),
}  # fmt: skip
"""Every value of every factor; all are equally likely."""
