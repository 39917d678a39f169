"""The eleven basic colours as the world paints them."""

from __future__ import annotations

RGB = tuple[float, float, float]

COLORS: tuple[str, ...] = (
    "black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow",
)  # fmt: skip

PAINT: dict[str, RGB] = {
    "black": (40.0, 42.0, 50.0),
    "blue": (52.0, 108.0, 204.0),
    "brown": (128.0, 84.0, 50.0),
    "grey": (142.0, 145.0, 151.0),
    "green": (70.0, 152.0, 78.0),
    "orange": (240.0, 138.0, 42.0),
    "pink": (243.0, 152.0, 188.0),
    "purple": (126.0, 72.0, 166.0),
    "red": (210.0, 54.0, 54.0),
    "white": (244.0, 243.0, 238.0),
    "yellow": (246.0, 208.0, 62.0),
}
"""What an object of that colour is painted with, before light and shade."""

PATTERN: dict[str, RGB] = {
    "black": (92.0, 95.0, 108.0),
    "blue": (128.0, 172.0, 238.0),
    "brown": (182.0, 136.0, 96.0),
    "grey": (96.0, 99.0, 106.0),
    "green": (138.0, 202.0, 128.0),
    "orange": (252.0, 186.0, 108.0),
    "pink": (250.0, 198.0, 218.0),
    "purple": (178.0, 134.0, 210.0),
    "red": (240.0, 122.0, 112.0),
    "white": (204.0, 206.0, 208.0),
    "yellow": (224.0, 166.0, 24.0),
}
"""The second tone of a material's pattern: another shade of the same colour name."""

SKY: dict[str, tuple[RGB, RGB]] = {
    "blue": ((92.0, 160.0, 226.0), (190.0, 222.0, 246.0)),
    "orange": ((238.0, 134.0, 70.0), (252.0, 206.0, 142.0)),
    "pink": ((224.0, 134.0, 170.0), (250.0, 208.0, 206.0)),
    "grey": ((134.0, 142.0, 154.0), (192.0, 197.0, 203.0)),
    "purple": ((98.0, 72.0, 148.0), (186.0, 146.0, 200.0)),
    "black": ((22.0, 24.0, 42.0), (54.0, 58.0, 84.0)),
    "white": ((222.0, 227.0, 233.0), (246.0, 246.0, 244.0)),
}
"""The sky at the top of the picture and at the horizon."""

GROUND: dict[tuple[str, str], RGB] = {
    ("water", "blue"): (56.0, 128.0, 196.0),
    ("water", "green"): (62.0, 148.0, 112.0),
    ("water", "grey"): (120.0, 138.0, 150.0),
    ("grass", "green"): (118.0, 178.0, 84.0),
    ("grass", "yellow"): (214.0, 196.0, 88.0),
    ("sand", "yellow"): (238.0, 214.0, 150.0),
    ("sand", "orange"): (232.0, 166.0, 102.0),
    ("road", "grey"): (112.0, 115.0, 122.0),
    ("road", "black"): (62.0, 64.0, 72.0),
    ("snow", "white"): (240.0, 243.0, 248.0),
    ("stone", "grey"): (156.0, 154.0, 150.0),
    ("stone", "brown"): (160.0, 128.0, 100.0),
    ("soil", "brown"): (128.0, 92.0, 62.0),
    ("wood", "brown"): (172.0, 122.0, 78.0),
    ("wood", "orange"): (218.0, 156.0, 92.0),
}
"""Tones of the grounds, by surface and colour; a pair that is not here is painted with `PAINT`, softened."""


def ground_tone(surface: str, color: str) -> RGB:
    """The tone of a surface in a colour."""
    tone = GROUND.get((surface, color))
    if tone is not None:
        return tone
    red, green, blue = PAINT[color]
    return (red * 0.7 + 66.0, green * 0.7 + 66.0, blue * 0.7 + 66.0)
