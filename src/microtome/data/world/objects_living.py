"""Plants, animals, people, and what the sky and the weather make."""

from __future__ import annotations

from microtome.data.world.dice import Dice
from microtome.data.world.kind import Kind
from microtome.data.world.shapes import Box, Ellipse, Piece, Polygon, Stroke

# Corners of a regular hexagon and pentagon, written out: sines differ between mathematical libraries.
_SIX = ((1.0, 0.0), (0.5, 0.866), (-0.5, 0.866), (-1.0, 0.0), (-0.5, -0.866), (0.5, -0.866))
_FIVE = ((0.0, -1.0), (0.951, -0.309), (0.588, 0.809), (-0.588, 0.809), (-0.951, -0.309))


def _tree(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    lean = dice.between(-0.05, 0.05)
    blobs = ((-0.2, -0.56, 0.21), (0.2, -0.58, 0.2), (lean, -0.76, 0.24), (-0.02, -0.55, 0.24))
    crown = tuple(
        Piece(
            "crown",
            Ellipse(cx + dice.between(-0.04, 0.04), cy + dice.between(-0.03, 0.03), r, r * 0.95),
            shade=shade,
        )
        for (cx, cy, r), shade in zip(blobs, (0.9, 0.94, 1.04, 1.0), strict=True)
    )
    trunk = Polygon(((-0.05, -0.5), (0.05, -0.5), (0.085, 0.0), (-0.085, 0.0)))
    return (Piece("trunk", trunk, "brown"), *crown)


def _pine(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    wide = Dice(seed).between(0.9, 1.1)
    tiers = ((0.34, -0.5, -0.12), (0.28, -0.74, -0.36), (0.2, -1.0, -0.6))
    needles = tuple(
        Piece("needles", Polygon(((-w * wide, low), (0.0, top), (w * wide, low))), shade=shade)
        for (w, top, low), shade in zip(tiers, (0.88, 0.97, 1.06), strict=True)
    )
    return (Piece("trunk", Box(-0.055, -0.2, 0.055, 0.0), "brown"), *needles)


def _flower(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    bend = dice.between(-0.05, 0.05)
    ring = dice.pick((_SIX, _FIVE))
    petals = tuple(
        Piece("petal", Ellipse(bend + 0.17 * px, -0.7 + 0.17 * py, 0.135, 0.135), shade=1.0 + 0.03 * (i % 2))
        for i, (px, py) in enumerate(ring)
    )
    return (
        Piece("stem", Stroke(0.0, -0.02, bend, -0.68, 0.06), "green", 0.85),
        Piece("leaf", Ellipse(0.13, -0.22, 0.13, 0.06), "green"),
        Piece("leaf", Ellipse(-0.12, -0.32, 0.12, 0.055), "green"),
        *petals,
        Piece("flower center", Ellipse(bend, -0.7, 0.1, 0.1), dice.pick(("yellow", "yellow", "brown"))),
    )


def _cactus(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    left, right = dice.between(0.32, 0.5), dice.between(0.28, 0.46)
    pieces = [
        Piece("arm", Stroke(0.0, -left, -0.26, -left, 0.12), shade=0.92),
        Piece("arm", Stroke(-0.26, -left, -0.26, -left - 0.26, 0.12), shade=0.97),
        Piece("arm", Stroke(0.0, -right, 0.25, -right, 0.12), shade=0.92),
        Piece("arm", Stroke(0.25, -right, 0.25, -right - 0.3, 0.12), shade=0.97),
        Piece("stem", Box(-0.11, -0.98, 0.11, 0.0, 0.1)),
    ]
    if dice.chance(0.5):
        pieces.append(Piece("petal", Ellipse(0.0, -0.97, 0.07, 0.05), "pink"))
    return tuple(pieces)


def _mushroom(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    spots = tuple(
        Piece("spot", Ellipse(x + dice.between(-0.03, 0.03), y, 0.065, 0.05), "white")
        for x, y in ((-0.28, -0.6), (0.02, -0.78), (0.27, -0.58))
    )
    return (
        Piece("stem", Polygon(((-0.12, -0.5), (0.12, -0.5), (0.17, 0.0), (-0.17, 0.0))), "white", 0.95),
        Piece("cap", Ellipse(0.0, -0.44, 0.5, 0.54, dome=True)),
        *spots,
    )


def _reeds(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    pieces: list[Piece] = []
    for foot in (-0.24, -0.12, 0.0, 0.12, 0.24):
        lean, tall = dice.between(-0.12, 0.12), dice.between(0.62, 0.92)
        pieces.append(Piece("stalk", Stroke(foot, 0.0, foot + lean, -tall, 0.045), shade=dice.between(0.9, 1.1)))
        if dice.chance(0.7):
            tip = Stroke(foot + lean * 0.9, -tall, foot + lean * 1.05, -tall - 0.1, 0.1)
            pieces.append(Piece("cattail", tip, "brown"))
    return tuple(pieces)


def _gull(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    """A long bird: lying body, long pointed wing, long beak."""
    lift = Dice(seed).between(-0.04, 0.04)
    return (
        Piece("leg", Stroke(0.0, -0.32, 0.02, -0.01, 0.04), "orange"),
        Piece("leg", Stroke(0.14, -0.32, 0.15, -0.01, 0.04), "orange"),
        Piece("tail", Polygon(((-0.45, -0.55), (-0.82, -0.46), (-0.8, -0.36), (-0.4, -0.38))), shade=0.9),
        Piece("body", Ellipse(0.02, -0.47, 0.5, 0.21)),
        Piece("body", Ellipse(0.36, -0.64, 0.15, 0.2)),
        Piece("beak", Polygon(((0.52, -0.86), (0.9, -0.79 + lift), (0.52, -0.74))), "yellow"),
        Piece("head", Ellipse(0.43, -0.81, 0.17, 0.16), shade=1.03),
        Piece("eye", Ellipse(0.49, -0.85, 0.035, 0.035), "black"),
        Piece("wing", Polygon(((0.22, -0.6), (-0.85, -0.62 + lift), (-0.3, -0.36), (0.16, -0.38))), shade=0.84),
    )


def _robin(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    """A round bird: upright body, short wing, short beak, raised tail."""
    lift = Dice(seed).between(-0.04, 0.04)
    return (
        Piece("leg", Stroke(-0.02, -0.26, 0.0, -0.01, 0.04), "orange"),
        Piece("leg", Stroke(0.12, -0.26, 0.14, -0.01, 0.04), "orange"),
        Piece(
            "tail",
            Polygon(((-0.22, -0.46), (-0.6, -0.76 + lift), (-0.68, -0.64 + lift), (-0.28, -0.3))),
            shade=0.9,
        ),
        Piece("body", Ellipse(0.02, -0.46, 0.34, 0.29)),
        Piece("beak", Polygon(((0.36, -0.83), (0.55, -0.76), (0.36, -0.7))), "yellow"),
        Piece("head", Ellipse(0.18, -0.77, 0.23, 0.2), shade=1.03),
        Piece("eye", Ellipse(0.26, -0.81, 0.035, 0.035), "black"),
        Piece("wing", Ellipse(-0.08, -0.47, 0.22, 0.15), shade=0.84),
    )


def _person(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    skin = dice.pick((("pink", 1.02), ("brown", 1.1), ("orange", 1.04)))
    hair = dice.pick(("black", "brown", "yellow", "grey"))
    legs = dice.pick(("blue", "black", "grey", "brown"))
    reach = dice.between(-0.5, -0.25)
    return (
        Piece("leg", Stroke(-0.07, -0.4, -0.09, -0.05, 0.11), legs),
        Piece("leg", Stroke(0.07, -0.4, 0.1, -0.05, 0.11), legs, 0.92),
        Piece("arm", Stroke(-0.13, -0.66, -0.27, reach, 0.08), shade=0.9),
        Piece("arm", Stroke(0.13, -0.66, 0.27, -0.42, 0.08), shade=0.9),
        Piece("torso", Box(-0.16, -0.72, 0.16, -0.36, 0.07)),
        Piece("head", Ellipse(0.0, -0.85, 0.12, 0.13), *skin),
        Piece("hair", Ellipse(0.0, -0.86, 0.135, 0.14, dome=True), hair),
    )


def _cloud(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    blobs = (
        (-0.75, -0.3, 0.45, 0.3),
        (0.75, -0.3, 0.5, 0.3),
        (-0.25, -0.52, 0.5, 0.46),
        (0.35, -0.46, 0.5, 0.42),
    )
    puffs = tuple(
        Piece("puff", Ellipse(cx + dice.between(-0.1, 0.1), cy + dice.between(-0.05, 0.05), rx, ry), shade=1.0)
        for cx, cy, rx, ry in blobs
    )
    return (Piece("puff", Box(-1.0, -0.36, 1.05, 0.0, 0.17), shade=0.97), *puffs)


def _sun(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    rays = [
        Piece("ray", Stroke(0.36 * x, -0.5 + 0.36 * y, 0.48 * x, -0.5 + 0.48 * y, 0.06), shade=1.04)
        for x, y in (
            *_SIX,
            (0.866, 0.5),
            (0.0, 1.0),
            (-0.866, 0.5),
            (-0.866, -0.5),
            (0.0, -1.0),
            (0.866, -0.5),
        )
    ]
    return (*rays, Piece("disc", Ellipse(0.0, -0.5, 0.3, 0.3)))


def _moon(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    return (
        Piece("disc", Ellipse(0.0, -0.5, 0.46, 0.46)),
        Piece("crater", Ellipse(-0.14, -0.6, 0.1, 0.09), shade=0.88),
        Piece("crater", Ellipse(0.15, -0.38, 0.13, 0.11), shade=0.88),
    )


def _rock(seed: int, numeral: int | None) -> tuple[Piece, ...]:
    dice = Dice(seed)
    peak = dice.between(-0.2, 0.1)
    body = ((-0.85, 0.0), (-0.7, -0.5), (peak, -1.0), (0.5, -0.82), (0.85, 0.0))
    facet = ((peak, -1.0), (0.5, -0.82), (0.85, 0.0), (0.2, -0.3))
    return (Piece("rock face", Polygon(body)), Piece("rock facet", Polygon(facet), shade=0.85))


LIVING: tuple[Kind, ...] = (
    Kind("tree", "trees", ("trunk", "crown"), _tree, 0.35),
    Kind("pine", "pines", ("trunk", "needles"), _pine, 0.32),
    Kind("flower", "flowers", ("stem", "leaf", "petal", "flower center"), _flower, 0.16),
    Kind("cactus", "cacti", ("stem", "arm", "petal"), _cactus, 0.28),
    Kind("mushroom", "mushrooms", ("stem", "cap", "spot"), _mushroom, 0.4),
    Kind("reeds", "reeds", ("stalk", "cattail"), _reeds),
    Kind("gull", "gulls", ("leg", "tail", "body", "beak", "head", "eye", "wing"), _gull, 0.4),
    Kind("robin", "robins", ("leg", "tail", "body", "beak", "head", "eye", "wing"), _robin, 0.35),
    Kind("person", "people", ("leg", "arm", "torso", "head", "hair"), _person, 0.25),
    Kind("cloud", "clouds", ("puff",), _cloud),
    Kind("sun", "suns", ("ray", "disc"), _sun),
    Kind("moon", "moons", ("disc", "crater"), _moon),
    Kind("rock", "rocks", ("rock face", "rock facet"), _rock, 0.9),
)
