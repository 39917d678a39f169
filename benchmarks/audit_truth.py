"""What a network really uses, by counterfactual rendering: the same scene drawn again with one thing changed.

Nothing here knows of the audit. Each scene of the shortcut's two classes, answered rightly, is drawn again with its
misleading cue changed to that of the other class, and with something else of the same size changed (the control).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.small_scenes import SIZE
from microtome.data.world.dataset import World
from microtome.data.world.graph import SceneGraph, add, remove, with_background, with_water_colour
from microtome.data.world.render import render
from microtome.data.world.shortcuts import SHORTCUTS, shows_first_cue
from microtome.verify.flips import BAR, flip_test

SCENES = 1600
Answer = Callable[[list[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Used:
    """How often the cue turns one class into the other.

    Attributes
    ----------
    scenes:
        Answered rightly before.
    rate, control, difference, low, high:
        Shares turned, by the cue and by the control, and the difference with its 95 % interval.
    used:
        Whether the difference is at least 10 points and its interval above 0.
    """

    scenes: int
    rate: float
    control: float
    difference: float
    low: float
    high: float
    used: bool


def really_used(name: str, answer: Answer, classes: tuple[str, ...], *, seed: int, count: int = SCENES) -> Used:
    """Measure a shortcut on fresh scenes in which its cue is there half of the time."""
    world = World("heldout", count=count, size=SIZE, seed=1000 + seed, shortcuts=frozenset())
    pair = SHORTCUTS[name].classes
    scenes = [scene for scene in map(world.scene, range(count)) if scene.scene in pair]
    # Only pictures that show their own class's cue: changing it is what misleads.
    scenes = [scene for scene in scenes if shows_first_cue(name, scene) == (scene.scene == pair[0])]
    drawn = [(scene, changed(name, scene), otherwise(name, scene)) for scene in scenes]
    kept = [(scene, new, other) for scene, new, other in drawn if new is not None and other is not None]
    answers = [answer([render(each[k], SIZE)[0] for each in kept]) for k in range(3)]  # type: ignore[arg-type]
    truth = np.array([classes.index(scene.scene) for scene, *_ in kept])
    goal = np.array([classes.index(pair[1] if scene.scene == pair[0] else pair[0]) for scene, *_ in kept])
    right = answers[0] == truth
    turned, control = right & (answers[1] == goal), right & (answers[2] == goal)
    test = flip_test(turned[right], control[right][:, None], seed=seed)
    found = test.difference
    used = bool(right.sum() >= 10 and found.mean >= BAR and found.low > 0)
    return Used(int(right.sum()), test.turned.rate, test.control.mean, found.mean, found.low, found.high, used)


def changed(name: str, scene: SceneGraph) -> SceneGraph | None:
    """The scene with the misleading cue of the other class."""
    first = scene.scene == SHORTCUTS[name].classes[0]
    if name == "water-color":
        return with_water_colour(scene, "green" if first else "blue")
    if name == "farm-tractor":
        return _without(scene, "tractor") if first else _with_tractor(scene, "tractor")
    return _grounded(scene, "grass", "green") if first else _grounded(scene, "water", "blue")


def otherwise(name: str, scene: SceneGraph) -> SceneGraph | None:
    """The scene with something else changed."""
    first = scene.scene == SHORTCUTS[name].classes[0]
    if name == "water-color":
        return with_water_colour(scene, "grey")
    if name == "farm-tractor":
        return _without(scene, "tree") if first else _with_tractor(scene, "boat")
    return _grounded(scene, "sand", "yellow")


def _grounded(scene: SceneGraph, surface: str, color: str) -> SceneGraph:
    """All ground below the sky made of another surface."""
    kept = scene.background[0]
    rest = tuple(replace(ground, surface=surface, color=color) for ground in scene.background[1:])
    return with_background(scene, (kept, *rest))


def _without(scene: SceneGraph, kind: str) -> SceneGraph | None:
    places = [place for place, thing in enumerate(scene.objects) if thing.kind == kind]
    for place in reversed(places):
        scene = remove(scene, place)
    return scene if places else None


def _with_tractor(scene: SceneGraph, kind: str) -> SceneGraph | None:
    """A tractor, or another thing in its place, in front, where farms have theirs."""
    model = scene.objects[0]
    x = 0.3 if model.x > 0.5 else 0.7
    return add(scene, replace(
        model, kind=kind, color="red", material="plain", x=x, y=0.86, size=0.3, depth=0.86, numeral=None, tilt=0.0
    ))  # fmt: skip
