"""The range of a matrix, and random bases."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.numerics.ranges import random_basis, range_of


def of_rank(rows: int, columns: int, rank: int, *, seed: int = 0, size: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, columns))


@pytest.mark.parametrize(
    ("rows", "columns", "rank"), [(9, 4, 4), (9, 4, 2), (4, 9, 4), (4, 9, 1), (5, 5, 0), (1, 1, 1)]
)
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_the_range_has_the_rank_and_gives_the_matrix_back(rows: int, columns: int, rank: int, size: float) -> None:
    matrix = of_rank(rows, columns, rank, size=size)
    basis, inside = range_of(matrix)
    assert basis.shape == (rows, rank)
    assert inside.shape == (rank, columns)
    assert np.allclose(basis.T @ basis, np.eye(rank), rtol=0, atol=1e-13)
    assert np.allclose(basis @ inside, matrix, rtol=0, atol=1e-13 * size * 20)


def test_single_precision_is_taken_in_double() -> None:
    matrix = of_rank(8, 3, 3).astype(np.float32)
    basis, inside = range_of(matrix)
    assert basis.dtype == inside.dtype == np.float64
    assert np.abs(basis @ inside - matrix.astype(np.float64)).max() < 1e-13


def test_a_matrix_without_anything_in_it() -> None:
    basis, inside = range_of(np.zeros((4, 3)))
    assert basis.shape == (4, 0)
    assert inside.shape == (0, 3)


def test_random_bases_are_orthonormal_and_of_their_seed() -> None:
    one = random_basis(7, 3, np.random.default_rng(1))
    assert np.allclose(one.T @ one, np.eye(3), rtol=0, atol=1e-13)
    assert np.array_equal(one, random_basis(7, 3, np.random.default_rng(1)))
    assert not np.allclose(one, random_basis(7, 3, np.random.default_rng(2)))


def test_random_bases_favour_no_direction() -> None:
    """Over all bases the projection on them is rank / rows of the identity, and no column has a sign of its own."""
    rng = np.random.default_rng(3)
    drawn = np.stack([random_basis(5, 2, rng) for _ in range(4000)])
    projection = (drawn @ drawn.transpose(0, 2, 1)).mean(axis=0)
    assert np.allclose(projection, 0.4 * np.eye(5), rtol=0, atol=0.03)
    assert np.abs(drawn.mean(axis=0)).max() < 0.03
