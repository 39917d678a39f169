"""What a premise says of a scene: some of what is there, with some of its properties."""

from __future__ import annotations

from microtome.data.world.dice import Dice
from microtome.data.world.graph import Ground, SceneGraph, Thing
from microtome.data.world.objects import KINDS
from microtome.data.world.pairs_forms import JUDGEMENTS, Entity, Facts
from microtome.data.world.pairs_words import MOST

ALOFT: tuple[str, ...] = ("cloud", "sun", "moon", "kite")
"""Kinds that stand on no surface."""

_TOLD = 0.65
_THINGS = (1, 1, 1, 2, 2)


def facts_of(scene: SceneGraph, dice: Dice) -> Facts:
    """Some of a scene's facts, in random order: one to three kinds of things, a surface, the scene, an absence."""
    entities = [_thing_entity(scene, kind, dice.fork("thing", kind)) for kind in _kinds(scene, dice)]
    grounds = _plain_grounds(scene)
    if grounds and dice.chance(0.25):
        ground = dice.pick(grounds)
        traits = (("color", ground.color),) if dice.chance(0.8) else ()
        entities.append(Entity(ground.surface, 1, traits))
    if dice.chance(0.2):
        entities.append(Entity("scene", 1, (("place", scene.scene),)))
    if dice.chance(0.25):
        present = {thing.kind for thing in scene.objects}
        entities.append(Entity(dice.pick([kind for kind in KINDS if kind not in present]), 0))
    return Facts(tuple(dice.shuffled(entities)), style=dice.seed())


def _kinds(scene: SceneGraph, dice: Dice) -> list[str]:
    counts: dict[str, int] = {}
    for thing in _seen(scene):
        counts[thing.kind] = counts.get(thing.kind, 0) + 1
    sayable = [kind for kind, count in counts.items() if count <= MOST]
    return dice.shuffled(sayable)[: dice.pick(_THINGS)]


def _seen(scene: SceneGraph) -> list[Thing]:
    return [thing for thing in scene.objects if 0.0 <= thing.x <= 1.0]


def _thing_entity(scene: SceneGraph, kind: str, dice: Dice) -> Entity:
    """All things of a kind; a property is said only where all of them share it, and then not always."""
    things = [thing for thing in _seen(scene) if thing.kind == kind]
    traits: list[tuple[str, str]] = []
    if dice.chance(0.1):
        traits.append((dice.pick(JUDGEMENTS), "yes"))
    shared: list[tuple[str, set[str]]] = [
        ("material", {thing.material for thing in things}),
        ("color", {thing.color for thing in things}),
        ("surface", set() if kind in ALOFT else {_surface_under(scene, thing) for thing in things}),
        ("side", {_side(thing) for thing in things}),
    ]
    for name, values in shared:
        if dice.chance(_TOLD) and len(values) == 1 and "" not in values:
            traits.append((name, values.pop()))
    return Entity(kind, len(things), tuple(traits))


def _side(thing: Thing) -> str:
    return "left" if thing.x < 0.36 else "right" if thing.x > 0.64 else "middle"


def _plain_grounds(scene: SceneGraph) -> list[Ground]:
    """The stretches of ground whose surface has one colour in this scene."""
    colors: dict[str, set[str]] = {}
    for ground in scene.background:
        if not ground.part:
            colors.setdefault(ground.surface, set()).add(ground.color)
    found = {ground.surface: ground for ground in scene.background if not ground.part}
    return [ground for ground in found.values() if len(colors[ground.surface]) == 1]


def _surface_under(scene: SceneGraph, thing: Thing) -> str:
    """The surface at a thing's foot; empty where patches of ground lie about, or where it is a wall or the sky."""
    if any(ground.outline in ("ellipse", "quad") and not ground.part for ground in scene.background):
        return ""
    under = scene.background[0].surface
    for ground in scene.background[1:]:
        if ground.outline == "below" and thing.y >= ground.frame[0]:
            under = ground.surface
    return "" if under in ("wall", "sky") else under
