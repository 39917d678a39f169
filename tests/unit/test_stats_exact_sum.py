"""Sums that no order and no grouping changes, against exact arithmetic."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.stats.exact_sum import ExactSum
from tests.support.shards import reloaded, same_bits

SIZES = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(-1e-9, 1e-9),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e11, -1e11, 2.0**39, 5e-324, -5e-324, 1e-300, -1e-300, 0.1, -0.1]),
)
LISTS = st.lists(SIZES, min_size=1, max_size=60)
TINY = 2.0**-79


def summed(values: list[float], *, unit: float = 1.0) -> ExactSum:
    made = ExactSum((1,), unit=unit)
    for value in values:
        made.add(np.array([value]))
    return made


def exactly(values: list[float]) -> Fraction:
    return sum((Fraction(value) for value in values), Fraction())


@settings(max_examples=200)
@given(values=LISTS, dice=st.randoms(use_true_random=False))
def test_order_and_grouping_never_change_a_bit(values: list[float], dice: random.Random) -> None:
    expected = summed(values)
    shuffled = dice.sample(values, len(values))
    shards = [ExactSum((1,)) for _ in range(dice.randint(1, 4))]
    for value in shuffled:
        place = dice.randrange(len(shards))
        shards[place].add(np.array([value]))
        if dice.random() < 0.2:
            shards[place] = reloaded(shards[place])
    while len(shards) > 1:
        dice.shuffle(shards)
        last = shards.pop()
        shards[0].merge(last)
    assert same_bits(shards[0].state(), expected.state())
    assert shards[0].value().tobytes() == expected.value().tobytes()


@settings(max_examples=300)
@given(values=LISTS)
def test_the_sum_is_exact_to_the_last_place_of_the_unit(values: list[float]) -> None:
    """Each addend is kept to 2^-80 of the unit, and one rounding to float64 follows."""
    found = Fraction(float(summed(values).value()[0]))
    exact = exactly(values)
    assert abs(found - exact) <= len(values) * Fraction(TINY) + abs(exact) * Fraction(2) ** -52


@settings(max_examples=100)
@given(values=LISTS)
def test_numbers_and_their_negatives_cancel(values: list[float]) -> None:
    assert summed([*values, *(-value for value in values)]).value()[0] == 0.0


@pytest.mark.parametrize("unit", [2.0**-20, 1.0, 2.0**30])
def test_equal_to_fsum_on_usual_numbers(unit: float) -> None:
    rng = np.random.default_rng(1)
    values = (rng.standard_normal(3000) * unit * 10.0 ** rng.integers(-3, 3, 3000)).tolist()
    found = float(summed(values, unit=unit).value()[0])
    assert found == pytest.approx(math.fsum(values), rel=3e-16)
    # The control: a plain running sum is not.
    assert sum(values) != found


def test_arrays_of_any_shape_sum_place_by_place() -> None:
    rng = np.random.default_rng(2)
    blocks = rng.standard_normal((7, 2, 3, 4)).astype(np.float32)
    made = ExactSum((2, 3, 4))
    for block in blocks:
        made.add(block)
    expected = [math.fsum(column) for column in blocks.reshape(7, -1).T.astype(float)]
    assert np.allclose(made.value().ravel(), expected, rtol=1e-15, atol=0)
    assert made.value().dtype == np.float64
    assert made.nbytes == 3 * 8 * 24


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**50, -(2.0**50), 1e300])
def test_what_cannot_be_added_is_refused_and_changes_nothing(value: float) -> None:
    made = summed([1.5])
    before = {name: array.copy() for name, array in made.state().items()}
    with pytest.raises(ValueError, match="not finite, or above"):
        made.add(np.array([value]))
    assert same_bits(made.state(), before)


def accepted(value: float) -> bool:
    try:
        summed([value])
    except ValueError:
        return False
    return True


def test_many_of_the_largest_numbers_do_not_run_over() -> None:
    """2^22 addends are promised, whatever their size."""
    big = next(size for size in (2.0**exponent - 1 for exponent in range(52, 10, -1)) if accepted(size))
    made = summed([big])
    for _ in range(22):
        made.merge(reloaded(made))
    assert made.value()[0] == pytest.approx(big * 2.0**22, rel=1e-12)


def test_sums_that_do_not_belong_together_are_not_merged() -> None:
    with pytest.raises(ValueError, match="units"):
        ExactSum((2,)).merge(ExactSum((2,), unit=0.5))
    with pytest.raises(ValueError, match="shapes"):
        ExactSum((3,)).merge(ExactSum((1,)))


def test_state_and_load() -> None:
    made = summed([0.1, -7.25, 1e-12], unit=0.5)
    other = reloaded(made)
    assert same_bits(other.state(), made.state())
    other.add(np.array([1.0]))
    assert other.value()[0] != made.value()[0], "a loaded sum shares nothing with the one that it came from"
    made.merge(ExactSum((1,), unit=0.5))
    assert made.value()[0] == pytest.approx(0.1 - 7.25 + 1e-12, rel=1e-15)
