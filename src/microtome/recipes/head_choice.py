"""Heads that tell a property, from the blocks of a pass: sums by cell, and the heads' vectors of the chosen ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.errors import OptionError
from microtome.methods.decompose.choose_heads import CellSums, HeadShares
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import matrices_of
from microtome.record.stream import StreamPass

Head = tuple[int, int]


def bases(
    tower: Tower, layer: int
) -> tuple[Float[np.ndarray, "head d_out width"], Float[np.ndarray, "head width space"]]:
    """Q and R of P = Q R for every head of a layer: a basis of what the head can write, and the way into it."""
    found = np.linalg.qr(matrices_of(tower, layer))
    return found[0], found[1]


def layer_vectors(
    stream: StreamPass, tower: Tower, layer: int
) -> Iterator[tuple[slice, Float[np.ndarray, "image head width"]]]:
    """The terms of a layer's heads block by block, in bases of their ranges, with the places of the block's images."""
    _, basis = bases(tower, layer)
    place = 0
    for block in stream.take(["heads"]):
        here = slice(place, place + len(block.index))
        place += len(block.index)
        yield here, np.einsum("ihs,hws->ihw", block.arrays["heads"][:, layer].astype(np.float64), basis)


def cell_sums(
    stream: StreamPass, tower: Tower, layer: int, labels: Int[np.ndarray, " image"],
    values: Int[np.ndarray, " image"], used: Bool[np.ndarray, " image"], shape: tuple[int, int],
) -> CellSums:  # fmt: skip
    """Sums of a layer's heads over some images, by class and attribute.

    Parameters
    ----------
    shape:
        How many classes and values there are.
    """
    sums: CellSums | None = None
    for here, vectors in layer_vectors(stream, tower, layer):
        if sums is None:
            sums = CellSums(*shape, vectors.shape[1], vectors.shape[2])
        rows = used[here]
        if rows.any():
            sums.add(vectors[rows], labels[here][rows], values[here][rows])
    assert sums is not None
    return sums


def shares_of(
    stream: StreamPass, tower: Tower, labels: Int[np.ndarray, " image"], values: Int[np.ndarray, " image"],
    used: Bool[np.ndarray, " image"], shape: tuple[int, int],
) -> HeadShares:  # fmt: skip
    """What every head of every layer tells of class and attribute: arrays are [layer * heads + head].

    Raises
    ------
    DataError
        Where a combination of class and attribute has too few images.
    """
    found = [
        cell_sums(stream, tower, layer, labels, values, used, shape).shares() for layer in range(len(tower.layers))
    ]
    names = ("variance", "label", "attribute", "both")
    return HeadShares(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def telling(
    stream: StreamPass, tower: Tower, values: Int[np.ndarray, " image"], used: Bool[np.ndarray, " image"]
) -> tuple[Float[np.ndarray, " head"], Float[np.ndarray, " head"]]:
    """Of every head, the share of its variance that one property explains, and its share of all heads' variance.

    Values that fewer than two of the images have are left out.

    Parameters
    ----------
    values:
        Of each image, -1 = unknown.
    """
    codes = occurring(values, used)
    count = int(codes.max()) + 1
    shares = shares_of(stream, tower, codes, np.zeros_like(codes), used, (max(count, 1), 1))
    whole = float(shares.variance.sum())
    return shares.label, shares.variance / whole if whole > 0 else shares.variance


def occurring(values: Int[np.ndarray, " image"], used: Bool[np.ndarray, " image"]) -> Int[np.ndarray, " image"]:
    """Values numbered anew from 0, those alone that at least two of the used images have; all others are -1."""
    seen = np.bincount(values[used & (values >= 0)], minlength=1)
    numbers = np.where(seen >= 2, np.cumsum(seen >= 2) - 1, -1)
    found = np.full(len(values), -1, np.int64)
    inside = (values >= 0) & (values < len(numbers))
    found[inside] = numbers[values[inside]]
    return found


def vectors_of(
    stream: StreamPass, tower: Tower, heads: Sequence[Head], used: Bool[np.ndarray, " image"]
) -> dict[Head, Float[np.ndarray, "used width"]]:
    """The terms of some heads on some images, in bases of their ranges, float32: what is kept in memory."""
    found: dict[Head, np.ndarray] = {}
    for layer in dict.fromkeys(layer for layer, _ in heads):
        own = [head for at, head in heads if at == layer]
        parts = [
            vectors[used[here]][:, own].astype(np.float32) for here, vectors in layer_vectors(stream, tower, layer)
        ]
        whole = np.concatenate(parts)
        found |= {(layer, head): whole[:, place] for place, head in enumerate(own)}
    return found


def checked_heads(heads: Sequence[Head] | None, tower: Tower) -> tuple[Head, ...] | None:
    """The heads, once the model has them all; None for None.

    Raises
    ------
    OptionError
        If one does not exist, or the list is empty.
    """
    if heads is None:
        return None
    layers = len(tower.layers)
    wrong = [(layer, head) for layer, head in heads if not (0 <= layer < layers and 0 <= head < tower.heads)]
    if wrong or not heads:
        raise OptionError(
            f"The model has no head {wrong[0][0]}.{wrong[0][1]}." if wrong else "No head is chosen.",
            expected=f"LAYER.HEAD from 0.0 to {layers - 1}.{tower.heads - 1}",
        )
    return tuple(dict.fromkeys((int(layer), int(head)) for layer, head in heads))


def words_of(heads: Sequence[Head]) -> str:
    """`3.1, 5.0`."""
    return ", ".join(f"{layer}.{head}" for layer, head in heads)
