"""Vehicles, buildings and what stands beside roads."""

from __future__ import annotations

from microtome.data.world.dice import Dice
from microtome.data.world.kind import Kind
from microtome.data.world.shapes import Box, Ellipse, Piece, Polygon, Stroke

# Strokes of the numerals in a box from -1 to 1.
_NUMERALS: dict[int, tuple[tuple[float, float, float, float], ...]] = {
    1: ((-0.4, -0.6, 0.1, -1.0), (0.1, -1.0, 0.1, 1.0)),
    2: (
        (-0.6, -1.0, 0.6, -1.0),
        (0.6, -1.0, 0.6, 0.0),
        (0.6, 0.0, -0.6, 0.1),
        (-0.6, 0.1, -0.6, 1.0),
        (-0.6, 1.0, 0.6, 1.0),
    ),
    3: ((-0.6, -1.0, 0.6, -1.0), (0.6, -1.0, 0.6, 1.0), (-0.3, 0.0, 0.6, 0.0), (-0.6, 1.0, 0.6, 1.0)),
    4: ((-0.6, -1.0, -0.6, 0.15), (-0.6, 0.15, 0.7, 0.15), (0.35, -1.0, 0.35, 1.0)),
    5: (
        (0.6, -1.0, -0.6, -1.0),
        (-0.6, -1.0, -0.6, 0.0),
        (-0.6, 0.0, 0.6, 0.0),
        (0.6, 0.0, 0.6, 1.0),
        (0.6, 1.0, -0.6, 1.0),
    ),
    6: (
        (0.6, -1.0, -0.6, -1.0),
        (-0.6, -1.0, -0.6, 1.0),
        (-0.6, 1.0, 0.6, 1.0),
        (0.6, 1.0, 0.6, 0.0),
        (0.6, 0.0, -0.6, 0.0),
    ),
}


def _wheel(x: float, radius: float, hub: str) -> tuple[Piece, Piece]:
    return (
        Piece("wheel", Ellipse(x, -radius, radius, radius), "black"),
        Piece("hub", Ellipse(x, -radius, radius * 0.45, radius * 0.45), hub),
    )


def _car(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    roof = dice.between(-0.05, 0.1)
    cabin = ((-0.68, -0.58), (-0.42 + roof, -1.0), (0.34 + roof, -1.0), (0.62, -0.58))
    return (
        Piece("car body", Polygon(cabin), shade=0.94),
        Piece(
            "window",
            Polygon(((-0.52, -0.62), (-0.36 + roof, -0.91), (-0.08, -0.91), (-0.08, -0.62))),
            "blue",
            1.25,
        ),
        Piece(
            "window",
            Polygon(((0.02, -0.62), (0.02, -0.91), (0.29 + roof, -0.91), (0.46, -0.62))),
            "blue",
            1.25,
        ),
        Piece("car body", Box(-1.0, -0.64, 1.0, -0.17, 0.16)),
        Piece("headlight", Ellipse(0.92, -0.45, 0.08, 0.09), "yellow"),
        *_wheel(-0.55, 0.22, "grey"),
        *_wheel(0.55, 0.22, "grey"),
    )


def _tractor(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("exhaust", Stroke(0.5, -0.6, 0.5, -0.88, 0.07), "grey"),
        Piece("tractor body", Box(-0.62, -1.0, 0.02, -0.3, 0.06), shade=0.92),
        Piece("window", Box(-0.5, -0.9, -0.08, -0.6, 0.03), "blue", 1.25),
        Piece("tractor body", Box(-0.1, -0.64, 0.8, -0.24, 0.1)),
        *_wheel(-0.36, 0.32, "yellow"),
        *_wheel(0.56, 0.19, "yellow"),
    )


def _boat(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    sail = Dice(seed).pick(("white", "white", "yellow", "orange"))
    return (
        Piece("mast", Stroke(0.0, -0.96, 0.0, -0.25, 0.045), "brown"),
        Piece("sail", Polygon(((0.05, -0.94), (0.05, -0.34), (0.52, -0.34))), sail),
        Piece("sail", Polygon(((-0.05, -0.84), (-0.05, -0.34), (-0.38, -0.34))), sail, 0.92),
        Piece("hull", Polygon(((-0.62, -0.28), (0.7, -0.28), (0.46, 0.0), (-0.44, 0.0)))),
    )


def _house(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    roof = dice.pick(("brown", "red", "grey", "black"))
    door = dice.pick(("brown", "blue", "green", "red"))
    door_x = dice.pick((-0.28, 0.0, 0.28))
    windows = tuple(
        Piece("window", Box(x - 0.11, -0.48, x + 0.11, -0.26, 0.02), "blue", 1.25)
        for x in (-0.34, 0.0, 0.34)
        if not -0.3 < x - door_x < 0.3
    )
    return (
        Piece("chimney", Box(0.26, -1.0, 0.42, -0.65), roof, 0.85),
        Piece("facade", Box(-0.6, -0.62, 0.6, 0.0)),
        Piece("roof", Polygon(((-0.74, -0.56), (-0.4, -0.97), (0.4, -0.97), (0.74, -0.56))), roof),
        *windows,
        Piece("door", Box(door_x - 0.11, -0.36, door_x + 0.11, 0.0, 0.02), door),
    )


def _lighthouse(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("tower", Polygon(((-0.13, -0.78), (0.13, -0.78), (0.21, 0.0), (-0.21, 0.0)))),
        Piece("band", Polygon(((-0.155, -0.62), (0.155, -0.62), (0.17, -0.46), (-0.17, -0.46))), "white"),
        Piece("band", Polygon(((-0.185, -0.3), (0.185, -0.3), (0.2, -0.14), (-0.2, -0.14))), "white"),
        Piece("gallery", Box(-0.18, -0.8, 0.18, -0.75), "black"),
        Piece("lantern", Box(-0.1, -0.9, 0.1, -0.8), "yellow"),
        Piece("roof", Polygon(((-0.15, -0.89), (0.0, -1.0), (0.15, -0.89))), "red"),
    )


def _sign(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    shown = 1 if numeral is None else numeral
    name = f"numeral {shown}"
    strokes = tuple(
        Piece(name, Stroke(0.12 * ax, -0.7 + 0.15 * ay, 0.12 * bx, -0.7 + 0.15 * by, 0.07), "black")
        for ax, ay, bx, by in _NUMERALS[shown]
    )
    return (
        Piece("post", Box(-0.04, -0.45, 0.04, 0.0), "grey"),
        Piece("board", Box(-0.31, -1.0, 0.31, -0.4, 0.1)),
        Piece("sign face", Box(-0.23, -0.93, 0.23, -0.47, 0.05), "white"),
        *strokes,
    )


def _fence(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    rails = tuple(Piece("rail", Box(-1.7, top, 1.7, top + 0.16), shade=0.92) for top in (-0.72, -0.38))
    pickets = tuple(
        Piece("picket", Box(x - 0.13, -1.0, x + 0.13, 0.0, 0.08)) for x in (-1.5, -0.9, -0.3, 0.3, 0.9, 1.5)
    )
    return (*rails, *pickets)


def _streetlamp(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("post", Box(-0.025, -0.9, 0.025, 0.0)),
        Piece("post", Stroke(0.0, -0.95, 0.2, -0.95, 0.05)),
        Piece("bulb", Ellipse(0.22, -0.93, 0.085, 0.05), "yellow"),
    )


BUILT: tuple[Kind, ...] = (
    Kind("car", "cars", ("car body", "window", "headlight", "wheel", "hub"), _car, 1.0),
    Kind("tractor", "tractors", ("tractor body", "exhaust", "window", "wheel", "hub"), _tractor, 0.75),
    Kind("boat", "boats", ("mast", "sail", "hull"), _boat),
    Kind("house", "houses", ("chimney", "facade", "roof", "window", "door"), _house, 0.7),
    Kind("lighthouse", "lighthouses", ("tower", "band", "gallery", "lantern", "roof"), _lighthouse, 0.25),
    Kind("sign", "signs", ("post", "board", "sign face", *(f"numeral {n}" for n in range(1, 7))), _sign, 0.15),
    Kind("fence", "fences", ("rail", "picket"), _fence, 0.0),
    Kind("streetlamp", "streetlamps", ("post", "bulb"), _streetlamp, 0.1),
)
