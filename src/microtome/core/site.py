"""Where in a model: a site is a named place with a unit axis, a unit is one index on that axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from microtome.core.errors import ModelError


@dataclass(frozen=True)
class Site:
    """The output of one layer, seen as a set of units.

    Attributes
    ----------
    layer:
        Name of the module, as `named_modules()` has it. Of a module that runs several times in one forward
        pass the plain name is the last call; `name#0`, `name#1` ... are its calls in order.
    unit_axis:
        Axis of the output, batch included, along which the units lie: 1 for `[batch unit height width]`,
        2 for `[batch token unit]`, 1 for `[batch unit]`, 3 for `[batch height width unit]`.
    shape:
        Shape of the output for one example, without the batch axis.
    units:
        How many units: the length of the unit axis.
    in_image:
        False when two further axes are no height and width of the image (the queries and keys of attention
        heads).
    """

    layer: str
    unit_axis: int
    shape: tuple[int, ...]
    units: int
    in_image: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.unit_axis <= len(self.shape):
            raise ModelError(
                f"Site '{self.layer}' has unit axis {self.unit_axis}, but its output has {len(self.shape) + 1} axes.",
                expected=f"a unit axis from 1 to {len(self.shape)} (axis 0 is the batch)",
            )
        if self.shape[self.unit_axis - 1] != self.units:
            raise ModelError(
                f"Site '{self.layer}' says {self.units} units, but its unit axis is "
                f"{self.shape[self.unit_axis - 1]} long.",
                expected="`units` equals the length of the unit axis",
            )

    @property
    def positions(self) -> tuple[int, ...]:
        """Shape of one unit's map: the output's shape without batch and units. Empty for `[batch unit]`."""
        axis = self.unit_axis - 1
        return self.shape[:axis] + self.shape[axis + 1 :]

    @property
    def spatial(self) -> bool:
        """True when each unit has a map over the image: two axes with more than one cell.

        A 1 x 1 map (the output of a global pool) has no place in the image and counts as image-level.
        """
        return self.in_image and len(self.positions) == 2 and prod(self.positions) > 1

    def unit(self, index: int) -> Unit:
        """Unit `index` of this site. Raises ModelError when it is out of range."""
        return Unit(self, index)


@dataclass(frozen=True)
class Unit:
    """One unit: a channel, a neuron, a feature; `index` counts from 0 along the site's unit axis."""

    site: Site
    index: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.site.units:
            raise ModelError(
                f"Unit {self.index} is not in layer '{self.site.layer}'.",
                expected=f"a unit from 0 to {self.site.units - 1}",
                next_step="choose a unit in that range or another layer",
            )

    def __str__(self) -> str:
        return f"{self.site.layer}:{self.index}"
