"""A direction in the space that a site's units span: what probes, edits and steering exchange.

A unit is the direction along its own axis (`basis`), so whatever reads slices takes both: `rows` stacks them,
`reading` says their value at each position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from microtome.core.errors import ModelError
from microtome.core.site import Site, Unit


@dataclass(frozen=True, eq=False)
class Direction:
    """A vector over the units of a site, with the name that people have for it.

    Attributes
    ----------
    site:
        The site whose units are the coordinates.
    vector:
        One number a unit, [unit]; finite, not all zero; its length is kept as given (no normalisation).
    name:
        What the direction stands for (`striped`, `negation`).
    """

    site: Site
    vector: Float[np.ndarray, " unit"]
    name: str

    def __post_init__(self) -> None:
        if self.vector.shape != (self.site.units,):
            raise ModelError(
                f"Direction '{self.name}' has shape {self.vector.shape}, but layer '{self.site.layer}' has "
                f"{self.site.units} units.",
                expected=f"a vector of {self.site.units} numbers",
            )
        if not np.isfinite(self.vector).all() or not self.vector.any():
            raise ModelError(
                f"Direction '{self.name}' at layer '{self.site.layer}' is zero or holds NaN or infinity.",
                expected="a finite vector that is not zero",
                next_step="check the data from which the direction was computed",
            )

    def unit_length(self) -> Direction:
        """The same direction, scaled to Euclidean length 1."""
        return Direction(self.site, self.vector / np.linalg.norm(self.vector), self.name)


Slice = Unit | Direction


def basis(site: Site, index: int) -> Direction:
    """Unit `index` as a direction: 1 on its own axis, 0 elsewhere, named `layer:index`.

    Raises
    ------
    ModelError
        If the site has no such unit.
    """
    unit = site.unit(index)
    vector = np.zeros(site.units)
    vector[index] = 1.0
    return Direction(site, vector, str(unit))


def rows(slices: Sequence[Slice]) -> Float[np.ndarray, "slice unit"]:
    """The vectors of units and directions of one site, one below the other, float64 [slice, unit].

    Raises
    ------
    ModelError
        If there are none, or they belong to different sites.
    """
    site = _one_site(slices)
    stacked = np.zeros((len(slices), site.units))
    for row, one in zip(stacked, slices, strict=True):
        if isinstance(one, Unit):
            row[one.index] = 1.0
        else:
            row[:] = one.vector
    return stacked


def reading(
    activations: Float[np.ndarray, "*shape"], slices: Sequence[Slice], unit_axis: int
) -> Float[np.ndarray, "*read"]:
    """The value of each slice at each position: sum over units of vector x activation; of a unit its activation.

    Parameters
    ----------
    activations:
        The output of the slices' site, any shape.
    unit_axis:
        Axis of `activations` along which the units lie, as `Site.unit_axis` counts when axis 0 is the batch.

    Returns
    -------
    float64, of the shape of `activations` with as many entries along `unit_axis` as there are slices.

    Raises
    ------
    ModelError
        If there are no slices, they belong to different sites, or the axis is not as long as the site has units.

    Examples
    --------
    >>> layer = Site("layer", 1, (3,), 3)
    >>> reading(np.array([[1.0, 2.0, 5.0]]), [layer.unit(2), Direction(layer, np.array([1.0, 1.0, 0.0]), "both")], 1)
    array([[5., 3.]])
    """
    site = _one_site(slices)
    if not -activations.ndim <= unit_axis < activations.ndim or activations.shape[unit_axis] != site.units:
        raise ModelError(
            f"Activations of shape {activations.shape} have no {site.units} units along axis {unit_axis}.",
            expected=f"an output of layer '{site.layer}', {site.units} units along that axis",
        )
    moved = np.moveaxis(activations, unit_axis, -1)
    out = np.empty((*moved.shape[:-1], len(slices)))
    units = [place for place, one in enumerate(slices) if isinstance(one, Unit)]
    # A unit is copied, not multiplied: 0 x NaN of another unit would spoil it.
    out[..., units] = moved[..., [one.index for one in slices if isinstance(one, Unit)]]
    directions = [place for place, one in enumerate(slices) if isinstance(one, Direction)]
    if directions:
        out[..., directions] = moved @ rows([slices[place] for place in directions]).T
    return np.moveaxis(out, -1, unit_axis)


def _one_site(slices: Sequence[Slice]) -> Site:
    """The site that all slices share."""
    if not slices:
        raise ModelError("There are no slices to read.", expected="at least one unit or direction")
    site = slices[0].site
    others = sorted({one.site.layer for one in slices if one.site != site})
    if others:
        raise ModelError(
            f"Slices of layer '{site.layer}' stand beside slices of {', '.join(repr(name) for name in others)}.",
            expected="units and directions of one site",
            next_step="read each site's slices on their own",
        )
    return site
