"""Settings of `decompose retrieve`, each with its range."""

from __future__ import annotations

from dataclasses import dataclass, field

from microtome.core.errors import OptionError
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import PassSettings
from microtome.recipes.head_choice import Head, checked_heads


@dataclass(frozen=True)
class RetrieveSettings:
    """Which heads stand for a property, and how the likeness by them is tested.

    Attributes
    ----------
    properties:
        Properties by which images are to be found; empty: all that are known of them.
    heads:
        These heads, for every property; None: chosen for each.
    most:
        At most so many heads for a property, 1 to 16.
    candidates:
        Heads that the choice is made among: those that tell the property most. Time grows with it.
    k:
        Images that are found for a query, 1 to 1000.
    queries:
        At most so many held-out images are looked for others like them; all are looked through. Time grows with it.
    searched:
        At most so many images of the searched half on which heads are chosen; their vectors are kept in memory.
    query:
        A picture file to find images like; empty: none.
    shown_queries, shown_images:
        Queries of each property with pictures, and pictures found for each.
    images:
        How images go through the model.
    """

    properties: tuple[str, ...] = ()
    heads: tuple[Head, ...] | None = None
    most: int = 4
    candidates: int = 12
    k: int = 10
    queries: int = 1000
    searched: int = 1500
    query: str = ""
    shown_queries: int = 3
    shown_images: int = 6
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, tower: Tower) -> RetrieveSettings:
        """These settings, once they fit a model. Raises OptionError for a value out of its range."""
        for name, value, low, high in (
            ("most", self.most, 1, 16),
            ("candidates", self.candidates, 1, 1000),
            ("k", self.k, 1, 1000),
            ("queries", self.queries, 1, 1_000_000),
            ("searched", self.searched, 20, 20_000),
            ("shown_queries", self.shown_queries, 0, 20),
            ("shown_images", self.shown_images, 1, 50),
        ):
            if not low <= value <= high:
                raise OptionError(f"The setting {name} is {value}.", expected=f"{low} to {high}")
        checked_heads(self.heads, tower)
        return self
