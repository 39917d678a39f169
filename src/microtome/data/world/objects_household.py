"""Furniture, toys and what people bring along."""

from __future__ import annotations

from microtome.data.world.dice import Dice
from microtome.data.world.kind import Kind
from microtome.data.world.shapes import Box, Ellipse, Piece, Polygon, Stroke


def _ball(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    turn = Dice(seed).between(-0.1, 0.1)
    return (
        Piece("ball skin", Ellipse(0.0, -0.5, 0.5, 0.5)),
        Piece("seam", Stroke(-0.42, -0.5 + turn, 0.42, -0.5 - turn, 0.12), "white"),
    )


def _umbrella(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("pole", Stroke(0.0, -0.9, 0.0, -0.03, 0.05), "brown"),
        Piece("canopy", Ellipse(0.0, -0.55, 0.6, 0.41, dome=True)),
        Piece("tip", Ellipse(0.0, -0.97, 0.04, 0.04), "white"),
    )


def _snowman(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("snowball", Ellipse(0.0, -0.23, 0.27, 0.24)),
        Piece("snowball", Ellipse(0.0, -0.54, 0.2, 0.19), shade=1.02),
        Piece("snowball", Ellipse(0.0, -0.77, 0.14, 0.14), shade=1.03),
        Piece("scarf", Box(-0.15, -0.68, 0.15, -0.62, 0.03), Dice(seed).pick(("red", "blue", "green", "purple"))),
        Piece("button", Ellipse(0.0, -0.52, 0.025, 0.025), "black"),
        Piece("button", Ellipse(0.0, -0.42, 0.025, 0.025), "black"),
        Piece("eye", Ellipse(-0.05, -0.81, 0.022, 0.022), "black"),
        Piece("eye", Ellipse(0.05, -0.81, 0.022, 0.022), "black"),
        Piece("nose", Polygon(((0.0, -0.79), (0.15, -0.755), (0.0, -0.735))), "orange"),
        Piece("hat", Box(-0.17, -0.9, 0.17, -0.86), "black"),
        Piece("hat", Box(-0.1, -1.0, 0.1, -0.88), "black"),
    )


def _kite(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    tail = Dice(seed).pick(("red", "blue", "yellow", "white"))
    return (
        Piece("tail", Stroke(0.0, -0.36, 0.1, -0.2, 0.045), tail),
        Piece("tail", Stroke(0.1, -0.2, -0.04, 0.0, 0.045), tail),
        Piece("kite cloth", Polygon(((0.0, -1.0), (0.28, -0.72), (0.0, -0.34), (-0.28, -0.72)))),
        Piece("spar", Stroke(0.0, -0.97, 0.0, -0.38, 0.025), "brown"),
        Piece("spar", Stroke(-0.26, -0.72, 0.26, -0.72, 0.025), "brown"),
    )


def _lamp(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("lamp stand", Box(-0.025, -0.7, 0.025, -0.03), "black"),
        Piece("lamp foot", Ellipse(0.0, 0.0, 0.16, 0.06, dome=True), "black"),
        Piece("bulb", Ellipse(0.0, -0.68, 0.07, 0.06), "yellow"),
        Piece("shade", Polygon(((-0.13, -1.0), (0.13, -1.0), (0.24, -0.7), (-0.24, -0.7)))),
    )


def _table(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("table leg", Box(-0.82, -0.85, -0.7, 0.0), shade=0.84),
        Piece("table leg", Box(0.7, -0.85, 0.82, 0.0), shade=0.84),
        Piece("tabletop", Box(-1.0, -1.0, 1.0, -0.8, 0.06)),
    )


def _chair(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("chair leg", Box(-0.28, -0.42, -0.2, 0.0), shade=0.82),
        Piece("chair leg", Box(0.2, -0.42, 0.28, 0.0), shade=0.82),
        Piece("chair back", Box(-0.3, -1.0, -0.18, -0.4, 0.05), shade=0.92),
        Piece("chair seat", Box(-0.3, -0.52, 0.32, -0.38, 0.05)),
    )


def _vase(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    leaves = tuple(
        Piece("leaf", Ellipse(x, y, 0.09, 0.17), "green", shade)
        for x, y, shade in ((-0.16, -0.72, 0.9), (0.16, -0.74, 0.95), (0.0, -0.82, 1.05))
    )
    return (
        *leaves,
        Piece("vase body", Ellipse(0.0, -0.28, 0.24, 0.28)),
        Piece("vase body", Box(-0.11, -0.64, 0.11, -0.4, 0.03), shade=0.95),
    )


HOUSEHOLD: tuple[Kind, ...] = (
    Kind("ball", "balls", ("ball skin", "seam"), _ball, 0.45),
    Kind("umbrella", "umbrellas", ("pole", "canopy", "tip"), _umbrella, 0.4),
    Kind("snowman", "snowmen", ("snowball", "scarf", "button", "eye", "nose", "hat"), _snowman, 0.3),
    Kind("kite", "kites", ("tail", "kite cloth", "spar"), _kite),
    Kind("lamp", "lamps", ("lamp stand", "lamp foot", "bulb", "shade"), _lamp, 0.2),
    Kind("table", "tables", ("table leg", "tabletop"), _table, 0.9),
    Kind("chair", "chairs", ("chair leg", "chair back", "chair seat"), _chair, 0.35),
    Kind("vase", "vases", ("leaf", "vase body"), _vase, 0.25),
)
