"""Compiled counts of positions by signature: as recorded, with images re-paired, with maps shifted."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def paired_counts(positions, maps, half, cells, pairing, out):
    """out[half, signature] += 1 for each position, read in the label map of image pairing[i]; void is skipped.

    The half is that of the activation map's image; a pairing stays within its half.
    """
    for k in range(len(positions)):
        image = positions[k] // cells
        signature = maps[pairing[image] * cells + (positions[k] - image * cells)]
        if signature >= 0:
            out[1 if half[image] else 0, signature] += 1


@njit(cache=True, nogil=True)
def shifted_counts(positions, maps, half, cells, width, pairing, shifts, lengths, out):
    """The same with each activation map moved by shifts[image] = (rows, columns), circularly.

    The columns go round within lengths[pairing[image]], those that the labels have.
    """
    height = cells // width
    for k in range(len(positions)):
        image = positions[k] // cells
        inside = positions[k] - image * cells
        other = pairing[image]
        y = (inside // width + shifts[image, 0]) % height
        x = (inside % width + shifts[image, 1]) % lengths[other]
        signature = maps[other * cells + y * width + x]
        if signature >= 0:
            out[1 if half[image] else 0, signature] += 1
