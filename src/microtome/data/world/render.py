"""From scene graph to pixels and truth.

Edges are blended over one pixel; the *truth* of a pixel is the top-most shape at its centre. Everything
random about an object comes from its own seed, so an edit of one object leaves all other pixels as they were,
bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from microtome.data.world.dice import Dice
from microtome.data.world.graph import Light, SceneGraph, Thing
from microtome.data.world.materials import pattern
from microtome.data.world.objects import KINDS
from microtome.data.world.palette import PAINT, PATTERN
from microtome.data.world.shapes import Piece
from microtome.data.world.surfaces import ground_colours, ground_distance, top_of
from microtome.data.world.vocabulary import PLANES, plane_value

_PERIOD = 0.075
"""Period of the materials' patterns as a fraction of the picture: seven pixels at 96."""


@dataclass(frozen=True)
class Rendering:
    """A picture with its truth.

    Attributes
    ----------
    pixels:
        RGB, uint8.
    planes:
        One label plane for each category of `vocabulary.PLANES`; see `LabelledImage.planes`.
    instances:
        Index of the object seen at each pixel, -1 for background.
    """

    pixels: UInt8[np.ndarray, "size size 3"]
    planes: Int[np.ndarray, "5 size size"]
    instances: Int[np.ndarray, "size size"]


def render(scene: SceneGraph, size: int) -> tuple[UInt8[np.ndarray, "size size 3"], Int[np.ndarray, "5 size size"]]:
    """The picture of a scene, `size` pixels high and wide, and its label planes."""
    drawn = render_full(scene, size)
    return drawn.pixels, drawn.planes


def render_full(scene: SceneGraph, size: int) -> Rendering:
    """The picture of a scene with all its truth, including which object each pixel shows."""
    canvas = _Canvas(size, scene.light)
    canvas.draw_background(scene)
    for index in scene.drawing_order:
        canvas.draw_thing(scene.objects[index], index)
    return canvas.finish()


def footprint(scene: SceneGraph, object_index: int, size: int) -> Bool[np.ndarray, "size size"]:
    """Pixels that one object can touch: its shapes with their blended edges, and its shadow on the ground.

    They include what other objects hide. Removing or recolouring the object changes no pixel outside.
    """
    canvas = _Canvas(size, scene.light)
    canvas.draw_thing(scene.object_at(object_index), 0)
    return canvas.touched


class _Canvas:
    """The picture while it is painted."""

    def __init__(self, size: int, light: Light) -> None:
        self.size = size
        self.light = light
        self.centres = (np.arange(size) + 0.5) / size
        self.rgb: Float[np.ndarray, "3 size size"] = np.zeros((3, size, size))
        self.layer: Int[np.ndarray, "size size"] = np.zeros((size, size), dtype=np.int32)
        self.touched: Bool[np.ndarray, "size size"] = np.zeros((size, size), dtype=bool)
        self.truth: list[tuple[int, ...]] = []

    def draw_background(self, scene: SceneGraph) -> None:
        for ground in scene.background:
            first = min(max(int(top_of(ground) * self.size) - 2, 0), self.size)
            rows = self.centres[first:]
            if rows.size == 0:
                continue
            colours = ground_colours(ground, self.centres, rows)
            distance = ground_distance(ground, self.centres, rows)
            number = self._number(
                -1,
                color=ground.color,
                part=ground.part,
                surface=ground.surface,
            )
            if distance is None:
                self.rgb[:] = colours
                self.layer[:] = number
                continue
            cover = np.clip(0.5 - distance * self.size, 0.0, 1.0)
            below = self.rgb[:, first:]
            below += cover * (colours - below)
            self.layer[first:][distance < 0.0] = number

    def draw_thing(self, thing: Thing, index: int) -> None:
        kind = KINDS[thing.kind]
        dice = Dice(thing.seed).fork("paint")
        tint = np.array([dice.between(-8.0, 8.0) for _ in range(3)])
        variant = dice.whole(0, 2)
        if kind.shadow:
            self._draw_shadow(thing, kind.shadow)
        for piece in kind.build(thing.seed, thing.numeral):
            self._draw_piece(thing, index, piece, tint, variant)

    def finish(self) -> Rendering:
        warm = 0.06 * self.light.warmth
        factor = np.array([1.0 + warm, 1.0, 1.0 - warm]) * self.light.brightness
        lit = np.clip(self.rgb * factor[:, None, None] + 0.5, 0.0, 255.0)
        pixels = np.ascontiguousarray(lit.astype(np.uint8).transpose(1, 2, 0))
        table = np.array(self.truth, dtype=np.int32)
        seen = table[self.layer]
        return Rendering(pixels, np.ascontiguousarray(seen[..., :5].transpose(2, 0, 1)), seen[..., 5])

    def _number(
        self, index: int, *, color: str, material: str = "", kind: str = "", part: str = "", surface: str = ""
    ) -> int:
        """Note what a shape means and return its number in the layer map."""
        words = (color, material, kind, part, surface)
        values = tuple(plane_value(category, word) for category, word in zip(PLANES, words, strict=True))
        self.truth.append((*values, index))
        return len(self.truth) - 1

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice] | None:
        """Rows and columns of the pixels that a box in fractions of the picture can touch."""
        size = self.size
        x0, x1 = max(int(left * size - 1.0), 0), min(int(right * size + 2.0), size)
        y0, y1 = max(int(top * size - 1.0), 0), min(int(bottom * size + 2.0), size)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _draw_shadow(self, thing: Thing, half_width: float) -> None:
        rx, ry = half_width * thing.size * 1.1, max(0.012, 0.16 * half_width * thing.size)
        window = self._window(thing.x - rx, thing.y - ry, thing.x + rx, thing.y + ry)
        if window is None:
            return
        u = (self.centres[window[1]][None, :] - thing.x) / rx
        v = (self.centres[window[0]][:, None] - thing.y) / ry
        dark = np.maximum(1.0 - u * u - v * v, 0.0)
        self.rgb[:, window[0], window[1]] *= 1.0 - 0.42 * dark
        self.touched[window] |= dark > 0.0

    def _draw_piece(self, thing: Thing, index: int, piece: Piece, tint: Float[np.ndarray, "3"], variant: int) -> None:
        own = piece.color == ""
        color = thing.color if own else piece.color
        number = self._number(
            index,
            color=color,
            material=thing.material if own else "plain",
            kind=thing.kind,
            part=piece.part,
        )
        tilt = _Tilt(thing)
        window = self._window(*tilt.box(piece))
        if window is None:
            return
        across, down = tilt.local(self.centres[window[1]][None, :], self.centres[window[0]][:, None])
        distance = piece.shape.distance(across, down)
        cover = np.clip(0.5 - distance * (thing.size * self.size), 0.0, 1.0)
        side = self.light.side * (-0.1 if thing.mirrored else 0.1)
        shade = (0.97 - 0.14 * down - 0.07 + side * across) * piece.shade
        colours = (np.array(PAINT[color]) + (tint if own else 0.0))[:, None, None] * shade
        if own and thing.material != "plain":
            scale = thing.size / _PERIOD
            mark = pattern(
                thing.material,
                across * scale,
                down * scale,
                soft=1.0 / (_PERIOD * self.size),
                variant=variant,
            )
            assert mark is not None, "only plain has no pattern"
            second = (np.array(PATTERN[color]) + tint)[:, None, None] * shade
            colours = colours + mark * (second - colours)
        below = self.rgb[:, window[0], window[1]]
        below += cover * (np.minimum(colours, 255.0) - below)
        self.layer[window][distance < 0.0] = number
        self.touched[window] |= cover > 0.0


class _Tilt:
    """From picture coordinates to an object's own and back."""

    def __init__(self, thing: Thing) -> None:
        self.thing = thing
        square = thing.tilt * thing.tilt
        self.cos = (1.0 - square) / (1.0 + square)
        self.sin = 2.0 * thing.tilt / (1.0 + square)
        self.mirror = -1.0 if thing.mirrored else 1.0

    def box(self, piece: Piece) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a piece in the picture."""
        left, top, right, bottom = piece.shape.bounds()
        corners = [(x, y) for x in (left, right) for y in (top, bottom)]
        size = self.thing.size
        xs = [self.thing.x + self.mirror * size * (x * self.cos - y * self.sin) for x, y in corners]
        ys = [self.thing.y + size * (x * self.sin + y * self.cos) for x, y in corners]
        return min(xs), min(ys), max(xs), max(ys)

    def local(
        self, x: Float[np.ndarray, "1 width"], y: Float[np.ndarray, "height 1"]
    ) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
        """Object coordinates of picture points; still one-dimensional where the object stands upright."""
        u = (x - self.thing.x) * (self.mirror / self.thing.size)
        v = (y - self.thing.y) / self.thing.size
        if self.thing.tilt == 0.0:
            return u, v
        return u * self.cos + v * self.sin, v * self.cos - u * self.sin
