"""Every concept that the world labels, and the integers that its label planes use for them."""

from __future__ import annotations

from microtome.core.concept import Concept, unique_concepts
from microtome.data.world.graph import SURFACES
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS
from microtome.data.world.scenes import SCENES

PLANES: tuple[str, ...] = ("color", "material", "object", "part", "surface")
"""Categories of the label planes, in order."""

_PARTS = tuple(sorted({part for kind in KINDS.values() for part in kind.parts} | {"lane marking"}))
_PAIRS = tuple(
    (name, category)
    for category, names in (
        ("color", COLORS),
        ("material", MATERIALS),
        ("object", tuple(KINDS)),
        ("part", _PARTS),
        ("surface", SURFACES),
        ("scene", tuple(SCENES)),
    )
    for name in names
)

CONCEPTS: tuple[Concept, ...] = unique_concepts(_PAIRS)
"""All concepts; a plane's cell k > 0 means `CONCEPTS[k - 1]`."""

_NUMBER = {(category, name): index for index, (name, category) in enumerate(_PAIRS)}


def concept_index(category: str, name: str) -> int:
    """Index into `CONCEPTS` of a word in a category."""
    return _NUMBER[(category, name)]


def plane_value(category: str, name: str) -> int:
    """What a label plane holds where the word applies; 0 for the empty word."""
    return _NUMBER[(category, name)] + 1 if name else 0
