"""Flat shapes as signed distances: negative inside, positive outside.

Only +, -, *, / and square roots are used: IEEE arithmetic rounds those alike everywhere, so pixels are the
same on every platform. Coordinates may be one-dimensional and broadcast ([1, width] and [height, 1]).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Grid = Float[np.ndarray, "..."]
Bounds = tuple[float, float, float, float]
"""left, top, right, bottom."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse with half axes `rx`, `ry`; with `dome` only its upper half."""

    cx: float
    cy: float
    rx: float
    ry: float
    dome: bool = False

    def bounds(self) -> Bounds:
        return (
            self.cx - self.rx,
            self.cy - self.ry,
            self.cx + self.rx,
            self.cy + (0.0 if self.dome else self.ry),
        )

    def distance(self, x: Grid, y: Grid) -> Grid:
        u = (x - self.cx) / self.rx
        v = (y - self.cy) / self.ry
        radius = np.sqrt(u * u + v * v)
        out = (radius - 1.0) * min(self.rx, self.ry)
        return np.maximum(out, y - self.cy) if self.dome else out


@dataclass(frozen=True)
class Box:
    """An upright rectangle with corners rounded by `round`."""

    left: float
    top: float
    right: float
    bottom: float
    round: float = 0.0

    def bounds(self) -> Bounds:
        return (self.left, self.top, self.right, self.bottom)

    def distance(self, x: Grid, y: Grid) -> Grid:
        over_x = np.abs(x - (self.left + self.right) / 2) - ((self.right - self.left) / 2 - self.round)
        over_y = np.abs(y - (self.top + self.bottom) / 2) - ((self.bottom - self.top) / 2 - self.round)
        if self.round == 0.0:
            return np.maximum(over_x, over_y)
        far_x, far_y = np.maximum(over_x, 0.0), np.maximum(over_y, 0.0)
        corner = np.sqrt(far_x * far_x + far_y * far_y)
        return corner + np.minimum(np.maximum(over_x, over_y), 0.0) - self.round


@dataclass(frozen=True)
class Polygon:
    """A convex polygon, corners in either order."""

    corners: tuple[tuple[float, float], ...]

    def bounds(self) -> Bounds:
        xs = [corner[0] for corner in self.corners]
        ys = [corner[1] for corner in self.corners]
        return (min(xs), min(ys), max(xs), max(ys))

    def distance(self, x: Grid, y: Grid) -> Grid:
        points = self.corners
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, (*points[1:], points[0]), strict=True))
        sign = 1.0 if area > 0 else -1.0
        out: Grid | None = None
        for (ax, ay), (bx, by) in zip(points, (*points[1:], points[0]), strict=True):
            run, rise = (bx - ax) * sign, (by - ay) * sign
            length = float(np.sqrt(run * run + rise * rise))
            edge = (x - ax) * (rise / length) - (y - ay) * (run / length)
            out = edge if out is None else np.maximum(out, edge)
        assert out is not None, "a polygon has corners"
        return out


@dataclass(frozen=True)
class Stroke:
    """A line with round ends, `width` thick."""

    ax: float
    ay: float
    bx: float
    by: float
    width: float

    def bounds(self) -> Bounds:
        half = self.width / 2
        return (
            min(self.ax, self.bx) - half,
            min(self.ay, self.by) - half,
            max(self.ax, self.bx) + half,
            max(self.ay, self.by) + half,
        )

    def distance(self, x: Grid, y: Grid) -> Grid:
        run, rise = self.bx - self.ax, self.by - self.ay
        square = run * run + rise * rise
        along = np.clip(((x - self.ax) * run + (y - self.ay) * rise) / square, 0.0, 1.0)
        off_x = (x - self.ax) - along * run
        off_y = (y - self.ay) - along * rise
        return np.sqrt(off_x * off_x + off_y * off_y) - self.width / 2


Shape = Ellipse | Box | Polygon | Stroke


@dataclass(frozen=True)
class Piece:
    """One painted shape of an object, in the object's own units: height 1, foot at the origin, y down.

    Attributes
    ----------
    part:
        What the piece is (`wheel`).
    shape:
        Where it is.
    color:
        Its colour name; empty = the object's own colour, and then also its material.
    shade:
        Brightness factor within the colour's name, to set pieces of one colour apart.
    """

    part: str
    shape: Shape
    color: str = ""
    shade: float = 1.0
