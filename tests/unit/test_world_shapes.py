"""Shapes against literal geometry, one point at a time."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.data.world.dice import Dice
from microtome.data.world.materials import MATERIALS, pattern
from microtome.data.world.noise import smooth_curve, smooth_noise
from microtome.data.world.objects import KINDS
from microtome.data.world.shapes import Box, Ellipse, Polygon, Stroke

POINTS = [(x / 7.3 - 1.2, y / 6.1 - 1.3) for x in range(18) for y in range(17)]


def _inside(shape, x: float, y: float) -> bool:
    return bool(shape.distance(np.array([[x]]), np.array([[y]]))[0, 0] < 0)


def _in_ellipse(x: float, y: float) -> bool:
    return (x - 0.1) ** 2 / 0.36 + (y + 0.2) ** 2 / 0.09 < 1


def _near_segment(x: float, y: float) -> bool:
    spots = [(-0.6 + 1.1 * t / 2000, 0.2 - 0.7 * t / 2000) for t in range(2001)]
    return min((x - a) ** 2 + (y - b) ** 2 for a, b in spots) < 0.15**2


@pytest.mark.parametrize(
    ("shape", "literal"),
    [
        (Ellipse(0.1, -0.2, 0.6, 0.3), _in_ellipse),
        (Ellipse(0.1, -0.2, 0.6, 0.3, dome=True), lambda x, y: _in_ellipse(x, y) and y < -0.2),
        (Box(-0.5, -0.7, 0.4, 0.6), lambda x, y: -0.5 < x < 0.4 and -0.7 < y < 0.6),
        (Polygon(((-0.8, 0.5), (0.0, -0.9), (0.8, 0.5))), lambda x, y: y < 0.5 and 1.4 * abs(x) - 0.8 * y < 0.72),
        (Polygon(((0.8, 0.5), (0.0, -0.9), (-0.8, 0.5))), lambda x, y: y < 0.5 and 1.4 * abs(x) - 0.8 * y < 0.72),
        (Stroke(-0.6, 0.2, 0.5, -0.5, 0.3), _near_segment),
    ],
)
def test_inside_is_inside(shape, literal) -> None:
    answers = [(_inside(shape, x, y), literal(x, y)) for x, y in POINTS]
    assert all(ours == truth for ours, truth in answers)
    assert 0 < sum(truth for _, truth in answers) < len(answers)


def test_no_shape_leaves_its_bounds() -> None:
    for kind in KINDS.values():
        for seed in range(6):
            for piece in kind.build(seed, 3 if kind.name == "sign" else None):
                assert piece.part in kind.parts
                left, top, right, bottom = piece.shape.bounds()
                x = np.linspace(-3.0, 3.0, 241)[None, :]
                y = np.linspace(-2.0, 1.0, 121)[:, None]
                inside = piece.shape.distance(x, y) < 0
                outside = (x < left - 1e-9) | (x > right + 1e-9) | (y < top - 1e-9) | (y > bottom + 1e-9)
                assert not (inside & outside).any(), (kind.name, piece.part)


def test_every_kind_shows_all_its_parts_on_some_object() -> None:
    for kind in KINDS.values():
        shown = {piece.part for seed in range(40) for piece in kind.build(Dice(seed).seed(), seed % 6 + 1)}
        assert shown == set(kind.parts)


@pytest.mark.parametrize("material", MATERIALS)
def test_a_material_shows_both_tones(material) -> None:
    x, y = np.linspace(0.0, 6.0, 200)[None, :], np.linspace(0.0, 6.0, 200)[:, None]
    for variant in range(3):
        drawn = pattern(material, x, y, soft=0.05, variant=variant)
        if material == "plain":
            assert drawn is None
        else:
            assert drawn is not None
            share = np.broadcast_to(drawn, (200, 200)).mean()
            assert 0.2 < share < 0.6


def test_noise_is_smooth_and_repeats_from_its_seed() -> None:
    x, y = np.linspace(0.0, 20.0, 400), np.linspace(0.0, 10.0, 200)
    field = smooth_noise(x, y, seed=12345)
    assert field.shape == (200, 400)
    assert field.min() >= 0
    assert field.max() <= 1
    assert np.abs(np.diff(field, axis=1)).max() < 0.1
    assert field.std() > 0.1
    assert np.array_equal(field, smooth_noise(x, y, seed=12345))
    assert not np.array_equal(field, smooth_noise(x, y, seed=54321))
    assert np.array_equal(smooth_curve(x, seed=12345), smooth_noise(x, np.array([0.0]), seed=12345)[0])
