"""The pool for the planted world: what its captions say, one property at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from microtome.data.pools.base import TextPool, pool_of
from microtome.data.world.captions import number_word
from microtome.data.world.factors import FACTOR_VALUES
from microtome.data.world.graph import SURFACES
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS, SKY
from microtome.data.world.scenes import SCENES

_QUALITY = ("{}", "a {} thing", "{} things", "some {} things", "a picture of a {} thing")
_PATTERN = (*_QUALITY, "there is a {} thing", "we see some {} things")
_SINGULAR = ("a {}", "a picture of a {}")
_PLURAL = ("{}", "some {}")
_COUNTED = ("{}", "a picture of {}", "there is {}", "we see {}")
_PLACE = ("{}", "a thing {}", "some things {}", "a picture of a thing {}", "we see a thing {}")
_SIDED = (*_PLACE, "things {}", "we see some things {}", "a picture of some things {}", "there is a thing {}")
_BEHIND = ("{where} a {}", "a thing, {where} a {}", "some things, {where} a {}")
_NUMBERED = ("{}", "a thing {}", "a picture of a thing {}", "there is a thing {}", "we see a thing {}")
_SCENIC = ("a {} scene", "a picture of a {} scene", "we see a {} scene")

_SELDOM = frozenset({"cloud", "fence", "kite", "moon", "sun"})
"""Kinds that stand behind others and are next to never named in a caption."""
_UNPAINTED = frozenset({"black", "brown"})
"""Colours that no wall has."""
_MOST_COUNTED, _MOST_NUMERAL = 5, 6


@cache
def world_pool() -> TextPool:
    """Texts of the planted world, each about one property as far as words allow, in words that captions hold.

    The properties are color, material, object, count, surface, side, background (the colour of the sky or the wall),
    scene and numeral. Articles cannot be helped: "a boat" says that it is one. They are worded as captions are, so "a"
    stands before vowels too.
    """
    return pool_of("world", _pairs(), notes=("Worded as the captions of the planted world are.",))


def _pairs() -> Iterator[tuple[str, str]]:
    """(text, property), property by property."""
    yield from _filled("color", _QUALITY, COLORS)
    yield from _filled("material", _PATTERN, MATERIALS)
    for name, kind in KINDS.items():
        if kind.name == kind.plural:
            yield from _filled("object", (*_PLURAL, "a picture of some {}"), (name,))
        elif name not in _SELDOM:
            yield from _filled("object", _SINGULAR, (name,))
            if name in FACTOR_VALUES["object"]:
                yield from _filled("object", _PLURAL, (kind.plural,))
    for count in range(1, _MOST_COUNTED + 1):
        words = f"{number_word(count)} {'thing' if count == 1 else 'things'}"
        yield from _filled("count", _COUNTED, (words,))
        yield number_word(count), "count"
    yield from _filled("surface", _PLACE, [f"on {name}" for name in SURFACES if name not in ("sky", "wall")])
    sides = ("in the middle" if side == "middle" else f"on the {side}" for side in FACTOR_VALUES["side"])
    yield from _filled("side", _SIDED, tuple(sides))
    for where, what, colors in (
        ("under", "sky", tuple(SKY)),
        ("before", "wall", tuple(c for c in COLORS if c not in _UNPAINTED)),
    ):
        for color in colors:
            for template in _BEHIND:
                yield template.format(f"{color} {what}", where=where), "background"
    yield from _filled("scene", _SCENIC, tuple(SCENES))
    numerals = [f"with the numeral {numeral}" for numeral in range(1, _MOST_NUMERAL + 1)]
    yield from _filled("numeral", _NUMBERED, numerals)


def _filled(kind: str, templates: tuple[str, ...], words: tuple[str, ...] | list[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        for template in templates:
            yield template.format(word), kind
