"""Sites, units and directions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from microtome.core.direction import Direction
from microtome.core.errors import ModelError
from microtome.core.site import Site, Unit


@pytest.mark.parametrize(
    ("axis", "shape", "units", "positions", "spatial"),
    [
        (1, (512, 7, 7), 512, (7, 7), True),
        (3, (7, 7, 96), 96, (7, 7), True),
        (1, (512, 1, 1), 512, (1, 1), False),
        (1, (8, 1, 9), 8, (1, 9), True),
        (2, (197, 192), 192, (197,), False),
        (1, (10,), 10, (), False),
    ],
)
def test_a_site_knows_its_positions_and_whether_they_are_a_map(axis, shape, units, positions, spatial) -> None:
    site = Site("x", axis, shape, units)
    assert site.positions == positions
    assert site.spatial is spatial


def test_axes_that_are_no_part_of_the_image_are_not_spatial() -> None:
    assert not Site("attention", 1, (3, 197, 197), 3, in_image=False).spatial


@pytest.mark.parametrize(("axis", "shape", "units"), [(0, (4,), 4), (2, (4,), 4), (1, (4, 3, 3), 3)])
def test_a_site_that_contradicts_itself_is_refused(axis, shape, units) -> None:
    with pytest.raises(ModelError):
        Site("x", axis, shape, units)


def test_a_unit_outside_its_site_is_refused() -> None:
    site = Site("layer4", 1, (4, 2, 2), 4)
    assert str(site.unit(3)) == "layer4:3"
    for index in (-1, 4):
        with pytest.raises(ModelError, match="from 0 to 3"):
            Unit(site, index)


def test_a_direction_has_a_number_for_each_unit() -> None:
    site = Site("fc", 1, (2,), 2)
    assert np.allclose(Direction(site, np.array([3.0, 4.0]), "up").unit_length().vector, [0.6, 0.8])
    for vector in ([1.0, 2.0, 3.0], [0.0, 0.0], [np.nan, 1.0]):
        with pytest.raises(ModelError, match="up"):
            Direction(site, np.array(vector), "up")


def test_the_nouns_do_not_import_torch() -> None:
    code = (
        "import sys, microtome.core.site, microtome.core.direction, microtome.core.intervention;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
