"""The second-order effects of a layer's neurons: coefficients by image, first directions, and their ablation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from microtome.methods.decompose.second_order import (
    FirstDirections,
    directions_of,
    first_directions,
    width,
)
from microtome.methods.decompose.terms import decompose
from microtome.models.towers.base import Tower
from microtome.models.towers.reading import coefficients, places_after
from microtome.models.towers.streams import run_tower
from microtome.recipes.direct_pass import Opened, PassSettings
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass, no_grad
from microtome.stats.second_moments import SecondMoments

_MOMENT_BYTES = 2**28


def coefficient_pass(opened: Opened, layer: int, folder: Path, settings: PassSettings) -> StreamPass:
    """A pass that keeps of each image the coefficients `s` [k, neuron] of a layer and the `output`.

    The exact sum is checked on the first batch that runs.
    """
    tower = opened.tower
    unchecked = [True]

    def run(x: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        if unchecked:
            decompose(tower, x)
            unchecked.clear()
        streams = run_tower(tower, x, places_after(tower, layer))
        return {"s": coefficients(tower, streams, layer).float(), "output": streams.output.float()}

    return StreamPass(
        opened.model, opened.data, no_grad(run), folder=folder, batch_size=settings.batch_size, strict=settings.strict
    )


def coefficient_bytes(tower: Tower, layer: int, images: int) -> int:
    """Bytes on disk that `coefficient_pass` needs."""
    return 4 * images * (width(tower, layer) * neurons_in(tower, layer) + tower.d_out)


def neurons_in(tower: Tower, layer: int) -> int:
    """Neurons of a layer's MLP."""
    return tower.layers[layer].mlp.w_out.shape[1]


@dataclass(frozen=True, eq=False)
class Effects:
    """What is known of the effects of all neurons of a layer.

    Attributes
    ----------
    layer:
        Which.
    fixed:
        D [neuron, k, d_out], float32.
    mean:
        [neuron, k]: mean coefficients on the searched half.
    first:
        Their first directions, with the sign decided.
    heldout_share:
        Share of the held-out variance along the direction.
    along:
        [image, neuron]: each image's centred effect along the direction.
    """

    layer: int
    fixed: Float[np.ndarray, "neuron k d_out"]
    mean: Float[np.ndarray, "neuron k"]
    first: FirstDirections
    heldout_share: Float[np.ndarray, " neuron"]
    along: Float[np.ndarray, "image neuron"]


def measure_effects(
    opened: Opened, stream: StreamPass, heldout: Bool[np.ndarray, " image"], layer: int, *, top_images: int,
    progress: Progress,
) -> Effects:  # fmt: skip
    """First directions of all neurons of a layer from the coefficients of a pass.

    Moments are taken for a part of the neurons at a time, so that they fit into 256 MiB.
    """
    tower = opened.tower
    count, wide = neurons_in(tower, layer), width(tower, layer)
    at_once = max(1, _MOMENT_BYTES // (48 * (wide + 1) ** 2))
    fixed = directions_of(tower, layer).float().cpu().numpy()
    parts: list[tuple[FirstDirections, np.ndarray, np.ndarray]] = []
    for start in range(0, count, at_once):
        chosen = slice(start, min(start + at_once, count))
        searched, held = _moments(stream, heldout, chosen, wide)
        own = fixed[chosen].astype(np.float64)
        first = first_directions(searched.covariance(), own)
        parts.append((first, searched.mean(), _share_of(first, held.covariance(), own)))
        progress("measuring neurons", chosen.stop, count)
    first = FirstDirections(
        *(np.concatenate([getattr(part[0], name) for part in parts]) for name in FirstDirections.__annotations__)
    )
    mean, share = np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])
    signs = _signs(stream, heldout, fixed, mean, first, top_images)
    turned = first.turned(signs)
    along = np.concatenate(
        [np.einsum("bkn,nk->bn", block.arrays["s"], turned.readers) for block in stream.take(["s"])]
    ) - (mean * turned.readers).sum(axis=1)
    return Effects(layer, fixed, mean, turned, share, along)


def _moments(
    stream: StreamPass, heldout: Bool[np.ndarray, " image"], chosen: slice, wide: int
) -> tuple[SecondMoments, SecondMoments]:
    halves = (SecondMoments(chosen.stop - chosen.start, wide), SecondMoments(chosen.stop - chosen.start, wide))
    place = 0
    for block in stream.take(["s"]):
        vectors = block.arrays["s"][:, :, chosen].transpose(0, 2, 1)
        held = heldout[place : place + len(vectors)]
        place += len(vectors)
        for half, rows in zip(halves, (~held, held), strict=True):
            if rows.any():
                half.add(vectors[rows])
    return halves


def _share_of(
    first: FirstDirections, covariance: Float[np.ndarray, "neuron k k_"], fixed: Float[np.ndarray, "neuron k d_out"]
) -> Float[np.ndarray, " neuron"]:
    """Share of another covariance's variance along the first directions."""
    along = np.einsum("nk,nkj,nj->n", first.readers, covariance, first.readers)
    total = np.einsum("nko,nkj,njo->n", fixed, covariance, fixed, optimize=True)
    return np.divide(along, total, out=np.zeros(len(along)), where=total > 0)


def _signs(
    stream: StreamPass, heldout: Bool[np.ndarray, " image"], fixed: np.ndarray, mean: np.ndarray,
    first: FirstDirections, top_images: int,
) -> Float[np.ndarray, " neuron"]:  # fmt: skip
    """+1 or -1 for each neuron: its effect along the direction is positive over its searched images of largest norm."""
    grams = torch.from_numpy(fixed) @ torch.from_numpy(fixed).transpose(1, 2)
    sizes, along = [], []
    for block in stream.take(["s"]):
        s = torch.from_numpy(block.arrays["s"])
        by_neuron = s.permute(2, 0, 1)
        sizes.append(((by_neuron @ grams) * by_neuron).sum(-1).T.numpy())
        along.append(np.einsum("bkn,nk->bn", block.arrays["s"], first.readers))
    size, value = np.concatenate(sizes)[~heldout], np.concatenate(along)[~heldout]
    top = np.argsort(-size, axis=0, kind="stable")[: min(top_images, len(size))]
    means = np.take_along_axis(value, top, axis=0).mean(axis=0)
    return np.where(means < 0, -1.0, 1.0)


def ablated_outputs(
    stream: StreamPass, effects: Effects, neurons: Int[np.ndarray, " neuron"], kept: np.ndarray | None = None
) -> Float[np.ndarray, "image d_out"]:
    """Outputs with the second-order effect of some neurons set to its mean.

    Parameters
    ----------
    kept:
        [neuron, d_out]: what each neuron's unit of effect along its direction puts in place; None: nothing.
    """
    fixed = effects.fixed[neurons].reshape(-1, effects.fixed.shape[2])
    middle = effects.mean[neurons].astype(np.float32)
    found, place = [], 0
    for block in stream.take(["s", "output"]):
        s = block.arrays["s"][:, :, neurons].transpose(0, 2, 1) - middle
        out = block.arrays["output"] - s.reshape(len(s), -1) @ fixed
        if kept is not None:
            out = out + effects.along[place : place + len(s)][:, neurons] @ kept
        place += len(s)
        found.append(out.astype(np.float64))
    return np.concatenate(found)
