"""Which images show what a unit does: its highest, its whole range, and where the formula is wrong about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int, UInt8

from microtome.record.counting import Slot
from microtome.record.recording import Recording

TOP, DECILES, DISAGREEMENTS = 10, 10, 5
Kind = Literal["top", "decile", "miss", "false alarm"]


@dataclass(frozen=True)
class Exemplar:
    """One image of one slot.

    Attributes
    ----------
    image:
        Number of the image in the run.
    value, cell:
        The unit's peak in it and the map cell (y * w + x) of the peak.
    iou:
        Unit mask against formula mask in this image.
    active:
        Active elements of the image, as packed bits of its grid.
    """

    kind: Kind
    rank: int
    image: int
    value: float
    cell: int
    iou: float
    active: UInt8[np.ndarray, "byte"]


def pick_exemplars(
    recording: Recording,
    slot: Slot,
    positions: Int[np.ndarray, "position"],
    holds: Bool[np.ndarray, "signature"] | None,
) -> list[Exemplar]:
    """Top images, one image from each tenth of the active range, misses and false alarms.

    Parameters
    ----------
    positions:
        Active positions of the slot over all images, ascending by image.
    holds:
        Truth of the slot's formula on each signature; None = no formula, so nothing to disagree with.
    """
    n_images, cells = len(recording.items), recording.elements
    bounds = np.searchsorted(positions, np.arange(n_images + 1) * cells)
    fired = np.diff(bounds)
    both = expected = np.zeros(n_images, np.int64)
    if holds is not None:
        signature = recording.maps[positions]
        agree = (signature >= 0) & holds[signature]
        both = np.bincount(positions[agree] // cells, minlength=n_images)
        weights = recording.image_counts * holds[recording.image_rows]
        image_of = np.repeat(np.arange(n_images), np.diff(recording.image_ptr))
        expected = np.bincount(image_of, weights=weights, minlength=n_images).astype(np.int64)
    union = expected + fired - both
    groups: dict[Kind, list[tuple[int, int]]] = {
        "top": list(enumerate(_top(recording, slot, fired))),
        "decile": _deciles(recording.peaks[:, slot.place]),
    }
    if holds is not None:
        groups["miss"] = list(enumerate(_largest(np.where(fired == 0, expected, 0))))
        groups["false alarm"] = list(enumerate(_largest(fired - both)))
    return [
        Exemplar(
            kind, rank, image, float(recording.peaks[image, slot.place]), int(recording.cells[image, slot.place]),
            float(both[image] / union[image]) if union[image] else 0.0,
            _packed(positions[bounds[image] : bounds[image + 1]] - image * cells, cells),
        )
        for kind, members in groups.items()
        for rank, image in members
    ]  # fmt: skip


def _packed(inside: np.ndarray, cells: int) -> np.ndarray:
    """Positions within an image as packed bits: thousands of these are held until the pictures are drawn."""
    mask = np.zeros(cells, bool)
    mask[inside] = True
    return np.packbits(mask)


def _top(recording: Recording, slot: Slot, fired: np.ndarray) -> list[int]:
    """The images with the highest peaks; for a range, those with most of their elements in it."""
    if slot.range:
        return _largest(fired, TOP)
    top = recording.summary.top
    return [int(image) for image in top.images[slot.place][:TOP] if image >= 0]


def _largest(values: np.ndarray, most: int = DISAGREEMENTS) -> list[int]:
    """Numbers of the images with the largest positive values, ties by number."""
    order = np.argsort(-values, kind="stable")[:most]
    return [int(image) for image in order if values[image] > 0]


def _deciles(peaks: np.ndarray) -> list[tuple[int, int]]:
    """(tenth, image): the image in the middle of each tenth of the images with a positive peak."""
    positive = np.flatnonzero(peaks > 0)
    if not len(positive):
        return []
    order = positive[np.argsort(peaks[positive], kind="stable")]
    picked: list[tuple[int, int]] = []
    for tenth in range(DECILES):
        image = int(order[int((tenth + 0.5) / DECILES * len(order))])
        if not picked or picked[-1][1] != image:
            picked.append((tenth, image))
    return picked
