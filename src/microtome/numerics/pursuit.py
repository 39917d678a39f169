"""Sparse codes: a vector as a combination of few atoms of a dictionary.

Orthogonal matching pursuit, for many vectors at once: take the atom that points most along the residual, project the
vector off all atoms taken so far, repeat. The residual lives in the vectors' own space, so no Gram matrix of the
dictionary is formed. Lasso: the path of least angle regression, cut at the number of atoms.

Source: Pati, Rezaiifar & Krishnaprasad 1993, Orthogonal matching pursuit; Tibshirani 1996, Regression shrinkage and
selection via the lasso; Efron et al. 2004, Least angle regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_BLOCK = 256
_SPENT = 1e-6


@dataclass(frozen=True, eq=False)
class SparseCodes:
    """Codes of several vectors, the atoms in the order taken.

    Attributes
    ----------
    atoms:
        [vector, step]: numbers of the atoms, -1 where none was left to take.
    coefficients:
        [vector, step]: of all atoms together, with the last step's fit.
    cosine:
        [vector, step]: cosine of the vector with its fit by the first 1, 2, ... atoms.
    """

    atoms: Int[np.ndarray, "vector step"]
    coefficients: Float[np.ndarray, "vector step"]
    cosine: Float[np.ndarray, "vector step"]

    def rebuilt(self, dictionary: Float[np.ndarray, "atom width"]) -> Float[np.ndarray, "vector width"]:
        """The fits."""
        chosen = dictionary[np.maximum(self.atoms, 0)] * (self.atoms >= 0)[:, :, None]
        return np.einsum("vs,vsw->vw", self.coefficients, chosen)


def matching_pursuit(
    vectors: Float[np.ndarray, "vector width"], dictionary: Float[np.ndarray, "atom width"], steps: int
) -> SparseCodes:
    """Orthogonal matching pursuit.

    Parameters
    ----------
    vectors:
        What to code; a vector of zeros gets no atom.
    dictionary:
        Atoms of unit norm.
    steps:
        Atoms for each vector, at most the width.
    """
    steps = min(steps, dictionary.shape[0], dictionary.shape[1])
    parts = [
        _pursue(np.asarray(vectors[first : first + _BLOCK], np.float64), np.asarray(dictionary, np.float64), steps)
        for first in range(0, len(vectors), _BLOCK)
    ]
    return SparseCodes(*(np.concatenate([getattr(p, name) for p in parts]) for name in SparseCodes.__annotations__))


def _pursue(vectors: np.ndarray, dictionary: np.ndarray, steps: int) -> SparseCodes:
    count, wide = vectors.shape
    rows = np.arange(count)
    size = np.linalg.norm(vectors, axis=1)
    residual = vectors.copy()
    basis = np.zeros((count, steps, wide))
    triangle = np.zeros((count, steps, steps))
    along = np.zeros((count, steps))
    atoms = np.full((count, steps), -1, np.int64)
    cosine = np.zeros((count, steps))
    for step in range(steps):
        seen = np.abs(residual @ dictionary.T)
        taken = atoms[:, :step]
        np.put_along_axis(seen, np.where(taken >= 0, taken, seen.argmin(axis=1)[:, None]), -1.0, axis=1)
        best = seen.argmax(axis=1)
        atom = dictionary[best]
        earlier = basis[:, :step]
        shares = np.einsum("vsw,vw->vs", earlier, atom)
        fresh = atom - np.einsum("vs,vsw->vw", shares, earlier)
        again = np.einsum("vsw,vw->vs", earlier, fresh)
        fresh -= np.einsum("vs,vsw->vw", again, earlier)
        length = np.linalg.norm(fresh, axis=1)
        open_ = (length > _SPENT) & (seen[rows, best] > _SPENT * size)
        unit = np.where(open_[:, None], fresh / np.maximum(length, _SPENT)[:, None], 0.0)
        basis[:, step] = unit
        triangle[:, :step, step] = (shares + again) * open_[:, None]
        triangle[:, step, step] = np.where(open_, length, 1.0)
        atoms[:, step] = np.where(open_, best, -1)
        along[:, step] = (unit * vectors).sum(axis=1)
        residual = residual - along[:, step, None] * unit
        fitted = np.sqrt((along[:, : step + 1] ** 2).sum(axis=1))
        cosine[:, step] = np.divide(fitted, size, out=np.zeros(count), where=size > 0)
    coefficients = np.linalg.solve(triangle, along[:, :, None])[:, :, 0]
    return SparseCodes(atoms, np.where(atoms >= 0, coefficients, 0.0), np.minimum(cosine, 1.0))


def lasso_codes(
    vectors: Float[np.ndarray, "vector width"], dictionary: Float[np.ndarray, "atom width"], steps: int
) -> SparseCodes:
    """Codes at the point of the lasso's path where each vector has `steps` atoms; one vector at a time.

    `cosine` is that of the shrunken fit along the path, its last column that of the code returned.
    """
    from sklearn.linear_model import lars_path

    steps = min(steps, dictionary.shape[0], dictionary.shape[1] - 1)
    atoms = np.full((len(vectors), steps), -1, np.int64)
    coefficients, cosine = np.zeros((len(vectors), steps)), np.zeros((len(vectors), steps))
    for row, vector in enumerate(np.asarray(vectors, np.float64)):
        size = np.linalg.norm(vector)
        if size == 0:
            continue
        _, _, path = lars_path(dictionary.T, vector, method="lasso", max_iter=4 * steps)
        held = (path != 0).sum(axis=0)
        reached = 0
        for step in range(1, steps + 1):
            reached = np.flatnonzero(held <= step)[-1]
            fit = path[:, reached] @ dictionary
            length = np.linalg.norm(fit)
            cosine[row, step - 1] = fit @ vector / (length * size) if length > 0 else 0.0
        chosen = np.flatnonzero(path[:, reached])
        chosen = chosen[np.argsort(-np.abs(path[chosen, reached]), kind="stable")]
        atoms[row, : len(chosen)] = chosen
        coefficients[row, : len(chosen)] = path[chosen, reached]
    return SparseCodes(atoms, coefficients, cosine)
