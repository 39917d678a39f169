"""Directions asked about as units are: the direction of one unit is that unit, in every table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from microtome.core.direction import Direction, basis
from microtome.core.errors import RunError
from microtome.core.parse import parse
from microtome.recipes.audit.effect_tables import Measured, class_rows, worst_columns
from microtome.recipes.audit.effects import NEAREST, UnitEffect
from microtome.recipes.audit.nouns import Change, Named
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.audit.weighed import (
    DEALT,
    FILE,
    Weighed,
    effect_rows,
    fires_on,
    keep_directions,
    kept_directions,
    like_directions,
    named_direction,
    peaks_of,
)
from microtome.store.tables import make_table
from tests.unit.test_audit_unit_model import ASKED, acts_of, deep, pictures

TRUTH = np.array([0, 1, 2, 3, 0, 1, 2])


@pytest.fixture(scope="module", params=ASKED)
def asked(request: pytest.FixtureRequest) -> UnitModel:
    return ASKED[request.param]()


def weighed_of(asked: UnitModel, direction: Direction, *, threshold: float = 0.0, place: int = 0) -> Weighed:
    named = named_direction(place, parse("water AND NOT blue"), 0.5, 0.01)
    return Weighed(direction.unit_length(), threshold, named)


def some_direction(asked: UnitModel, seed: int = 3) -> Direction:
    vector = np.random.default_rng(seed).normal(size=asked.site.units)
    return Direction(asked.site, vector, "some")


def named_all(asked: UnitModel) -> UnitModel:
    names = {n: Named(n, f"unit {n}", "", "", float("nan"), False) for n in range(asked.site.units)}
    return UnitModel(asked.model, asked.site.layer, names, {}, batch_size=3)


def test_what_one_units_direction_adds_is_what_the_unit_adds(asked: UnitModel) -> None:
    held = asked.read(pictures(asked))
    everyone = asked.speaks(held, TRUTH, 1)
    np.testing.assert_allclose(
        asked.speaks_along(held, TRUTH, 1, np.eye(asked.site.units)), everyone, rtol=1e-9, atol=1e-12
    )
    # A direction adds its weights' share of both: the gradient along it times the activation along it.
    way = some_direction(asked).unit_length().vector
    (found,) = asked.speaks_along(held, TRUTH, 1, way[None])
    turned = np.linalg.qr(np.column_stack([way, np.eye(asked.site.units)[:, :-1]]))[0].T
    assert asked.speaks_along(held, TRUTH, 1, turned).sum() == pytest.approx(everyone.sum(), rel=1e-6)
    assert found == pytest.approx(float(asked.speaks_along(held, TRUTH, 1, -way[None])[0]))


def test_a_unit_as_a_direction_has_the_units_row_of_effects() -> None:
    asked = named_all(ASKED["linear tail"]())
    images = pictures(asked, count=12)
    held, truth = asked.read(images), np.arange(12) % 4
    asked.settle(held, np.ones(12, bool))
    measured = Measured(asked, held, images, truth, seed=0)
    unit = int(np.argmax(asked.mass(held)))
    rows, by_class = effect_rows(asked, [weighed_of(asked, basis(asked.site, unit))], held, truth, images, seed=0)
    without = asked.answer(held, Change(parts=(unit,)))
    np.testing.assert_allclose(asked.answer(held, Change(direction=basis(asked.site, unit).vector)), without)
    (row,) = rows
    assert row["part"] is None
    assert (row["title"], row["kind"], row["named"]) == ("direction of water, but not blue", "direction", True)
    own = dict(measured.each("mean"))[unit]
    right = (own.argmax(axis=1) == truth).astype(float) - (measured.before.argmax(axis=1) == truth)
    assert row["accuracy"] == pytest.approx(right.mean())
    assert row["mass"] == pytest.approx(asked.mass(held)[unit])
    assert row["loss_low"] <= row["loss"] <= row["loss_high"]
    assert row["loss"] != 0
    worst = float(np.nanmin(by_class[-1]))
    assert row.get("worst_class_change") == (worst if worst < 0 else None)
    fires = np.array([acts[unit].max() > 0 for acts in acts_of(asked, images)])
    assert row["inputs"] == fires.sum()


def test_a_class_is_hurt_most_only_where_one_is_hurt() -> None:
    classes = ("a", "b", "c")
    hurt = UnitEffect(*[0.0] * 6, np.array([0.1, -0.2, np.nan]))
    assert worst_columns(hurt, classes) == {"worst_class": "b", "worst_class_change": -0.2}
    assert worst_columns(UnitEffect(*[0.0] * 6, np.array([0.1, 0.0, np.nan])), classes) == {}


def test_controls_have_the_same_weights_in_another_order_and_like_mass() -> None:
    generator = np.random.default_rng(0)
    values, vector = generator.random((40, 30)) * np.arange(1, 31), generator.normal(size=30)
    found = like_directions(vector, values, seed=4)
    assert len(found) == NEAREST < DEALT
    goal = np.abs(values @ vector).mean()
    away = [abs(np.abs(values @ way).mean() - goal) for way in found]
    assert away == sorted(away)
    drawn = np.random.default_rng([4, 101])
    dealt = [drawn.permutation(vector) for _ in range(DEALT)]
    assert max(away) <= sorted(abs(np.abs(values @ way).mean() - goal) for way in dealt)[NEAREST]
    assert all(np.array_equal(np.sort(way), np.sort(vector)) for way in found)


def test_a_direction_fires_where_its_reading_is_above_the_threshold_anywhere(asked: UnitModel) -> None:
    images = pictures(asked, count=5)
    direction = some_direction(asked).unit_length()
    acts = acts_of(asked, images).numpy()
    literal = np.array([max((one * direction.vector[:, None, None]).sum(axis=0).ravel()) for one in acts])
    middle = float(np.sort(literal)[2])
    weighed = [weighed_of(asked, direction, threshold=middle)]
    np.testing.assert_allclose(peaks_of(asked, weighed, images)[:, 0], literal, rtol=1e-4, atol=1e-6)
    fires = fires_on(asked, [weighed_of(asked, direction, threshold=middle - 1e-3)], images)[:, 0]
    assert fires.tolist() == (literal > middle - 1e-3).tolist()
    assert peaks_of(asked, weighed, []).shape == (0, 1)


def test_directions_are_kept_in_a_run_and_read_again(tmp_path: Path) -> None:
    asked = UnitModel(deep(), "relu1", {}, {})
    one = weighed_of(asked, some_direction(asked), threshold=0.25)
    row = {"concept": "water AND NOT blue", "iou": 0.5, "p": 0.01}
    pq.write_table(make_table("concept_directions", [row]), tmp_path / "concept_directions.parquet")
    assert kept_directions(tmp_path, asked) == ()
    means = np.random.default_rng(9).random(asked.site.units)
    keep_directions([one], tmp_path, means)
    (again,) = kept_directions(tmp_path, asked)
    np.testing.assert_array_equal(asked.means, means)
    np.testing.assert_array_equal(again.direction.vector, one.direction.vector)
    assert (again.threshold, again.named) == (one.threshold, one.named)
    other = UnitModel(deep(), "relu2", {}, {})
    with pytest.raises(RunError, match="does not fit"):
        kept_directions(tmp_path, other)
    (tmp_path / "empty").mkdir()
    keep_directions([], tmp_path / "empty", means)
    assert not (tmp_path / "empty" / FILE).exists()


def test_a_class_page_lists_directions_among_units_by_what_they_add() -> None:
    names = {
        **{n: Named(n, f"unit {n}", "", "", 0.1, True) for n in range(3)},
        -1: Named(-1, "direction of water", "water", "water", 0.6, True),
    }  # fmt: skip
    change = {number: np.array([0.0, -0.1 * number]) for number in names}
    rows = class_rows(
        names, ("lake", "farm"), {1: {0: 0.2, 1: -0.4, 2: 0.0, -1: 0.9}}, change, {n: np.arange(2.0) for n in names}
    )
    assert [(row["title"], row["part"], row["sign"]) for row in rows] == [
        ("direction of water", None, "for"), ("unit 0", 0, "for"), ("unit 1", 1, "against")
    ]  # fmt: skip
    assert [row["class_change"] for row in rows] == pytest.approx([0.1, 0.0, -0.1])
    assert {(row["target"], row["weight"]) for row in rows} == {("farm", 1.0)}
