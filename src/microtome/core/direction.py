"""A direction in the space that a site's units span: what probes, edits and steering exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from microtome.core.errors import ModelError
from microtome.core.site import Site


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
