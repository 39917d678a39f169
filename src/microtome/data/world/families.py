"""Training pictures of the shipped CLIP: families of four that differ in one factor, and scenes of the world."""

from __future__ import annotations

from dataclasses import dataclass

from microtome.data.world.arranged import Arrangement, arrange, at_home, draw_arrangement, is_bird
from microtome.data.world.dataset import WORLD_VERSION, World
from microtome.data.world.dice import Dice, mix
from microtome.data.world.factors import FACTOR_VALUES, Factor
from microtome.data.world.graph import SceneGraph

FAMILY_SIZE = 4
_SCENE_SHARE = 0.25
_BIRD_SHARE = 0.5
_TIMES: dict[Factor, int] = {"color": 2, "material": 6, "count": 3, "object": 4, "surface": 1, "side": 4}
_VARIED: tuple[Factor, ...] = tuple(factor for factor, times in _TIMES.items() for _ in range(times))
"""Which factor a family varies: oftener those that are hard to learn."""


@dataclass(frozen=True)
class Member:
    """One training picture.

    Attributes
    ----------
    scene:
        What it shows.
    varied:
        The factor that tells it from the rest of its family; None for scenes of the planted world.
    """

    scene: SceneGraph
    varied: Factor | None


def family(number: int, *, seed: int, scenes: World) -> tuple[Member, ...]:
    """Family `number` of a stream of training pictures.

    Parameters
    ----------
    number, seed:
        Decide it. A quarter of the families are scenes of the planted world, every second of those of birds.
    scenes:
        Where those scenes come from.
    """
    dice = Dice(mix("microtome arrangements", WORLD_VERSION, seed, number))
    if dice.fork("scenes").chance(_SCENE_SHARE):
        return tuple(Member(scene, None) for scene in _scenes(dice.fork("which"), scenes))
    first = draw_arrangement(dice)
    varied: Factor = dice.fork("varied").pick(_VARIED)
    if varied == "surface" and is_bird(first):
        varied = "color"
    values = dice.fork("values").shuffled([v for v in FACTOR_VALUES[varied] if v != first.value(varied)])
    shown = [first, *(first.with_value(varied, value) for value in values)][:FAMILY_SIZE]
    while len(shown) < FAMILY_SIZE:
        shown.append(_another(shown[0], dice.fork("another", len(shown))))
    return tuple(
        Member(arrange(at_home(one, dice.fork("home", n)), dice.fork("member", n)), varied)
        for n, one in enumerate(shown)
    )


def _another(first: Arrangement, dice: Dice) -> Arrangement:
    other = draw_arrangement(dice)
    return other.with_value("object", first.object).with_value("surface", first.surface)


def _scenes(dice: Dice, world: World) -> list[SceneGraph]:
    """Scenes of one block of sixteen: four at random, or the two birds of two blocks."""
    blocks = len(world) // 16
    if not dice.chance(_BIRD_SHARE):
        return [world.scene(dice.whole(0, 16 * blocks - 1)) for _ in range(FAMILY_SIZE)]
    birds: list[SceneGraph] = []
    while len(birds) < FAMILY_SIZE:
        block = dice.whole(0, blocks - 1)
        birds += [s for s in (world.scene(16 * block + place) for place in range(16)) if s.scene.endswith("bird")]
    return birds[:FAMILY_SIZE]
