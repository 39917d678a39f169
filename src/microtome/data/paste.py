"""Cut a concept out of one image and put it into another: the counterfactual that needs no renderer.

    pasted = (1 - a) * host + a * donor,   a = 1 on the pasted pixels; with a soft edge it falls to 0 over a few pixels

A *host* is the image that something is put into. Protected pixels of the host never change. The other way round a
region loses its concept: it is recoloured, blurred, or filled with the mean of what surrounds it.

Source: Mu & Andreas 2020, section 6 (copy-paste adversarial examples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from microtome.core.errors import OptionError

Pixels = UInt8[np.ndarray, "height width 3"]
Mask = Bool[np.ndarray, "height width"]
Place = Literal["auto", "own", "random", "rival"]
Removal = Literal["recolour", "blur", "mean"]
REMOVALS: tuple[Removal, ...] = ("recolour", "blur", "mean")


@dataclass(frozen=True)
class Pasted:
    """An image with something put into it.

    Attributes
    ----------
    pixels:
        The image.
    changed:
        Which of its pixels are not the host's.
    """

    pixels: Pixels
    changed: Mask


def paste(
    host: Pixels, donor: Pixels, segment: Mask, *, protected: Mask, scale: float = 1.0, shift: tuple[int, int] = (0, 0),
    soft: int = 0,
) -> Pasted:  # fmt: skip
    """The host with the donor's segment laid over it.

    Parameters
    ----------
    host, donor:
        Images of one size.
    segment:
        What is cut out of the donor.
    protected:
        Pixels of the host that stay.
    scale:
        Factor on the segment's height and width, about its lowest middle; above 0.
    shift:
        Rows down and columns to the right, in pixels, after scaling.
    soft:
        Pixels over which the edge is blended; 0 = a hard edge.

    Raises
    ------
    OptionError
        If images and masks differ in size, or the scale is not above 0.
    """
    if not host.shape[:2] == donor.shape[:2] == segment.shape == protected.shape:
        raise OptionError(
            f"A segment of {segment.shape} of an image of {donor.shape[:2]} does not fit into one of {host.shape[:2]}.",
            expected="images and masks of one size",
        )
    if not scale > 0:
        raise OptionError(f"The scale of a pasted segment is {scale}.", expected="above 0")
    moved, cut = _moved(donor, segment, scale, shift)
    return blended(host, moved, cut & ~protected, soft=soft)


def fill(host: Pixels, donor: Pixels, segment: Mask, *, region: Mask, protected: Mask, soft: int = 0) -> Pasted:
    """The host with a region painted in the donor's segment: each pixel takes the nearest one of the segment.

    Where the donor shows the segment at the very place, it is that pixel; so texture and shading stay as they were.

    Parameters
    ----------
    segment:
        Of the donor, at least one pixel; else the host comes back unchanged.
    region:
        What is painted over in the host.
    """
    if not segment.any():
        return Pasted(host.copy(), np.zeros_like(region))
    from scipy.ndimage import distance_transform_edt

    nearest = np.asarray(distance_transform_edt(~segment, return_distances=False, return_indices=True))
    rows, columns = nearest[0], nearest[1]
    return blended(host, donor[rows, columns], region & ~protected, soft=soft)


def blended(host: Pixels, over: Pixels, where: Mask, *, soft: int) -> Pasted:
    """One image over another, with a soft edge inside of `where`."""
    # With everything covered there is no edge, and a distance to one is not defined.
    if soft <= 0 or where.all():
        return Pasted(np.where(where[:, :, None], over, host), where)
    from scipy.ndimage import distance_transform_edt

    depth = np.asarray(distance_transform_edt(where)) if where.any() else np.zeros(where.shape)
    share = np.clip(depth / (soft + 1), 0.0, 1.0)[:, :, None]
    mixed = np.rint((1 - share) * host + share * over).astype(np.uint8)
    return Pasted(np.where(where[:, :, None], mixed, host), where)


def recoloured(pixels: Pixels, where: Mask, colour: Float[np.ndarray, "3"]) -> Pasted:
    """The region in another mean colour; light and shade stay, as factors on it."""
    if not where.any():
        return Pasted(pixels.copy(), where)
    inside = pixels[where].astype(np.float64)
    light = inside.mean(axis=1, keepdims=True) / max(float(inside.mean()), 1.0)
    out = pixels.copy()
    out[where] = np.clip(np.rint(light * colour), 0, 255).astype(np.uint8)
    return Pasted(out, where)


def blurred(pixels: Pixels, where: Mask, *, radius: float) -> Pasted:
    """The region blurred with a Gaussian of this standard deviation in pixels."""
    from scipy.ndimage import gaussian_filter

    soft = np.stack([gaussian_filter(pixels[:, :, c].astype(np.float64), radius) for c in range(3)], axis=2)
    return Pasted(np.where(where[:, :, None], np.rint(soft).astype(np.uint8), pixels), where)


def mean_filled(pixels: Pixels, where: Mask, *, protected: Mask) -> Pasted:
    """The region filled with the mean colour of the pixels around it, a ring a sixteenth of the image wide."""
    from scipy.ndimage import binary_dilation

    if not where.any():
        return Pasted(pixels.copy(), where)
    ring = binary_dilation(where, iterations=max(2, pixels.shape[0] // 16)) & ~where & ~protected
    source = ring if ring.any() else ~where
    colour = pixels[source].mean(axis=0) if source.any() else pixels.reshape(-1, 3).mean(axis=0)
    return Pasted(np.where(where[:, :, None], np.rint(colour).astype(np.uint8), pixels), where)


def _moved(donor: Pixels, segment: Mask, scale: float, shift: tuple[int, int]) -> tuple[Pixels, Mask]:
    """The donor and its segment, scaled about the segment's lowest middle and shifted; nearest pixels."""
    if scale == 1.0 and shift == (0, 0):
        return donor, segment
    rows, columns = np.nonzero(segment)
    if not len(rows):
        return donor, segment
    foot = (float(rows.max()) + 0.5, float(columns.min() + columns.max() + 1) / 2)
    height, width = segment.shape
    down = np.floor((np.arange(height) + 0.5 - shift[0] - foot[0]) / scale + foot[0]).astype(int)
    across = np.floor((np.arange(width) + 0.5 - shift[1] - foot[1]) / scale + foot[1]).astype(int)
    inside = ((down >= 0) & (down < height))[:, None] & ((across >= 0) & (across < width))[None, :]
    places = np.clip(down, 0, height - 1)[:, None], np.clip(across, 0, width - 1)[None, :]
    return donor[places], segment[places] & inside
