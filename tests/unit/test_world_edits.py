"""Pictures drawn again with one factor changed: nothing else may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microtome.core.errors import OptionError
from microtome.data.world.dataset import World
from microtome.data.world.graph import (
    Ground,
    Thing,
    add,
    recolour,
    remove,
    with_background,
    with_material,
    with_numeral,
    with_water_colour,
)
from microtome.data.world.render import footprint, render, render_full
from microtome.data.world.vocabulary import PLANES, plane_value

SCENES = [(split, index) for split in ("train", "shift") for index in range(20)]


def _changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=-1)


def _grown(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    size = mask.shape[0]
    shifts = [padded[r : r + size, c : c + size] for r in range(3) for c in range(3)]
    return np.logical_or.reduce(shifts)


@pytest.mark.parametrize(("split", "index"), SCENES)
def test_an_edit_of_one_object_changes_no_pixel_outside_it(split, index) -> None:
    scene = World(split, count=32).scene(index)
    before, truth = render(scene, 96)
    for number in range(len(scene.objects)):
        touched = footprint(scene, number, 96)
        other = "red" if scene.objects[number].color != "red" else "blue"
        for edited in (recolour(scene, number, other), remove(scene, number), with_material(scene, number, "checked")):
            after, new_truth = render(edited, 96)
            assert not _changed(before, after)[~touched].any()
            assert (truth == new_truth)[:, ~touched].all()
    # Control: what is in sight does change.
    nearest = scene.drawing_order[-1]
    assert _changed(before, render(remove(scene, nearest), 96)[0]).any()


def test_recolouring_changes_the_true_colour_of_the_object_and_of_nothing_else() -> None:
    scene = add(World("train", count=1).scene(0), Thing("car", "red", "plain", 0.5, 0.9, 0.3, depth=9.0))
    number = len(scene.objects) - 1
    before = render_full(scene, 96)
    after = render_full(recolour(scene, number, "green"), 96)
    changed = before.planes != after.planes
    assert changed[0].any()
    assert not changed[1:].any()
    mine = before.instances == number
    assert (before.planes[0][changed[0]] == plane_value("color", "red")).all()
    assert (after.planes[0][changed[0]] == plane_value("color", "green")).all()
    assert mine[changed[0]].all()
    wheels = before.planes[PLANES.index("part")] == plane_value("part", "wheel")
    assert (after.planes[0][wheels & mine] == plane_value("color", "black")).all()


def test_adding_and_removing_are_opposites() -> None:
    scene = World("train", count=4).scene(3)
    thing = Thing("sign", "yellow", "plain", 0.4, 0.95, 0.5, depth=9.0, numeral=4)
    more = add(scene, thing)
    assert remove(more, len(more.objects) - 1) == scene
    before, after = render(scene, 96)[0], render(more, 96)[0]
    touched = footprint(more, len(more.objects) - 1, 96)
    assert _changed(before, after).any()
    assert not _changed(before, after)[~touched].any()


def test_water_changes_its_colour_alone() -> None:
    world = World("train", count=64)
    lake = next(scene for scene in map(world.scene, range(64)) if scene.scene == "lake")
    before, truth = render(lake, 96)
    after, new_truth = render(with_water_colour(lake, "grey"), 96)
    water = truth[PLANES.index("surface")] == plane_value("surface", "water")
    assert water.mean() > 0.1
    assert (new_truth[0][water] == plane_value("color", "grey")).all()
    assert np.array_equal(truth[1:], new_truth[1:])
    # Blended edges reach one pixel beyond the water.
    assert not _changed(before, after)[~_grown(water)].any()
    assert _changed(before, after)[water].mean() > 0.95


def test_another_background_leaves_the_objects_where_they_are() -> None:
    scene = World("train", count=1).scene(0)
    before = render_full(scene, 96)
    after = render_full(with_background(scene, (Ground("snow", "white"),)), 96)
    assert np.array_equal(before.instances, after.instances)
    mine = before.instances >= 0
    assert np.array_equal(before.planes[:, mine], after.planes[:, mine])
    surface = after.planes[PLANES.index("surface")]
    assert (surface[~mine] == plane_value("surface", "snow")).all()


def test_nearer_things_cover_farther_ones() -> None:
    scene = World("train", count=1).scene(0)
    front = Thing("ball", "red", "plain", 0.5, 0.8, 0.3, depth=9.0)
    behind = replace(front, color="blue", depth=8.0, x=0.55)
    both = replace(scene, objects=(front, behind))
    seen = render_full(both, 96).instances
    alone = render_full(replace(scene, objects=(front,)), 96).instances
    assert np.array_equal(seen == 0, alone == 0)
    assert 0 < (seen == 1).sum() < (alone == 0).sum()


def test_wheels_are_below_windows() -> None:
    scene = World("train", count=1).scene(0)
    for kind in ("car", "tractor"):
        thing = Thing(kind, "red", "plain", 0.5, 0.9, 0.5)
        part = render(replace(scene, objects=(thing,)), 96)[1][PLANES.index("part")]
        wheel_rows = np.flatnonzero((part == plane_value("part", "wheel")).any(axis=1))
        window_rows = np.flatnonzero((part == plane_value("part", "window")).any(axis=1))
        assert window_rows.max() < wheel_rows.min() + 2
        assert {"wheel", "window"} <= set(thing.parts)


def test_a_sign_bears_its_numeral() -> None:
    scene = World("train", count=1).scene(0)
    sign = replace(scene, objects=(Thing("sign", "red", "plain", 0.5, 0.95, 0.6, numeral=1),))
    shapes = set()
    for numeral in range(1, 7):
        drawn = with_numeral(sign, 0, numeral)
        plane = render(drawn, 96)[1][PLANES.index("part")] == plane_value("part", f"numeral {numeral}")
        assert plane.sum() > 20
        shapes.add(plane.tobytes())
        assert drawn.objects[0].attributes["numeral"] == numeral
        assert f"numeral {numeral}" in drawn.objects[0].parts
    assert len(shapes) == 6


def test_impossible_edits_are_refused() -> None:
    scene = World("train", count=1).scene(0)
    with pytest.raises(OptionError, match="no object 99"):
        remove(scene, 99)
    with pytest.raises(OptionError, match="colour 'mauve'"):
        recolour(scene, 0, "mauve")
    with pytest.raises(OptionError, match="kind of object 'dragon'"):
        Thing("dragon", "red", "plain", 0.5, 0.5, 0.5)
    with pytest.raises(OptionError, match="cover the whole picture"):
        with_background(scene, ())
    with pytest.raises(OptionError, match="numeral 9"):
        with_numeral(replace(scene, objects=(Thing("sign", "red", "plain", 0.5, 0.9, 0.5, numeral=1),)), 0, 9)
