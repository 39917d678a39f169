"""The scene classes: which grounds and objects make up a beach, a street, a farm ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microtome.data.world.dice import Dice
from microtome.data.world.graph import SceneGraph
from microtome.data.world.shortcuts import SHORTCUTS, Rates
from microtome.data.world.stage import ANY, LEAVES, PLUMAGE, Stage


@dataclass(frozen=True)
class Cue:
    """What a shortcut does to one picture.

    Attributes
    ----------
    first:
        Whether the misleading cue is the one of the shortcut's first class (blue water, a tractor, water).
    truth_shown:
        Whether the true cue is to be seen.
    """

    first: bool
    truth_shown: bool


NO_CUE = Cue(first=False, truth_shown=True)


def compose(scene: str, dice: Dice, rates: Rates) -> SceneGraph:
    """A random picture of a scene class, with the shortcuts at the given rates."""
    cue = NO_CUE
    for shortcut in SHORTCUTS.values():
        if scene in shortcut.classes:
            agrees = dice.fork("cue", shortcut.name).chance(rates.agreement[shortcut.name])
            cue = Cue((scene == shortcut.classes[0]) == agrees, rates.truth_shown[shortcut.name])
    stage = Stage(dice)
    SCENES[scene](stage, cue)
    return stage.finish(scene)


def _beach(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("beach")
    sea, shore = dice.between(0.34, 0.46), dice.between(0.56, 0.7)
    stage.sky()
    stage.ground("water", dice.pick(("blue", "blue", "green")), "below", (sea, 0.0))
    stage.ground("sand", dice.pick(("yellow", "yellow", "orange")), "below", (shore, 0.03))
    if dice.chance(0.5):
        stage.put("boat", color=ANY, y=(sea + 0.05, shore - 0.04), size=(0.14, 0.24))
    for _ in range(dice.whole(1, 2)):
        stage.put("umbrella", color=ANY, y=(shore + 0.1, 0.96), size=(0.3, 0.44), lean=0.08)
    for _ in range(dice.whole(0, 2)):
        stage.put("ball", color=ANY, y=(shore + 0.14, 0.98), size=(0.1, 0.17))
    for _ in range(dice.whole(0, 2)):
        stage.put("person", color=ANY, y=(shore + 0.1, 0.98), size=(0.28, 0.4))


def _harbour(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("harbour")
    sea, quay = dice.between(0.34, 0.44), dice.between(0.76, 0.84)
    stage.sky()
    stage.ground("water", dice.pick(("blue", "blue", "grey", "green")), "below", (sea, 0.0))
    stage.put(
        "lighthouse",
        color=("red", "blue", "black", "orange", "green"),
        y=(sea + 0.04, sea + 0.1),
        size=(0.36, 0.48),
    )
    for _ in range(dice.whole(2, 4)):
        stage.put("boat", color=ANY, y=(sea + 0.12, quay - 0.02), size=(0.2, 0.34), farther_smaller=True)
    stage.ground("stone", dice.pick(("grey", "grey", "brown")), "below", (quay, 0.0))
    for _ in range(dice.whole(0, 2)):
        stage.put("person", color=ANY, y=(quay + 0.08, 0.99), size=(0.26, 0.34))


def _shore(stage: Stage, cue: Cue, *, marsh: bool) -> None:
    dice = stage.dice("shore")
    far, near, bank = dice.between(0.36, 0.42), dice.between(0.48, 0.54), dice.between(0.84, 0.9)
    stage.sky()
    stage.ground("grass", "green", "below", (far, 0.03))
    stage.ground("water", "blue" if cue.first else "green", "below", (near, 0.012))
    stage.ground("grass", "green", "below", (bank, 0.02))
    for _ in range(dice.whole(1, 3)):
        stage.put("tree", color=LEAVES, y=(near - 0.03, near), size=(0.2, 0.34))
    if dice.chance(0.4):
        stage.put("rock", color=("grey", "grey", "brown"), y=(0.9, 0.97), size=(0.08, 0.14))
    with_boat, with_reeds = (not marsh, marsh) if cue.truth_shown else (dice.chance(0.5), dice.chance(0.5))
    if with_boat:
        stage.put("boat", color=ANY, y=(near + 0.14, bank - 0.06), size=(0.22, 0.34))
    if with_reeds:
        for _ in range(dice.whole(2, 4)):
            stage.put("reeds", color=("green", "green", "yellow"), y=(bank - 0.03, 0.98), size=(0.24, 0.38))


def _lake(stage: Stage, cue: Cue) -> None:
    _shore(stage, cue, marsh=False)


def _marsh(stage: Stage, cue: Cue) -> None:
    _shore(stage, cue, marsh=True)


def _country(stage: Stage, cue: Cue, *, fence: bool) -> None:
    dice = stage.dice("country")
    far = dice.between(0.42, 0.5)
    stage.sky()
    stage.ground("grass", dice.pick(("green", "green", "green", "yellow")), "below", (far, 0.04))
    if dice.chance(0.6):
        x, y = dice.between(0.1, 0.9), dice.between(0.75, 0.9)
        stage.ground("soil", "brown", "ellipse", (x, y, dice.between(0.25, 0.45), dice.between(0.06, 0.1)))
    for _ in range(dice.whole(1, 2)):
        stage.put("house", color=ANY, y=(far + 0.1, far + 0.2), size=(0.26, 0.38))
    for _ in range(dice.whole(1, 2)):
        stage.put("tree", color=LEAVES, y=(far + 0.04, far + 0.18), size=(0.26, 0.42))
    if fence:
        for _ in range(dice.whole(1, 2)):
            stage.put(
                "fence",
                color=("white", "brown", "grey", "black"),
                y=(far + 0.22, 0.96),
                size=(0.1, 0.14),
                plain=True,
            )
    if cue.first:
        stage.put("tractor", color=ANY, y=(0.76, 0.96), size=(0.24, 0.36))
    if dice.chance(0.35):
        stage.put("person", color=ANY, y=(0.8, 0.97), size=(0.24, 0.34))


def _farm(stage: Stage, cue: Cue) -> None:
    _country(stage, cue, fence=True)


def _village(stage: Stage, cue: Cue) -> None:
    _country(stage, cue, fence=False)


def _bird(stage: Stage, cue: Cue, kind: str) -> None:
    dice = stage.dice("bird")
    far, perch = dice.between(0.3, 0.42), dice.between(0.84, 0.92)
    stage.sky()
    if cue.first:
        stage.ground("water", dice.pick(("blue", "blue", "green", "grey")), "below", (far, 0.0))
    else:
        stage.ground("grass", dice.pick(("green", "green", "yellow")), "below", (far, 0.04))
    if dice.chance(0.5):
        far_things = ("boat",) if cue.first else ("tree", "house")
        stage.put(dice.pick(far_things), color=LEAVES, y=(far + 0.08, far + 0.14), size=(0.16, 0.26))
    x = dice.between(0.3, 0.7)
    stage.put(
        "rock",
        color=("grey", "grey", "brown"),
        x=(x, x),
        y=(0.98, 1.0),
        size=(1.0 - perch, 1.02 - perch),
        plain=True,
    )
    stage.put(kind, color=PLUMAGE, x=(x - 0.04, x + 0.04), y=(perch, perch + 0.02), size=(0.36, 0.54), depth=2.0)


def _waterbird(stage: Stage, cue: Cue) -> None:
    _bird(stage, cue, "gull")


def _landbird(stage: Stage, cue: Cue) -> None:
    _bird(stage, cue, "robin")


def _street(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("street")
    pavement, road = dice.between(0.52, 0.58), dice.between(0.66, 0.72)
    stage.sky()
    stage.ground("stone", dice.pick(("grey", "grey", "brown")), "below", (pavement, 0.0))
    stage.ground("road", dice.pick(("grey", "grey", "black")), "below", (road, 0.0))
    line = (road + 1.0) / 2
    for left in (-0.05, 0.25, 0.55, 0.85):
        corners = (
            left,
            line - 0.012,
            left + 0.16,
            line - 0.012,
            left + 0.16,
            line + 0.012,
            left,
            line + 0.012,
        )
        stage.ground("road", "white", "quad", corners, part="lane marking")
    for _ in range(dice.whole(2, 3)):
        stage.put("house", color=ANY, x=(0.0, 1.0), y=(pavement + 0.02, pavement + 0.06), size=(0.34, 0.48))
    if dice.chance(0.5):
        stage.put("streetlamp", color=("black", "grey"), y=(road - 0.03, road), size=(0.42, 0.52), plain=True)
    if dice.chance(0.4):
        stage.put("sign", color=ANY, y=(road - 0.04, road), size=(0.34, 0.46))
    for _ in range(dice.whole(1, 2)):
        stage.put("person", color=ANY, y=(road - 0.06, road), size=(0.22, 0.3))
    for _ in range(dice.whole(1, 3)):
        stage.put("car", color=ANY, x=(0.0, 1.0), y=(road + 0.08, 0.98), size=(0.16, 0.25), farther_smaller=True)


def _highway(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("highway")
    far, goal = dice.between(0.38, 0.48), dice.between(0.35, 0.65)
    stage.sky()
    surface, color = dice.pick((("grass", "green"), ("grass", "yellow"), ("sand", "yellow"), ("snow", "white")))
    stage.ground(surface, color, "below", (far, 0.02))
    corners = (goal - 0.04, far, goal + 0.04, far, 1.0, 1.02, 0.0, 1.02)
    stage.ground("road", dice.pick(("grey", "grey", "black")), "quad", corners)
    for top, bottom in ((0.12, 0.2), (0.3, 0.45), (0.62, 0.9)):
        y0, y1 = far + (1.0 - far) * top, far + (1.0 - far) * bottom
        x0, x1 = goal + (0.5 - goal) * top, goal + (0.5 - goal) * bottom
        wide0, wide1 = 0.02 * top + 0.002, 0.02 * bottom + 0.002
        dash = (x0 - wide0, y0, x0 + wide0, y0, x1 + wide1, y1, x1 - wide1, y1)
        stage.ground("road", "white", "quad", dash, part="lane marking")
    for _ in range(dice.whole(1, 3)):
        stage.put("car", color=ANY, x=(0.3, 0.7), y=(far + 0.16, 0.96), size=(0.14, 0.25), farther_smaller=True)
    for side in dice.pick((((0.04, 0.2),), ((0.8, 0.96),), ((0.04, 0.2), (0.8, 0.96)))):
        stage.put("sign", color=ANY, x=side, y=(0.78, 0.96), size=(0.4, 0.54))


def _forest(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("forest")
    far = dice.between(0.36, 0.48)
    stage.sky()
    stage.ground(*dice.pick((("grass", "green"), ("soil", "brown"))), "below", (far, 0.04))
    for _ in range(dice.whole(4, 6)):
        tall = dice.pick(("tree", "pine"))
        stage.put(tall, color=LEAVES, x=(0.0, 1.0), y=(far + 0.06, 0.9), size=(0.5, 0.68), farther_smaller=True)
    for _ in range(dice.whole(0, 3)):
        stage.put(
            "mushroom",
            color=("red", "brown", "orange", "white", "purple", "yellow"),
            y=(0.84, 0.98),
            size=(0.1, 0.16),
        )
    if dice.chance(0.3):
        stage.put("rock", color=("grey", "brown"), y=(0.8, 0.97), size=(0.08, 0.14))


def _garden(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("garden")
    far = dice.between(0.36, 0.46)
    stage.sky()
    stage.ground("grass", "green", "below", (far, 0.02))
    stage.ground("soil", "brown", "below", (dice.between(0.78, 0.86), 0.02))
    if dice.chance(0.5):
        stage.put("house", color=ANY, y=(far + 0.08, far + 0.14), size=(0.28, 0.38))
    if dice.chance(0.5):
        stage.put("tree", color=LEAVES, y=(far + 0.08, far + 0.14), size=(0.3, 0.42))
    for _ in range(dice.whole(4, 7)):
        stage.put("flower", color=ANY, x=(0.02, 0.98), y=(0.8, 0.99), size=(0.3, 0.44))


def _snowfield(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("snowfield")
    far = dice.between(0.4, 0.54)
    stage.sky(("blue", "blue", "grey", "white", "pink", "purple", "black"))
    stage.ground("snow", "white", "below", (far, 0.05))
    for _ in range(dice.whole(1, 4)):
        stage.put("pine", color=LEAVES, y=(far + 0.03, far + 0.22), size=(0.28, 0.46), farther_smaller=True)
    if dice.chance(0.75):
        stage.put(
            "snowman",
            color=("white", "white", "white", "blue", "grey"),
            y=(0.8, 0.97),
            size=(0.34, 0.5),
            plain=True,
        )
    if dice.chance(0.3):
        stage.put("house", color=ANY, y=(far + 0.06, far + 0.14), size=(0.24, 0.34))
    if dice.chance(0.4):
        stage.put("person", color=ANY, y=(0.78, 0.96), size=(0.26, 0.36))


def _desert(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("desert")
    far = dice.between(0.42, 0.54)
    stage.sky()
    stage.ground("sand", dice.pick(("yellow", "orange")), "below", (far, 0.06))
    if dice.chance(0.5):
        stage.ground("sand", dice.pick(("yellow", "orange")), "below", (far + 0.22, 0.08))
    for _ in range(dice.whole(1, 4)):
        stage.put(
            "cactus",
            color=("green",) * 4 + ("yellow", "purple", "blue"),
            y=(far + 0.08, 0.96),
            size=(0.34, 0.54),
            farther_smaller=True,
        )
    for _ in range(dice.whole(1, 3)):
        stage.put("rock", color=("grey", "brown", "orange", "red"), y=(far + 0.08, 0.97), size=(0.08, 0.16))


def _playground(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("playground")
    far = dice.between(0.44, 0.54)
    stage.sky(("blue", "blue", "blue", "orange", "pink", "grey"))
    stage.ground("grass", dice.pick(("green", "green", "yellow")), "below", (far, 0.02))
    stage.ground("sand", "yellow", "ellipse", (dice.between(0.2, 0.8), 0.84, dice.between(0.25, 0.42), 0.12))
    for _ in range(dice.whole(1, 2)):
        stage.put("kite", color=ANY, y=(0.34, 0.46), size=(0.26, 0.36), lean=0.3)
    for _ in range(dice.whole(1, 3)):
        stage.put("person", color=ANY, y=(far + 0.16, 0.96), size=(0.3, 0.42), farther_smaller=True)
    for _ in range(dice.whole(1, 2)):
        stage.put("ball", color=ANY, y=(0.74, 0.98), size=(0.12, 0.2))


def _room(stage: Stage, cue: Cue) -> None:
    dice = stage.dice("room")
    floor = dice.between(0.6, 0.7)
    stage.ground("wall", dice.pick(("pink", "yellow", "green", "blue", "white", "grey", "purple", "orange", "red")))
    stage.ground("wood", dice.pick(("brown", "brown", "orange")), "below", (floor, 0.0))
    if dice.chance(0.75):
        x, y, size = dice.between(0.25, 0.75), dice.between(floor + 0.18, 0.94), dice.between(0.24, 0.32)
        stage.put("table", color=ANY, x=(x, x), y=(y, y), size=(size, size))
        top = y - size * 0.95
        on_top = dice.pick(("vase", "vase", "ball", "lamp"))
        stage.put(on_top, color=ANY, x=(x - 0.14, x + 0.14), y=(top, top), size=(0.2, 0.26), depth=y + 0.001)
    for _ in range(dice.whole(1, 2)):
        stage.put("chair", color=ANY, y=(floor + 0.1, 0.98), size=(0.34, 0.46))
    if dice.chance(0.5):
        stage.put("lamp", color=ANY, y=(floor + 0.06, 0.94), size=(0.5, 0.64))
    if dice.chance(0.4):
        stage.put("ball", color=ANY, y=(floor + 0.16, 0.98), size=(0.12, 0.18))


SCENES: dict[str, Callable[[Stage, Cue], None]] = {
    "beach": _beach,
    "desert": _desert,
    "farm": _farm,
    "forest": _forest,
    "garden": _garden,
    "harbour": _harbour,
    "highway": _highway,
    "lake": _lake,
    "landbird": _landbird,
    "marsh": _marsh,
    "playground": _playground,
    "room": _room,
    "snowfield": _snowfield,
    "street": _street,
    "village": _village,
    "waterbird": _waterbird,
}
"""The scene classes, alphabetically: the order of the classes of the shipped model."""
