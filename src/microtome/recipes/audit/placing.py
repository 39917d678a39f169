"""Which segment is pasted, how large and where, so that a control differs from the concept in what it shows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.formula import Formula
from microtome.data.paste import Pasted

LARGEST_PART = 0.2
"""Of a segment's pieces those are pasted that have at least this share of it."""
SCALES, TRIES, NEAR = (0.1, 4.0), 4, 0.05
"""Factors on a control's segment, how many are tried, and how near its size comes to the concept's."""
LIKE, FEWEST = (0.8, 4.0), 5
"""A control's segment has so many times the concept's size in its own image; of each control at least so many are
left to draw from, where it has any."""


def like_sized(
    lenders: Mapping[Formula, Int[np.ndarray, " _lender"]], shares: Mapping[Formula, Float[np.ndarray, " image"]],
    size: float,
) -> dict[Formula, Int[np.ndarray, " _lender"]]:  # fmt: skip
    """Of the images that lend controls those whose segment is about as large as the concept's; where there are few of
    all controls together, those that come nearest.

    Parameters
    ----------
    lenders:
        Images by the control that they lend; none is empty.
    shares:
        Share of every image that each control covers.
    size:
        Share of the image that the concept covers.
    """
    found = {}
    for other, rows in lenders.items():
        own = shares[other][rows]
        near = rows[(own >= LIKE[0] * size) & (own <= LIKE[1] * size)]
        if len(near) >= FEWEST:
            found[other] = near
    if found:
        return found
    away = {other: np.abs(np.log(shares[other][rows] / size)) for other, rows in lenders.items()}
    best = min(away, key=lambda other: float(np.sort(away[other])[:FEWEST].max()))
    return {best: lenders[best][np.argsort(away[best], kind="stable")[:FEWEST]]}


def largest_pieces(segment: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The segment without its crumbs."""
    from scipy.ndimage import label

    numbers = np.asarray(label(segment)[0])  # type: ignore[index]
    sizes = np.bincount(numbers.ravel())
    if len(sizes) < 3:
        return segment
    sizes[0] = 0
    return segment & (sizes >= LARGEST_PART * sizes.max())[numbers]


def fitted(pasted: Callable[[float], Pasted], size: float, *, first: float) -> Pasted:
    """What is pasted at the scale at which it covers a share of the image, since some of a segment may fall outside.

    Parameters
    ----------
    pasted:
        What is pasted at a scale.
    size:
        The share of the image.
    first:
        The scale that is tried first.
    """
    scale, best = float(np.clip(first, *SCALES)), None
    for _ in range(TRIES):
        made = pasted(scale)
        covered = float(made.changed.mean())
        if best is None or abs(covered - size) < abs(float(best.changed.mean()) - size):
            best = made
        if not covered or abs(covered - size) <= NEAR * size:
            break
        scale = float(np.clip(scale * np.sqrt(size / covered), *SCALES))
    assert best is not None
    return best


def least_hidden(
    segment: Bool[np.ndarray, "height width"], protected: Bool[np.ndarray, "height width"]
) -> tuple[int, int]:
    """Of a few places to the left and right the one where least of the segment lies on what is protected."""
    width = segment.shape[1]
    tries = [0, *(sign * width * step // 8 for step in (1, 2, 3, 4) for sign in (1, -1))]
    columns = np.flatnonzero(segment.any(axis=0))
    if not len(columns) or not (segment & protected).any():
        return (0, 0)

    def hidden(across: int) -> tuple[int, int]:
        moved = np.roll(segment, across, axis=1)
        lost = (columns + across < 0) | (columns + across >= width)
        return int((moved & protected).sum()) + int(segment[:, columns[lost]].sum()), abs(across)

    return (0, min(tries, key=hidden))


def elsewhere(
    where: Bool[np.ndarray, "height width"], barred: Bool[np.ndarray, "height width"], generator: np.random.Generator
) -> Bool[np.ndarray, "height width"]:
    """A region of the same shape somewhere else, as little as can be on what is barred."""
    height, width = where.shape
    tries = [
        np.roll(where, (int(generator.integers(height)), int(generator.integers(width))), axis=(0, 1))
        for _ in range(12)
    ]
    return min(tries, key=lambda moved: int((moved & barred).sum()))
