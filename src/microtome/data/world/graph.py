"""The scene graph: a picture as data. Editing it changes one thing and leaves every other pixel as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from microtome.core.errors import OptionError, nearest
from microtome.data.world.captions import describe
from microtome.data.world.materials import MATERIALS
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import COLORS

SURFACES: tuple[str, ...] = (
    "sky", "water", "grass", "sand", "road", "snow", "stone", "soil", "wood", "wall",
)  # fmt: skip

Outline = Literal["full", "below", "ellipse", "quad"]


@dataclass(frozen=True)
class Thing:
    """One object.

    Attributes
    ----------
    kind:
        What it is, a key of `objects.KINDS`.
    color, material:
        Its own colour and material; parts such as wheels have fixed ones.
    x, y:
        Where its foot stands: fractions of the picture's width and height, y down.
    size:
        Its height as a fraction of the picture's.
    depth:
        Drawing order: lower is farther back; equal depths are drawn in list order.
    mirrored:
        Facing left.
    tilt:
        Tangent of half the angle by which it leans; 0 = upright.
    numeral:
        What a sign bears, 1 to 6; None for other kinds.
    seed:
        Decides the small details (where blobs of a crown lie, which way stripes run).
    """

    kind: str
    color: str
    material: str
    x: float
    y: float
    size: float
    depth: float = 0.0
    mirrored: bool = False
    tilt: float = 0.0
    numeral: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for word, value, valid in (
            ("kind of object", self.kind, tuple(KINDS)),
            ("colour", self.color, COLORS),
            ("material", self.material, MATERIALS),
        ):
            if value not in valid:
                raise OptionError(
                    f"There is no {word} '{value}' in the planted world.",
                    expected=f"one of {', '.join(valid)}",
                    next_step=f"nearest: {nearest(value, valid, most=3)}",
                )

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts drawn, each once, back to front."""
        pieces = KINDS[self.kind].build(self.seed, self.numeral)
        return tuple(dict.fromkeys(piece.part for piece in pieces))

    @property
    def attributes(self) -> dict[str, str | int]:
        """What can be said of it in words, besides where it is."""
        said: dict[str, str | int] = {"color": self.color, "material": self.material}
        if self.numeral is not None:
            said["numeral"] = self.numeral
        return said


@dataclass(frozen=True)
class Ground:
    """A stretch of background.

    Attributes
    ----------
    surface, color:
        What it is made of, one of `SURFACES`, and its colour name.
    outline, frame:
        Where it lies, in fractions of the picture. `full`: everywhere. `below`: under a line at height
        frame[0] whose waves are frame[1] high. `ellipse`: centre x, y and half axes. `quad`: four corners
        x, y, convex.
    part:
        What it is a part of its surface as (`lane marking`); empty for the surface itself.
    seed:
        Decides waves and texture.
    """

    surface: str
    color: str
    outline: Outline = "full"
    frame: tuple[float, ...] = ()
    part: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.surface not in SURFACES or self.color not in COLORS:
            raise OptionError(
                f"There is no '{self.color} {self.surface}' in the planted world.",
                expected=f"a colour ({', '.join(COLORS)}) and a surface ({', '.join(SURFACES)})",
            )


@dataclass(frozen=True)
class Light:
    """How the scene is lit. It changes shades, never the true colour.

    Attributes
    ----------
    brightness:
        Factor on all pixels, about 0.8 to 1.08.
    warmth:
        -1 (bluish) to 1 (reddish).
    side:
        -1 (from the left) to 1 (from the right).
    """

    brightness: float = 1.0
    warmth: float = 0.0
    side: float = 0.0


@dataclass(frozen=True)
class SceneGraph:
    """A whole picture as data: what it shows, where, and in what light.

    Attributes
    ----------
    scene:
        The scene class (`beach`).
    background:
        Stretches of ground, back to front; the first covers the whole picture.
    objects:
        The objects. An index into this tuple names an object in every edit.
    light:
        Lighting of the scene.
    """

    scene: str
    background: tuple[Ground, ...]
    objects: tuple[Thing, ...]
    light: Light = Light()

    @property
    def caption(self) -> str:
        """One or two short English sentences: colours, counts, objects, materials, surfaces, positions."""
        return describe(self)

    @property
    def drawing_order(self) -> tuple[int, ...]:
        """Indices of the objects, farthest first."""
        return tuple(sorted(range(len(self.objects)), key=lambda i: (self.objects[i].depth, i)))

    def object_at(self, index: int) -> Thing:
        """Object `index`. Raises OptionError where there is none."""
        if not 0 <= index < len(self.objects):
            raise OptionError(
                f"The scene has no object {index}.",
                expected=f"an index from 0 to {len(self.objects) - 1}",
                next_step="look at `scene.objects`",
            )
        return self.objects[index]


def recolour(scene: SceneGraph, object_index: int, color: str) -> SceneGraph:
    """The scene with one object in another colour. Its wheels, windows and other parts keep theirs."""
    return _with_object(scene, object_index, replace(scene.object_at(object_index), color=color))


def with_material(scene: SceneGraph, object_index: int, material: str) -> SceneGraph:
    """The scene with one object in another material."""
    return _with_object(scene, object_index, replace(scene.object_at(object_index), material=material))


def with_numeral(scene: SceneGraph, object_index: int, numeral: int) -> SceneGraph:
    """The scene with another numeral (1 to 6) on one of its signs."""
    thing = scene.object_at(object_index)
    if thing.kind != "sign" or not 1 <= numeral <= 6:
        raise OptionError(
            f"Cannot put the numeral {numeral} on object {object_index}, a {thing.kind}.",
            expected="a sign, and a numeral from 1 to 6",
        )
    return _with_object(scene, object_index, replace(thing, numeral=numeral))


def remove(scene: SceneGraph, object_index: int) -> SceneGraph:
    """The scene without one object; indices of the objects after it move down by one."""
    scene.object_at(object_index)
    return replace(scene, objects=scene.objects[:object_index] + scene.objects[object_index + 1 :])


def add(scene: SceneGraph, thing: Thing) -> SceneGraph:
    """The scene with one object more, last in the list; its `depth` decides what it covers."""
    return replace(scene, objects=(*scene.objects, thing))


def with_background(scene: SceneGraph, background: tuple[Ground, ...]) -> SceneGraph:
    """The scene's objects before another background."""
    if not background or background[0].outline != "full":
        raise OptionError(
            "A background must cover the whole picture.",
            expected="at least one Ground, the first with outline 'full'",
        )
    return replace(scene, background=background)


def with_water_colour(scene: SceneGraph, color: str) -> SceneGraph:
    """The scene with all its water in another colour; its waves stay where they are."""
    grounds = tuple(
        replace(ground, color=color) if ground.surface == "water" else ground for ground in scene.background
    )
    return replace(scene, background=grounds)


def _with_object(scene: SceneGraph, index: int, thing: Thing) -> SceneGraph:
    return replace(scene, objects=(*scene.objects[:index], thing, *scene.objects[index + 1 :]))
