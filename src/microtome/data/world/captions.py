"""A scene graph in short English."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microtome.data.world.objects import KINDS

if TYPE_CHECKING:
    from microtome.data.world.graph import Ground, SceneGraph, Thing

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
_ALOFT = ("cloud", "sun", "moon", "kite")
_MOST_GROUPS = 3
_SIDES = {"left": "on the left", "middle": "in the middle", "right": "on the right"}


def describe(scene: SceneGraph) -> str:
    """Two sentences: the most prominent objects with count, colour, material and place; then the setting.

    Objects alike in kind, colour and material are one group, which stands where its largest member stands.
    """
    phrases = [_group(scene, group) for group in groups_of(scene)[:_MOST_GROUPS]]
    setting = _setting(scene)
    if not phrases:
        return f"{setting}."
    listed = _listed(phrases)
    return f"{listed[0].upper()}{listed[1:]}. {setting}."


def groups_of(scene: SceneGraph) -> list[list[Thing]]:
    """Objects alike in kind, colour and material, the most prominent group first, without what is off the picture."""
    groups: dict[tuple[str, str, str], list[Thing]] = {}
    for thing in scene.objects:
        if 0.0 <= thing.x <= 1.0:
            groups.setdefault((thing.kind, thing.color, thing.material), []).append(thing)
    return sorted(groups.values(), key=lambda group: (group[0].kind in _ALOFT, -_prominence(group)))


def _prominence(group: list[Thing]) -> float:
    return sum(thing.size * thing.size for thing in group)


def _group(scene: SceneGraph, group: list[Thing]) -> str:
    first, count = group[0], len(group)
    kind = KINDS[first.kind]
    words = f"{first.material} {first.color} {kind.name if count == 1 else kind.plural}"
    if kind.name == kind.plural:
        amount = "some" if count == 1 else f"{number_word(count)} clumps of"
    else:
        amount = _article(words) if count == 1 else number_word(count)
    numeral = f" with the numeral {first.numeral}" if count == 1 and first.numeral is not None else ""
    return f"{amount} {words}{numeral} {_place(scene, group)}"


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


def number_word(count: int) -> str:
    """The number in words up to eight, in digits beyond."""
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _place(scene: SceneGraph, group: list[Thing]) -> str:
    largest = max(group, key=lambda thing: thing.size)
    sides = {side_of(thing) for thing in group}
    side = _SIDES[sides.pop()] if len(sides) == 1 else "across the picture"
    if largest.kind in _ALOFT:
        return f"in the sky {side}"
    below = surface_under(scene, largest)
    preposition = "before" if below.surface in ("wall", "sky") else "on"
    return f"{preposition} the {below.color} {below.surface} {side}"


def side_of(thing: Thing) -> str:
    """The third of the picture where an object stands: `left`, `middle` or `right`."""
    return "left" if thing.x < 0.36 else "right" if thing.x > 0.64 else "middle"


def surface_under(scene: SceneGraph, thing: Thing) -> Ground:
    """The front-most stretch of ground at the object's foot, waves left out."""
    found = scene.background[0]
    for ground in scene.background:
        if not ground.part and _covers(ground, thing.x, min(thing.y, 1.0)):
            found = ground
    return found


def _covers(ground: Ground, x: float, y: float) -> bool:
    if ground.outline == "full":
        return True
    if ground.outline == "below":
        return y >= ground.frame[0]
    if ground.outline == "ellipse":
        cx, cy, rx, ry = ground.frame
        u, v = (x - cx) / rx, (y - cy) / ry
        return u * u + v * v <= 1.0
    corners = list(zip(ground.frame[0::2], ground.frame[1::2], strict=True))
    turns = [
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns)


def _setting(scene: SceneGraph) -> str:
    """The class, and the grounds in front of the one that fills the picture."""
    behind = f"{scene.background[0].color} {scene.background[0].surface}"
    grounds = [f"{ground.color} {ground.surface}" for ground in scene.background[1:] if not ground.part]
    listed = _listed(list(dict.fromkeys(grounds)))
    preposition = "under" if scene.background[0].surface == "sky" else "before"
    beneath = f" with {listed}" if listed else ""
    opening = f"{_article(scene.scene).capitalize()} {scene.scene} scene"
    return f"{opening}{beneath} {preposition} {_article(behind)} {behind}"


def _listed(words: list[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1]) if len(words) > 1 else words)
