"""Interventions are data; a combination of fields that means nothing is refused when it is made."""

from __future__ import annotations

import pytest

from microtome.core.errors import OptionError
from microtome.core.intervention import Intervention, ablate, add, clamp, project, replace, resample, scale


def test_the_verbs_make_the_kinds() -> None:
    assert ablate("a", [2, 1]).kind == "ablate-zero"
    assert ablate("a", range(2), mean=0.5).kind == "ablate-mean"
    assert resample("a", seed=0).kind == "ablate-resample"
    assert replace("a", 1.0).kind == "replace"
    assert add("a", 1.0, [3]).kind == "add"
    assert clamp("a", high=1.0).kind == "clamp"
    assert scale("a", 0.5, [3]).kind == "scale"
    assert project("a", [1.0, 2.0], [3, 4]).kind == "project"
    assert project("a", [1.0, 2.0], range(2)).units == (0, 1)
    assert scale("a", 0.0).units is None
    assert ablate("a", [2, 1]).units == (2, 1)
    assert ablate("a").units is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "ablate-mean"}, "needs `value`"),
        ({"kind": "replace"}, "needs `value`"),
        ({"kind": "add"}, "needs `value`"),
        ({"kind": "scale"}, "needs `value`"),
        ({"kind": "project"}, "needs `value`"),
        ({"kind": "scale", "value": 1.0, "high": 2.0}, "`high` has no meaning"),
        ({"kind": "project", "value": [1.0], "seed": 2}, "`seed` has no meaning"),
        ({"kind": "project", "value": [1.0], "low": 0.0, "high": 1.0}, "`high`, `low` has no meaning"),
        ({"kind": "ablate-resample"}, "either `value` or `seed`"),
        ({"kind": "ablate-resample", "value": 1.0, "seed": 1}, "either `value` or `seed`"),
        ({"kind": "clamp"}, "needs `low` or `high`"),
        ({"kind": "ablate-zero", "value": 1.0}, "`value` has no meaning"),
        ({"kind": "replace", "value": 1.0, "low": 0.0}, "`low` has no meaning"),
        ({"kind": "ablate-zero", "units": ()}, "empty"),
        ({"kind": "ablate-zero", "units": (-1,)}, "negative"),
        ({"kind": "ablate-zero", "units": (1, 1)}, "twice"),
    ],
)
def test_a_meaningless_combination_is_refused(fields, message) -> None:
    with pytest.raises(OptionError, match=message):
        Intervention("layer4", **fields)


def test_a_factor_of_zero_is_a_value() -> None:
    """Only None is missing: scaling to nothing must not be taken for no factor."""
    assert scale("a", 0).value == 0
    assert scale("a", 0.0, [1]).value == 0.0
