"""What a kind of object is: its words, its parts, and how one is put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microtome.data.world.shapes import Piece


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes
    ----------
    name, plural:
        The words for it.
    parts:
        All parts that an object of this kind may show.
    pieces:
        From (seed of the object, numeral or None) to the painted shapes, back to front, in object units:
        height 1, foot at the origin, y down.
    shadow:
        Half width of its shadow on the ground in object units; 0 = none (it floats or flies).
    """

    name: str
    plural: str
    parts: tuple[str, ...]
    pieces: Callable[[int, int | None], tuple[Piece, ...]]
    shadow: float = 0.0

    def build(self, seed: int, numeral: int | None) -> tuple[Piece, ...]:
        """The painted shapes of one object."""
        return self.pieces(seed, numeral)
