"""The range of a matrix, and matrices seen from inside it.

P = Q R        Q'Q = 1, as many columns as P has rank
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def range_of(matrix: Float[np.ndarray, "row column"]) -> tuple[
    Float[np.ndarray, "row rank"], Float[np.ndarray, "rank column"]
]:  # fmt: skip
    """An orthonormal basis Q of a matrix's range, and R with matrix = Q R, in float64.

    Singular values below max(shape) * eps * the largest count as zero.
    """
    left, values, right = np.linalg.svd(np.asarray(matrix, np.float64), full_matrices=False)
    smallest = max(matrix.shape) * np.finfo(np.float64).eps * (values[0] if len(values) else 0.0)
    rank = int((values > smallest).sum())
    return left[:, :rank], values[:rank, None] * right[:rank]


def random_basis(rows: int, rank: int, rng: np.random.Generator) -> Float[np.ndarray, "rows rank"]:
    """`rank` orthonormal columns, uniform over all such (QR of a Gaussian matrix with the signs of R's diagonal)."""
    q, r = np.linalg.qr(rng.standard_normal((rows, rank)))
    return q * np.sign(np.diag(r))
