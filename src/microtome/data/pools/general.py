"""The general pool: what a picture may show, from our own lists of words, each text with its property."""

from __future__ import annotations

from functools import cache

from microtome.data.pools.base import TextPool, pool_of
from microtome.data.pools.general_look import LOOK
from microtome.data.pools.general_nature import NATURE
from microtome.data.pools.general_people import PEOPLE
from microtome.data.pools.general_picture import PICTURE
from microtome.data.pools.general_signs import SIGNS
from microtome.data.pools.general_things import THINGS

GENERAL = (*LOOK, *PICTURE, *NATURE, *THINGS, *PEOPLE, *SIGNS)
"""Every list of the pool, in its order."""


@cache
def general_pool() -> TextPool:
    """Over 3,000 short English descriptions of pictures, no property with over an eighth of them.

    The pool says nothing that is not in the `general_*` lists beside this file. Where two lists would make the same
    text, it belongs to the first.
    """
    return pool_of("general", (pair for phrases in GENERAL for pair in phrases.texts()))
