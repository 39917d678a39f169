"""Units and directions read alike: as rows, and as values at each position."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.core.direction import Direction, basis, reading, rows
from microtome.core.errors import ModelError
from microtome.core.site import Site

SITE = Site("layer", 1, (4, 3, 2), 4)
OTHER = Site("head", 1, (4,), 4)
MIXED = Direction(SITE, np.array([1.0, -2.0, 0.0, 0.5]), "mixed")


def test_a_unit_is_the_direction_along_its_axis() -> None:
    one = basis(SITE, 2)
    assert one.name == "layer:2"
    assert one.site == SITE
    assert one.vector.tolist() == [0.0, 0.0, 1.0, 0.0]
    with pytest.raises(ModelError, match="Unit 4 is not in layer 'layer'"):
        basis(SITE, 4)


def test_rows_stack_units_and_directions_in_their_order() -> None:
    stacked = rows([SITE.unit(3), MIXED, basis(SITE, 0)])
    assert stacked.tolist() == [[0, 0, 0, 1], [1, -2, 0, 0.5], [1, 0, 0, 0]]


def test_slices_of_different_sites_are_refused_by_name() -> None:
    for read in (rows, lambda slices: reading(np.zeros((2, 4)), slices, 1)):
        with pytest.raises(ModelError, match="Slices of layer 'layer' stand beside slices of 'head'"):
            read([SITE.unit(0), basis(OTHER, 0)])
        with pytest.raises(ModelError, match="no slices"):
            read([])


@pytest.mark.parametrize(("shape", "axis"), [((5, 4, 3, 2), 1), ((5, 3, 4), 2), ((5, 4), -1), ((4,), 0)])
def test_reading_is_the_weighted_sum_along_the_unit_axis(shape: tuple[int, ...], axis: int) -> None:
    activations = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    read = reading(activations, [MIXED, SITE.unit(1), basis(SITE, 1)], axis)
    assert read.shape == tuple(3 if place == axis % len(shape) else size for place, size in enumerate(shape))
    by_unit = np.moveaxis(activations, axis, 0).astype(float)
    mixed, unit, direction = np.moveaxis(read, axis, 0)
    np.testing.assert_allclose(mixed, by_unit[0] - 2 * by_unit[1] + 0.5 * by_unit[3], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(unit, by_unit[1])
    np.testing.assert_array_equal(direction, by_unit[1])


def test_a_unit_is_read_whatever_the_others_hold() -> None:
    activations = np.array([[1.0, np.nan, 3.0, np.inf]])
    assert reading(activations, [SITE.unit(0), SITE.unit(2)], 1).tolist() == [[1.0, 3.0]]


def test_activations_of_another_layer_are_refused() -> None:
    with pytest.raises(ModelError, match="no 4 units along axis 1"):
        reading(np.zeros((2, 5)), [MIXED], 1)
    with pytest.raises(ModelError, match="along axis 2"):
        reading(np.zeros((2, 4)), [MIXED], 2)
