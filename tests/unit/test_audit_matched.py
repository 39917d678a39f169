"""Control sets: as many other parts with nearly the same mass in all, drawn alike by the seed."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.recipes.audit.carriers import CONTROL_SETS, matched_sets


def masses(seed: int, parts: int = 128) -> np.ndarray:
    """Masses that differ as those of units do: a few are many times as loud as the rest."""
    return np.random.default_rng(seed).lognormal(sigma=0.8, size=parts)


CHOSEN: dict[str, tuple[int, ...]] = {
    "three": (5, 60, 7),
    "twelve": tuple(range(3, 39, 3)),
    "loud": tuple(int(n) for n in np.argsort(-masses(0))[10:18]),
    "quiet": tuple(int(n) for n in np.argsort(masses(0))[10:18]),
}


@pytest.mark.parametrize("which", CHOSEN)
def test_sets_are_as_large_others_and_of_like_mass(which: str) -> None:
    mass, chosen = masses(0), CHOSEN[which]
    goal = mass[list(chosen)].sum()
    found = matched_sets(mass, chosen, CONTROL_SETS, seed=4)
    assert len(found) == len(set(found)) == CONTROL_SETS
    for own in found:
        assert len(own) == len(set(own)) == len(chosen)
        assert not set(own) & set(chosen)
        assert list(own) == sorted(own)
        assert abs(mass[list(own)].sum() - goal) <= 0.02 * goal
    assert matched_sets(mass, chosen, CONTROL_SETS, seed=4) == found
    assert matched_sets(mass, chosen, CONTROL_SETS, seed=5) != found


def test_sets_drawn_at_random_would_not_be_of_like_mass() -> None:
    """The control of this control: loud parts have many times the mass of as many random ones."""
    mass, chosen = masses(0), CHOSEN["loud"]
    rest = np.setdiff1d(np.arange(128), chosen)
    drawn = [np.random.default_rng(n).permutation(rest)[: len(chosen)] for n in range(100)]
    away = [abs(mass[own].sum() / mass[list(chosen)].sum() - 1) for own in drawn]
    assert np.median(away) > 0.3


def test_a_set_that_is_there_exactly_is_found() -> None:
    """One set of others has the very mass; all the rest are far louder."""
    mass = np.full(60, 50.0)
    mass[[1, 2, 3]], mass[[31, 42, 53]] = (1.0, 2.0, 4.0), (3.5, 0.5, 3.0)
    found = matched_sets(mass, (1, 2, 3), 3, seed=0)
    assert found[0] == (31, 42, 53)
    assert len(found) == 1, "every draw is mended to that one"


def test_the_loudest_part_of_all_gets_the_next_loudest() -> None:
    mass = np.arange(20.0)
    assert matched_sets(mass, (19,), 1, seed=0) == ((18,),)


@pytest.mark.parametrize(("chosen", "parts"), [((), 10), ((0, 1, 2), 5), ((0, 1, 2, 3, 4, 5), 11)])
def test_where_too_few_are_left_there_is_no_control(chosen: tuple[int, ...], parts: int) -> None:
    assert matched_sets(masses(1, parts), chosen, 5, seed=0) == ()


def test_with_just_enough_left_there_is_one() -> None:
    assert matched_sets(masses(1, 6), (0, 2, 4), 5, seed=0) == ((1, 3, 5),)


def test_parts_without_mass_are_matched_by_others_without() -> None:
    mass = np.zeros(30)
    mass[15:] = 1.0
    for own in matched_sets(mass, (0, 1, 2), 4, seed=0):
        assert mass[list(own)].sum() == 0.0
