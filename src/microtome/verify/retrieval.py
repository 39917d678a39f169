"""Does a likeness find images with the same value of a property? Precision among the nearest, with interval and chance.

    precision@k of a query = share of its k nearest (cosine, itself left out) that have its value
    chance = share of all other images that have it

The interval is of a bootstrap over queries (95 %). The table of likenesses is formed some rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError
from microtome.verify.paired import Mean

RESAMPLES = 2000
_ROWS = 256
_AT_ONCE = 100


def unit_rows(vectors: Float[np.ndarray, "image width"]) -> Float[np.ndarray, "image width"]:
    """Each row at length 1; rows of zeros stay."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-30)


def nearest_images(
    gallery: Float[np.ndarray, "image width"],
    queries: Int[np.ndarray, " query"],
    *,
    k: int = 10,
) -> Int[np.ndarray, "query k"]:
    """The k images most like each query, most like first; of equal ones the first.

    Parameters
    ----------
    gallery:
        A vector for each image.
    queries:
        Places of the queries in the gallery; a query is never among its own nearest.
    k:
        At least 1.

    Raises
    ------
    DataError
        Where there are not k other images.
    """
    if len(gallery) <= k:
        raise DataError(f"Among {len(gallery)} images no image has {k} others.", expected=f"at least {k + 1} images")
    unit = unit_rows(np.asarray(gallery, np.float64))
    found = [_best(likeness, k) for likeness in _likenesses(unit, queries)]
    return np.concatenate(found) if found else np.zeros((0, k), np.int64)


def precision_at(
    gallery: Float[np.ndarray, "image width"],
    values: Int[np.ndarray, " image"],
    queries: Int[np.ndarray, " query"],
    *,
    k: int = 10,
) -> Float[np.ndarray, " query"]:
    """Share of the k nearest images that have the query's value."""
    found = nearest_images(gallery, queries, k=k)
    return (values[found] == values[queries][:, None]).mean(axis=1)


def chance_of(values: Int[np.ndarray, " image"], queries: Int[np.ndarray, " query"]) -> float:
    """Mean over queries of the share of other images that have the query's value; NaN without a query."""
    if not len(queries):
        return float("nan")
    same = np.bincount(values[values >= 0])[values[queries]] - 1
    return float(same.mean() / max(len(values) - 1, 1))


def mean_over_queries(shares: Float[np.ndarray, " query"], *, seed: int) -> Mean:
    """The mean with its interval; NaN without a query."""
    if not len(shares):
        return Mean(float("nan"), float("nan"), float("nan"))
    generator = np.random.default_rng([seed, 17])
    means = [
        shares[generator.integers(0, len(shares), size=(_AT_ONCE, len(shares)))].mean(axis=1)
        for _ in range(RESAMPLES // _AT_ONCE)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return Mean(float(shares.mean()), float(low), float(high))


def _likenesses(
    unit: Float[np.ndarray, "image width"], queries: Int[np.ndarray, " query"]
) -> Iterator[Float[np.ndarray, "some image"]]:
    for first in range(0, len(queries), _ROWS):
        some = queries[first : first + _ROWS]
        likeness = unit[some] @ unit.T
        likeness[np.arange(len(some)), some] = -np.inf
        yield likeness


def _best(likeness: Float[np.ndarray, "some image"], k: int) -> Int[np.ndarray, "some k"]:
    # Partition first: sorting whole rows of a large gallery takes most of the time.
    edge = -np.partition(-likeness, k - 1, axis=1)[:, k - 1 : k]
    kept = [np.flatnonzero(row >= low) for row, low in zip(likeness, edge, strict=True)]
    return np.stack([some[np.argsort(-row[some], kind="stable")[:k]] for row, some in zip(likeness, kept, strict=True)])
