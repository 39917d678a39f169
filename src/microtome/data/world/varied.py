"""Captions that never follow one template: every property is named in some captions and left out of others."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from microtome.data.world.captions import groups_of, number_word, side_of, surface_under
from microtome.data.world.dice import Dice
from microtome.data.world.graph import SURFACES, SceneGraph, Thing
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS
from microtome.data.world.scenes import SCENES

_FLIPPED = {"left": "right", "right": "left", "middle": "middle"}
_PLAIN_WORDS = (
    "a and background before behind front image in is it left many middle no numeral object objects of on picture "
    "right scene see some the there thing things under we with"
)


def caption_words() -> tuple[str, ...]:
    """Every word that a caption can hold, and a few to ask with, alphabetically."""
    kinds = (word for kind in KINDS.values() for word in (*kind.name.split(), *kind.plural.split()))
    numbers = (word for n in range(9) for word in (str(n), number_word(n)))
    words = {*kinds, *numbers, *COLORS, *MATERIALS, *SURFACES, *SCENES, *_PLAIN_WORDS.split()}
    return tuple(sorted(words))


@dataclass(frozen=True)
class LeftOut:
    """How often each property is left out, as probabilities.

    Attributes
    ----------
    color, material, object, count, surface, side:
        Of the group of objects. Without its kind an object is a "thing".
    ground:
        The colour of the ground.
    behind:
        What stands behind: the colour of the sky or the wall.
    scene:
        The scene class.
    """

    color: float = 0.25
    material: float = 0.15
    object: float = 0.15
    count: float = 0.25
    surface: float = 0.3
    side: float = 0.3
    ground: float = 0.7
    behind: float = 0.75
    scene: float = 0.2


@dataclass(frozen=True)
class Wording:
    """How a caption is worded.

    Attributes
    ----------
    left_out:
        How often each property is left out.
    certain:
        Properties that are always named.
    mirrored:
        The picture is shown mirrored: left is right.
    most_groups:
        Groups of objects that are spoken of at most, 1 or 2.
    """

    left_out: LeftOut = field(default_factory=LeftOut)
    certain: frozenset[str] = frozenset()
    mirrored: bool = False
    most_groups: int = 2

    def names(self, property_: str, dice: Dice) -> bool:
        """Whether this caption names a property."""
        said = not dice.fork("says", property_).chance(getattr(self.left_out, property_))
        return said or property_ in self.certain


def varied_caption(scene: SceneGraph, dice: Dice, wording: Wording | None = None) -> str:
    """A caption of a scene in lower case, without full stop: "three striped red boats on the left on water".

    Parameters
    ----------
    scene:
        What the picture shows.
    dice:
        Decides what is said and in which order.
    wording:
        How often each property is left out.
    """
    wording = wording or Wording()
    groups = groups_of(scene)
    parts: list[str] = []
    if groups:
        shown = 1 if scene.scene == "arrangement" or len(groups) == 1 else dice.fork("groups").whole(1, 2)
        shown = min(shown, wording.most_groups)
        phrases = [_group(scene, group, dice.fork("group", n), wording) for n, group in enumerate(groups[:shown])]
        parts.append(" and ".join(phrases))
    if scene.scene != "arrangement" and (not parts or wording.names("scene", dice)):
        parts.insert(dice.fork("scene first").whole(0, len(parts)), f"a {scene.scene} scene")
    if wording.names("behind", dice):
        first = scene.background[0]
        parts.append(f"{'under' if first.surface == 'sky' else 'before'} a {first.color} {first.surface}")
    caption = ", ".join(parts)
    if caption.startswith(("on ", "in ", "before ", "under ")):
        return caption
    return dice.fork("opening").pick(("", "", "", "a picture of ", "there is ", "we see ")) + caption


def full_caption(scene: SceneGraph, dice: Dice) -> str:
    """A caption of the most prominent group that leaves nothing out; `dice` decides the order of words."""
    nothing = LeftOut(**dict.fromkeys((field.name for field in fields(LeftOut)), 0.0))
    return varied_caption(scene, dice, Wording(nothing, most_groups=1))


def _group(scene: SceneGraph, group: list[Thing], dice: Dice, wording: Wording) -> str:
    first, count = group[0], len(group)
    words: list[str] = []
    if wording.names("material", dice):
        words.append(first.material)
    if wording.names("color", dice):
        words.append(first.color)
    if len(words) == 2 and dice.fork("order").chance(0.3):
        words.reverse()
    kind = KINDS[first.kind]
    if wording.names("object", dice):
        words.append(kind.name if count == 1 else kind.plural)
    else:
        words.append("thing" if count == 1 else "things")
    if wording.names("count", dice):
        words.insert(0, number_word(count))
    else:
        words.insert(0, "a" if count == 1 else "some")
    if count == 1 and first.numeral is not None and dice.fork("numeral").chance(0.5):
        words.append(f"with the numeral {first.numeral}")
    thing = " ".join(words)
    places = _places(scene, group, dice, wording)
    if places and dice.fork("place first").chance(0.3):
        return f"{places.pop()} {thing} {' '.join(places)}".strip()
    return " ".join([thing, *places])


def _places(scene: SceneGraph, group: list[Thing], dice: Dice, wording: Wording) -> list[str]:
    places: list[str] = []
    below = surface_under(scene, max(group, key=lambda thing: thing.size))
    if wording.names("surface", dice):
        color = f"{below.color} " if wording.names("ground", dice) else ""
        places.append(f"{'before' if below.surface in ('wall', 'sky') else 'on'} {color}{below.surface}")
    sides = {side_of(thing) for thing in group}
    if wording.names("side", dice) and len(sides) == 1:
        side = sides.pop()
        side = _FLIPPED[side] if wording.mirrored else side
        places.append("in the middle" if side == "middle" else f"on the {side}")
    return list(dice.fork("places").shuffled(places))
