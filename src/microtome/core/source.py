"""Where a method comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A publication, the place in it, and where our code deviates from it.

    Attributes
    ----------
    paper:
        Authors, year, title.
    place:
        Section or equation. May be empty.
    deviation:
        What we do otherwise, and why. Empty = nothing.
    """

    paper: str
    place: str = ""
    deviation: str = ""
