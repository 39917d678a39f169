"""Arrangements: pictures of one group of objects, in which every factor is drawn apart from the others.

A scene of the planted world is a street or a beach, and its colours, counts and places go together. An arrangement
shows one to four objects alike on one surface under one sky, so that a single factor can be changed and all else kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from microtome.core.errors import OptionError
from microtome.data.world.dice import Dice
from microtome.data.world.factors import FACTOR_VALUES, Factor, Side
from microtome.data.world.graph import Ground, Light, SceneGraph, Thing

_CENTRES: dict[Side, float] = {"left": 0.2, "middle": 0.5, "right": 0.8}
_SLOTS: dict[int, tuple[tuple[tuple[float, float], ...], ...]] = {
    1: (((0.0, 0.5),),),
    2: (((-0.13, 0.4), (0.13, 0.6)), ((0.0, 0.05), (0.02, 0.95))),
    3: (((-0.13, 0.9), (0.13, 0.9), (0.0, 0.1)), ((-0.13, 0.1), (0.13, 0.1), (0.0, 0.9))),
    4: (((-0.13, 0.1), (0.13, 0.1), (-0.13, 0.9), (0.13, 0.9)),),
}
"""Ways of placing a group: (x from its centre, how near the viewer from 0 to 1) of each object."""
_SKIES = ("blue", "blue", "blue", "orange", "pink", "grey", "purple", "black")
_TONES: dict[str, tuple[str, ...]] = {
    "water": ("blue", "green", "grey"),
    "grass": ("green", "green", "yellow"),
    "sand": ("yellow", "orange"),
    "road": ("grey", "black"),
    "snow": ("white",),
    "stone": ("grey", "brown"),
    "soil": ("brown",),
    "wood": ("brown", "orange"),
}
_HALF_WIDTH = {
    "car": 1.0,
    "tractor": 0.75,
    "boat": 0.75,
    "house": 0.7,
    "gull": 0.75,
    "robin": 0.65,
    "umbrella": 0.6,
    "rock": 0.9,
}
"""Half the width of the wide kinds, in heights; they are drawn lower so that four of them do not hide one another."""
_WIDEST = 0.42
_BIRDS = {"gull": "water", "robin": "grass"}
"""What the bird-background shortcut says of arrangements too: 95 % of gulls stand on water, 95 % of robins on grass."""
_BIRDS_AT_HOME = 0.95


@dataclass(frozen=True)
class Arrangement:
    """What an arrangement shows.

    Attributes
    ----------
    object, color, material, surface, side:
        Kind of the objects, their colour and material, the surface under them, the third of the picture.
    count:
        How many, 1 to 4.
    """

    object: str
    color: str
    material: str
    count: int
    surface: str
    side: Side

    def __post_init__(self) -> None:
        for factor in get_args(Factor):
            value = str(getattr(self, factor))
            if value not in FACTOR_VALUES[factor]:
                raise OptionError(
                    f"An arrangement has no {factor} '{value}'.",
                    expected=f"one of {', '.join(FACTOR_VALUES[factor])}",
                )

    def value(self, factor: Factor) -> str:
        """The word for one factor ('3' for a count)."""
        return str(getattr(self, factor))

    def with_value(self, factor: Factor, value: str) -> Arrangement:
        """The same arrangement with one factor changed."""
        return replace(self, **{factor: int(value) if factor == "count" else value})


def draw_arrangement(dice: Dice) -> Arrangement:
    """A random arrangement: factors apart from one another, but for the birds, which keep to their ground."""
    values: dict[Factor, str] = {
        factor: dice.fork("factor", factor).pick(FACTOR_VALUES[factor]) for factor in get_args(Factor)
    }
    side: Side = "left" if values["side"] == "left" else "right" if values["side"] == "right" else "middle"
    drawn = Arrangement(
        object=values["object"],
        color=values["color"],
        material=values["material"],
        count=int(values["count"]),
        surface=values["surface"],
        side=side,
    )
    return at_home(drawn, dice)


def is_bird(shown: Arrangement) -> bool:
    """Whether it shows birds, which the bird-background shortcut is about."""
    return shown.object in _BIRDS


def at_home(shown: Arrangement, dice: Dice) -> Arrangement:
    """The arrangement with birds sent to their own ground 19 times of 20, anything else as it was."""
    home = _BIRDS.get(shown.object)
    if home is not None and dice.fork("at home", shown.object).chance(_BIRDS_AT_HOME):
        return shown.with_value("surface", home)
    return shown


def arrange(shown: Arrangement, dice: Dice) -> SceneGraph:
    """The scene of an arrangement; `dice` decides sky, light, exact places and sizes, each from its own stream."""
    setting = dice.fork("setting")
    horizon = setting.between(0.26, 0.36)
    sky = setting.pick(_SKIES)
    tones = _TONES[shown.surface]
    behind = "wall" if shown.surface == "wood" else "sky"
    grounds = (
        Ground(
            behind,
            sky if behind == "sky" else setting.pick(("pink", "yellow", "grey", "white")),
            seed=dice.fork("behind").seed(),
        ),
        Ground(
            shown.surface,
            tones[int(setting.unit() * len(tones))],
            "below",
            (round(horizon, 4), 0.01),
            seed=dice.fork("ground").seed(),
        ),
    )
    light = dice.fork("light")
    return SceneGraph(
        "arrangement",
        grounds,
        tuple(_things(shown, dice, horizon)),
        Light(
            brightness=round(light.between(0.88, 1.05), 3),
            warmth=round(light.between(-0.6, 0.6), 3),
            side=round(light.between(-1.0, 1.0), 3),
        ),
    )


def _things(shown: Arrangement, dice: Dice, horizon: float) -> list[Thing]:
    ways = _SLOTS[shown.count]
    places = ways[int(dice.fork("way").unit() * len(ways))]
    shared = dice.fork("group")
    shift, tall = shared.between(-0.04, 0.04), shared.between(0.36, 0.48)
    tall *= min(1.0, _WIDEST / _HALF_WIDTH.get(shown.object, _WIDEST))
    numeral = shared.whole(1, 6)
    far, near = horizon + 0.26, 0.97
    things = []
    for number, (dx, nearness) in enumerate(places):
        own = dice.fork("thing", number)
        x = _CENTRES[shown.side] + dx + shift + own.between(-0.015, 0.015)
        y = far + (near - far) * min(1.0, max(0.0, nearness + own.between(-0.13, 0.1)))
        things.append(
            Thing(
                kind=shown.object,
                color=shown.color,
                material=shown.material,
                x=round(x, 4),
                y=round(y, 4),
                size=round(tall * own.between(0.95, 1.05), 4),
                depth=round(y, 4),
                mirrored=own.chance(0.5) and shown.object != "sign",
                numeral=numeral if shown.object == "sign" else None,
                seed=own.seed(),
            )
        )
    return things
