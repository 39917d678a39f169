"""All kinds of objects, by name."""

from __future__ import annotations

from microtome.data.world.kind import Kind
from microtome.data.world.objects_built import BUILT
from microtome.data.world.objects_household import HOUSEHOLD
from microtome.data.world.objects_living import LIVING

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*LIVING, *BUILT, *HOUSEHOLD)}
