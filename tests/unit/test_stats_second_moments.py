"""Second moments of many small vectors, against numpy on all of them at once."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.stats.second_moments import SecondMoments
from tests.support.shards import reloaded, same_bits

GROUPS, WIDTH = 3, 4


def vectors(images: int, *, seed: int = 0, shift: float = 0.0, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((GROUPS, WIDTH, WIDTH))
    drawn = np.einsum("igk,gkj->igj", rng.standard_normal((images, GROUPS, WIDTH)), mix)
    return (shift + spread * drawn).astype(np.float32)


def moments_of(blocks: list[np.ndarray]) -> SecondMoments:
    made = SecondMoments(GROUPS, WIDTH)
    for block in blocks:
        made.add(block)
    return made


def whole_covariance(x: np.ndarray) -> np.ndarray:
    return np.stack([np.cov(x[:, g].astype(np.float64), rowvar=False, bias=True) for g in range(x.shape[1])])


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    dice=st.randoms(use_true_random=False),
)
def test_shards_in_any_order_give_the_bits_of_one_pass(seed: int, sizes: list[int], dice: random.Random) -> None:
    blocks = np.split(vectors(sum(sizes), seed=seed), np.cumsum(sizes)[:-1])
    expected = moments_of(blocks)
    shards = [SecondMoments(GROUPS, WIDTH) for _ in range(dice.randint(1, 4))]
    for block in dice.sample(blocks, len(blocks)):
        place = dice.randrange(len(shards))
        shards[place].add(block)
        if dice.random() < 0.3:
            shards[place] = reloaded(shards[place])
    while len(shards) > 1:
        dice.shuffle(shards)
        last = shards.pop()
        shards[0].merge(last)
    assert same_bits(shards[0].state(), expected.state())
    assert shards[0].covariance().tobytes() == expected.covariance().tobytes()
    assert shards[0].count() == sum(sizes)


def test_mean_and_covariance_are_those_of_numpy() -> None:
    x = vectors(500)
    made = moments_of(np.split(x, [64, 128, 300]))
    assert np.allclose(made.mean(), x.mean(axis=0, dtype=np.float64), rtol=0, atol=1e-14)
    assert np.allclose(made.covariance(), whole_covariance(x), rtol=0, atol=1e-13)
    assert np.array_equal(made.covariance(), made.covariance().transpose(0, 2, 1))
    assert made.covariance().shape == (GROUPS, WIDTH, WIDTH)


def test_grouping_changes_no_more_than_the_product_of_a_block() -> None:
    x = vectors(300, seed=4)
    one, many = moments_of([x]), moments_of(list(x[:, None]))
    assert np.allclose(one.covariance(), many.covariance(), rtol=0, atol=1e-13)


def test_constant_vectors_have_no_covariance() -> None:
    x = np.broadcast_to(np.array([0.1, -3.0, 0.0, 1e-3], np.float32), (200, GROUPS, WIDTH))
    made = moments_of(np.split(x, [64, 128]))
    assert np.abs(made.covariance()).max() <= 1e-15 * 9
    assert np.allclose(made.mean(), x[0].astype(np.float64), rtol=1e-15)


@pytest.mark.parametrize("ratio", [1e2, 1e4])
def test_a_large_mean_beside_a_small_spread(ratio: float) -> None:
    """Cancellation costs the square of mean / spread times the last place of float64, no more."""
    x = vectors(2000, seed=3, shift=ratio)
    made, expected = moments_of(np.array_split(x, 31)), whole_covariance(x)
    error = np.abs(made.covariance() - expected).max() / np.abs(expected).max()
    assert error < 4 * ratio**2 * 2.0**-53


def test_the_spread_of_two_numbers() -> None:
    made = SecondMoments(1, 1)
    made.add(np.array([[[1.0]], [[4.0]]]))
    assert made.mean().tolist() == [[2.5]]
    assert made.covariance().tolist() == [[[2.25]]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_is_an_error_and_changes_nothing(value: float) -> None:
    made, x = moments_of([vectors(5)]), vectors(5, seed=1)
    before = {name: array.copy() for name, array in made.state().items()}
    x[2, 1, 0] = value
    with pytest.raises(ValueError, match="not finite"):
        made.add(x)
    assert same_bits(made.state(), before)


def test_nothing_was_added() -> None:
    made = SecondMoments(GROUPS, WIDTH)
    assert made.count() == 0
    assert not made.mean().any()
    assert not made.covariance().any()


def test_all_heads_of_a_large_model_stay_below_50_megabytes_whatever_is_added() -> None:
    made = SecondMoments(384, 64)
    before = made.nbytes
    made.add(np.zeros((2, 384, 64), np.float32))
    made.add(np.ones((3, 384, 64), np.float32))
    assert made.nbytes == before < 50e6
    assert sum(array.nbytes for array in made.state().values()) < 50e6
