"""Things that texts speak of, put into scenes of the planted world that stay what they are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES
from microtome.data.world.graph import SURFACES, Ground, SceneGraph, Thing, add, with_background
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS, GROUND, SKY
from microtome.data.world.render import footprint
from microtome.data.world.scenes import compose
from microtome.data.world.shapes import Piece
from microtome.data.world.shortcuts import ALL_SHORTCUTS, rates

_KIND_OF = {word: kind.name for kind in KINDS.values() for word in (kind.plural, kind.name)}
_GROUNDS = tuple(name for name in SURFACES if name not in ("sky", "wall"))
_SIDES = {"left": (0.1, 0.34), "middle": (0.38, 0.62), "right": (0.66, 0.9)}
_ALOFT = ("cloud", "sun", "moon", "kite")
_AREA = (0.035, 0.06)
"""Share of the picture that a thing covers, shadow and all, whatever its kind: no kind is an attack by size alone."""
_TALLEST = 0.6
_PATCH = (0.24, 0.1)
_TRIES = 12
_LOOKED_AT = 48
"""Scenes of each class from which it is read what defines a class."""


@dataclass(frozen=True)
class Shown:
    """What a text asks of a picture; empty where it says nothing.

    Attributes
    ----------
    kind, color, material:
        Of a thing.
    surface:
        What lies under it.
    side:
        `left`, `middle` or `right`.
    numeral:
        What a sign bears.
    sky:
        Colour of the sky; such a text adds no thing.
    """

    kind: str = ""
    color: str = ""
    material: str = ""
    surface: str = ""
    side: str = ""
    numeral: str = ""
    sky: str = ""

    @property
    def says(self) -> frozenset[str]:
        """Which of the fields it speaks of."""
        return frozenset(field.name for field in fields(self) if getattr(self, field.name))


def shown_by(text: str) -> Shown | None:
    """What a text asks of a picture; None where nothing of it can be drawn as a thing in a scene.

    Counts are passed over: how many things are added is the same for every text. Scene classes and walls cannot be
    added to a scene.
    """
    words = re.findall(r"[a-z]+|\d+", text.casefold())
    if "scene" in words or "wall" in words:
        return None
    if "sky" in words:
        color = words[words.index("sky") - 1]
        return Shown(sky=color) if color in SKY and words[0] != "sky" else None
    said: dict[str, str] = {}
    for place, word in enumerate(words):
        before = words[max(0, place - 2) : place]
        if word in _GROUNDS and "on" in before:
            said.setdefault("surface", word)
        elif word in _KIND_OF:
            said.setdefault("kind", _KIND_OF[word])
        elif word in COLORS:
            said.setdefault("color", word)
        elif word in MATERIALS:
            said.setdefault("material", word)
        elif word in _SIDES:
            said.setdefault("side", word)
        elif before[-1:] == ["numeral"] and word in ("1", "2", "3", "4", "5", "6"):
            said.setdefault("numeral", word)
    return Shown(**said) if said else None


@cache
def defining(source: str, target: str) -> frozenset[str]:
    """Kinds and surfaces that every scene of `target` shows and none of `source`: they would make it a `target`.

    Read off scenes as the split `shift` draws them, where what really tells the classes apart is to be seen.
    """
    everywhere = frozenset.intersection(*_seen_in(target))
    return everywhere - frozenset.union(*_seen_in(source))


@cache
def _seen_in(scene_class: str) -> tuple[frozenset[str], ...]:
    shift = rates("shift", ALL_SHORTCUTS)
    scenes = [compose(scene_class, Dice(mix("what defines a class", number)), shift) for number in range(_LOOKED_AT)]
    return tuple(
        frozenset((*(thing.kind for thing in scene.objects), *(ground.surface for ground in scene.background)))
        for scene in scenes
    )


def scenes_of(scene_class: str, count: int, *, world: World) -> list[SceneGraph]:
    """The first `count` scenes of a class: every sixteen images of a world hold one."""
    found: list[SceneGraph] = []
    for index in range(len(world)):
        scene = world.scene(index)
        if scene.scene == scene_class:
            found.append(scene)
            if len(found) == count:
                break
    return found


def can_be_drawn(shown: Shown | None, source: str, target: str) -> bool:
    """Whether a thing can be added to scenes of `source` without making them scenes of `target`."""
    if shown is None or (shown.sky and source == "room"):
        return False
    barred = defining(source, target)
    signed = "sign" in barred and bool(shown.numeral)
    return shown.kind not in barred and shown.surface not in barred and not signed


def plant(scene: SceneGraph, asked: Sequence[Shown], dice: Dice, *, barred: frozenset[str]) -> SceneGraph:
    """The scene with a thing for each text.

    What a text does not say is drawn from `dice`, so two plantings with the same dice differ by their texts alone. The
    things stand on the ground, each covers 3.5 to 6 % of the picture, and all are drawn behind the scene's own objects:
    nothing of the scene is hidden but ground.

    Parameters
    ----------
    scene:
        Any scene with a ground.
    asked:
        What each text asks for.
    dice:
        Decides places, sizes, and whatever texts leave open.
    barred:
        Kinds that are not drawn where no text names one.
    """
    for number, shown in enumerate(asked):
        if not shown.sky:
            scene = _with_thing(scene, shown, dice.fork("thing", number), barred)
            continue
        first = scene.background[0]
        if first.surface == "sky":
            scene = with_background(scene, (replace(first, color=shown.sky), *scene.background[1:]))
    return scene


def _with_thing(scene: SceneGraph, shown: Shown, dice: Dice, barred: frozenset[str]) -> SceneGraph:
    kinds = [kind for kind in FACTOR_VALUES["object"] if kind not in barred]
    drawn = dice.fork("kind").pick(kinds)
    kind = shown.kind or ("sign" if shown.numeral else drawn)
    area = dice.fork("area").between(*_AREA)
    size = min(_TALLEST, math.sqrt(area / _unit_area(kind)))
    x, y = _place(scene, kind, size, shown.side, dice.fork("place"))
    numeral = int(shown.numeral) if shown.numeral else dice.fork("numeral").whole(1, 6)
    thing = Thing(
        kind=kind,
        color=shown.color or dice.fork("color").pick(COLORS),
        material=shown.material or dice.fork("material").pick(MATERIALS),
        x=round(x, 4),
        y=round(y, 4),
        size=round(size, 4),
        depth=min((own.depth for own in scene.objects), default=1.0) - 1.0 + round(y, 4) / 2,
        mirrored=dice.fork("mirrored").chance(0.5) and kind != "sign",
        numeral=numeral if kind == "sign" else None,
        seed=dice.fork("look").seed(),
    )
    if shown.surface:
        tones = [color for surface, color in GROUND if surface == shown.surface]
        tone = shown.color if shown.color in tones else dice.fork("tone").pick(tones)
        patch = Ground(shown.surface, tone, "ellipse", (thing.x, thing.y, *_PATCH), seed=dice.fork("patch").seed())
        scene = with_background(scene, (*scene.background, patch))
    return add(scene, thing)


def _place(scene: SceneGraph, kind: str, size: float, side: str, dice: Dice) -> tuple[float, float]:
    """Of a few places on the ground the one where least of other objects is."""
    tops = [ground.frame[0] for ground in scene.background if ground.outline == "below"]
    horizon = min(tops, default=0.5)
    low, high = (0.16, 0.3) if kind in _ALOFT else (min(0.85, horizon + 0.15), 0.97)
    across = _SIDES.get(side, (0.1, 0.9))
    taken = [_box(own.kind, own.x, own.y, own.size) for own in scene.objects]
    tries = [(dice.between(*across), dice.between(low, high)) for _ in range(_TRIES)]
    return min(tries, key=lambda at: sum(_overlap(_box(kind, *at, size), box) for box in taken))


def _box(kind: str, x: float, y: float, size: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = _extent(kind)
    return x + size * left, y + size * top, x + size * right, y + size * bottom


@cache
def _extent(kind: str) -> tuple[float, float, float, float]:
    """Box of a kind at height 1, foot at the origin."""
    pieces: tuple[Piece, ...] = KINDS[kind].build(0, 1 if kind == "sign" else None)
    bounds = [piece.shape.bounds() for piece in pieces]
    return (
        min(box[0] for box in bounds), min(box[1] for box in bounds),
        max(box[2] for box in bounds), max(box[3] for box in bounds),
    )  # fmt: skip


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, tall)


@cache
def _unit_area(kind: str) -> float:
    """Area of a kind of height 1, in pictures, with its shadow."""
    half = 0.4
    thing = Thing(kind, "red", "plain", 0.5, 0.8, half, numeral=1 if kind == "sign" else None)
    alone = SceneGraph("arrangement", (Ground("sky", "blue"),), (thing,))
    return float(footprint(alone, 0, 96).mean()) / half**2
