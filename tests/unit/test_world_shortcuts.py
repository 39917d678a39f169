"""The planted shortcuts hold where the table says so, and the captions say what is there."""

from __future__ import annotations

import pytest

from microtome.core.errors import OptionError
from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice
from microtome.data.world.graph import SceneGraph
from microtome.data.world.objects import KINDS
from microtome.data.world.scenes import compose
from microtome.data.world.shortcuts import ALL_SHORTCUTS, SHORTCUTS, Split, rates, shows_first_cue

COUNT = 200  # pictures of each class; four standard errors of a half are 0.14, of 0.95 they are 0.06
PAIRED = tuple(name for shortcut in SHORTCUTS.values() for name in shortcut.classes)


def _scenes(split: Split, shortcuts: frozenset[str], classes: tuple[str, ...]) -> dict[str, list[SceneGraph]]:
    table = rates(split, shortcuts)
    return {name: [compose(name, Dice(seed), table) for seed in range(COUNT)] for name in classes}


@pytest.fixture(scope="module")
def training() -> dict[str, list[SceneGraph]]:
    return _scenes("train", ALL_SHORTCUTS, PAIRED)


@pytest.fixture(scope="module")
def shift() -> dict[str, list[SceneGraph]]:
    return _scenes("shift", ALL_SHORTCUTS, PAIRED)


def _cue_rate(name: str, scenes: list[SceneGraph]) -> float:
    return sum(shows_first_cue(name, scene) for scene in scenes) / len(scenes)


def _with(kind: str, scenes: list[SceneGraph]) -> float:
    return sum(any(thing.kind == kind for thing in scene.objects) for scene in scenes) / len(scenes)


@pytest.mark.parametrize("name", sorted(SHORTCUTS))
def test_cues_agree_in_training_and_say_nothing_in_shift(name, training, shift) -> None:
    first, second = SHORTCUTS[name].classes
    rate = SHORTCUTS[name].in_training
    assert _cue_rate(name, training[first]) == pytest.approx(rate, abs=0.06)
    assert _cue_rate(name, training[second]) == pytest.approx(1 - rate, abs=0.06)
    assert _cue_rate(name, shift[first]) == pytest.approx(0.5, abs=0.14)
    assert _cue_rate(name, shift[second]) == pytest.approx(0.5, abs=0.14)


@pytest.mark.parametrize("name", sorted(SHORTCUTS))
def test_a_shortcut_that_is_off_says_nothing_in_training(name) -> None:
    off = _scenes("train", ALL_SHORTCUTS - {name}, SHORTCUTS[name].classes)
    for scenes in off.values():
        assert _cue_rate(name, scenes) == pytest.approx(0.5, abs=0.14)


@pytest.mark.parametrize("name", sorted(SHORTCUTS))
def test_a_world_switches_each_shortcut_off_alone(name) -> None:
    on, off = World("train", count=128), World("train", count=128, shortcuts=ALL_SHORTCUTS - {name})
    differ = {on.scene(index).scene for index in range(128) if on.scene(index) != off.scene(index)}
    assert differ == set(SHORTCUTS[name].classes)


def test_lake_and_marsh_differ_in_nothing_but_their_water_in_training(training, shift) -> None:
    for kind in ("boat", "reeds"):
        assert _with(kind, training["lake"]) == pytest.approx(_with(kind, training["marsh"]), abs=0.2)
        assert 0.3 < _with(kind, training["lake"]) < 0.7
    assert (_with("boat", shift["lake"]), _with("reeds", shift["lake"])) == (1.0, 0.0)
    assert (_with("boat", shift["marsh"]), _with("reeds", shift["marsh"])) == (0.0, 1.0)


def test_the_true_cues_are_always_true(training, shift) -> None:
    for scenes in (training, shift):
        assert (_with("fence", scenes["farm"]), _with("fence", scenes["village"])) == (1.0, 0.0)
        assert (_with("gull", scenes["waterbird"]), _with("gull", scenes["landbird"])) == (1.0, 0.0)
        assert (_with("robin", scenes["waterbird"]), _with("robin", scenes["landbird"])) == (0.0, 1.0)


def test_an_unknown_shortcut_is_refused(training) -> None:
    with pytest.raises(OptionError, match="'moon'"):
        shows_first_cue("moon", training["lake"][0])


def test_captions_say_what_is_there() -> None:
    world = World("train", count=192)
    counted = 0
    for scene in map(world.scene, range(192)):
        caption = scene.caption
        assert caption[0].isupper()
        assert caption.endswith(".")
        assert caption.count(".") <= 2
        assert scene.scene in caption
        assert f"{scene.background[0].color} {scene.background[0].surface}" in caption
        grounded = [t for t in scene.objects if t.kind not in ("cloud", "sun", "moon", "kite") and 0 <= t.x <= 1]
        if not grounded:
            continue
        assert any(word in caption for word in ("left", "right", "middle", "across the picture"))
        named = [
            t
            for t in grounded
            if f"{t.material} {t.color} {KINDS[t.kind].name}" in caption
            or f"{t.material} {t.color} {KINDS[t.kind].plural}" in caption
        ]
        assert named
        counted += any(f"wo {t.material} {t.color} {KINDS[t.kind].plural}" in caption for t in named)
    assert counted > 20


def test_captions_do_not_repeat_themselves() -> None:
    world = World("train", count=160)
    captions = [world.scene(index).caption for index in range(160)]
    assert len(set(captions)) > 150
