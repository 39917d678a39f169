"""Sparse codes: matching pursuit and lasso beside scikit-learn's, and what must hold of any code."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit, lars_path

from microtome.numerics.pursuit import SparseCodes, lasso_codes, matching_pursuit

STEPS = 12


def unit(rows: int, width: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, width))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


DICTIONARY, VECTORS = unit(300, 40, 0), unit(9, 40, 1) * 3.0


@pytest.fixture(scope="module")
def codes() -> SparseCodes:
    return matching_pursuit(VECTORS, DICTIONARY, STEPS)


@pytest.mark.parametrize("row", range(9))
def test_pursuit_takes_the_atoms_and_coefficients_that_scikit_learn_takes(codes: SparseCodes, row: int) -> None:
    theirs = OrthogonalMatchingPursuit(n_nonzero_coefs=STEPS, fit_intercept=False).fit(DICTIONARY.T, VECTORS[row]).coef_
    ours = np.zeros(len(DICTIONARY))
    ours[codes.atoms[row]] = codes.coefficients[row]
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_cosines_are_those_of_the_fits(codes: SparseCodes) -> None:
    for steps in (1, 5, STEPS):
        fit = matching_pursuit(VECTORS, DICTIONARY, steps).rebuilt(DICTIONARY)
        cosine = (fit * VECTORS).sum(1) / np.linalg.norm(fit, axis=1) / np.linalg.norm(VECTORS, axis=1)
        np.testing.assert_allclose(codes.cosine[:, steps - 1], cosine, atol=1e-10)


def test_blocks_of_vectors_do_not_change_codes() -> None:
    many = unit(300, 40, 4)
    whole, alone = matching_pursuit(many, DICTIONARY, 4), matching_pursuit(many[290:291], DICTIONARY, 4)
    np.testing.assert_array_equal(whole.atoms[290], alone.atoms[0])
    np.testing.assert_allclose(whole.coefficients[290], alone.coefficients[0], atol=1e-12)


def test_a_combination_of_two_atoms_is_found_and_no_third() -> None:
    found = matching_pursuit(2.0 * DICTIONARY[[5]] - 0.5 * DICTIONARY[[9]], DICTIONARY, STEPS)
    assert found.atoms[0].tolist() == [5, 9, *[-1] * (STEPS - 2)]
    np.testing.assert_allclose(found.coefficients[0, :2], (2.0, -0.5), atol=1e-9)
    assert found.cosine[0, 1] == pytest.approx(1.0)


def test_zero_has_no_atoms_and_no_more_steps_than_dimensions_are_taken() -> None:
    found = matching_pursuit(np.zeros((1, 40)), DICTIONARY, 3)
    assert found.atoms.tolist() == [[-1, -1, -1]]
    assert not found.cosine.any()
    assert matching_pursuit(unit(1, 5, 2), unit(50, 5, 3), 99).atoms.shape == (1, 5)


def test_lasso_stops_on_the_path_with_as_many_atoms_as_wanted() -> None:
    found = lasso_codes(VECTORS[:3], DICTIONARY, 6)
    for row in range(3):
        _, _, path = lars_path(DICTIONARY.T, VECTORS[row], method="lasso", max_iter=24)
        column = np.flatnonzero((path != 0).sum(0) <= 6)[-1]
        ours = np.zeros(len(DICTIONARY))
        ours[found.atoms[row][found.atoms[row] >= 0]] = found.coefficients[row][found.atoms[row] >= 0]
        np.testing.assert_allclose(ours, path[:, column])
    assert (np.diff(found.cosine, axis=1) >= -1e-9).all()
    assert (found.cosine <= matching_pursuit(VECTORS[:3], DICTIONARY, 6).cosine + 0.1).all()
