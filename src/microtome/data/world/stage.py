"""A stage on which scene classes set up their pictures."""

from __future__ import annotations

from collections.abc import Sequence

from microtome.data.world.dice import Dice
from microtome.data.world.graph import Ground, Light, Outline, SceneGraph, Thing
from microtome.data.world.materials import MATERIALS
from microtome.data.world.palette import COLORS

ANY = COLORS
LEAVES = ("green",) * 6 + ("yellow", "orange", "red", "pink", "brown", "purple")
PLUMAGE = ("white", "grey", "brown", "blue", "red", "black", "yellow", "pink", "green", "purple", "orange")
_SKIES = ("blue",) * 6 + ("orange", "pink", "grey", "purple", "black")


class Stage:
    """Collects grounds and things; every slot draws from a stream of its own.

    Parameters
    ----------
    dice:
        Source of all draws for this picture.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._grounds: list[Ground] = []
        self._things: list[Thing] = []
        self._night = False

    def dice(self, label: str) -> Dice:
        """A stream of draws that only this label uses."""
        return self._dice.fork(label)

    def ground(
        self,
        surface: str,
        color: str,
        outline: Outline = "full",
        frame: tuple[float, ...] = (),
        *,
        part: str = "",
    ) -> None:
        """Lay a stretch of ground over those before it; see `Ground`."""
        seed = self._dice.fork("ground", len(self._grounds)).seed()
        self._grounds.append(Ground(surface, color, outline, frame, part, seed))

    def sky(self, colors: Sequence[str] = _SKIES) -> None:
        """The sky with, now and then, a sun or a moon and some clouds."""
        dice = self._dice.fork("sky")
        color = dice.pick(colors)
        self.ground("sky", color)
        self._night = color == "black"
        if self._night:
            self.put("moon", color=("white", "yellow"), x=(0.1, 0.9), y=(0.22, 0.3), size=(0.12, 0.18), plain=True)
        elif color != "grey" and dice.chance(0.4):
            self.put(
                "sun",
                color=("yellow", "yellow", "orange"),
                x=(0.1, 0.9),
                y=(0.24, 0.34),
                size=(0.16, 0.24),
                plain=True,
            )
        tones = ("grey",) if color in ("black", "white") else ("white", "white", "grey")
        for _ in range(dice.pick((0, 0, 1, 1, 2))):
            self.put("cloud", color=tones, x=(0.0, 1.0), y=(0.1, 0.3), size=(0.06, 0.11), plain=True)

    def put(
        self,
        kind: str,
        *,
        color: Sequence[str],
        x: tuple[float, float] = (0.05, 0.95),
        y: tuple[float, float],
        size: tuple[float, float],
        plain: bool = False,
        farther_smaller: bool = False,
        lean: float = 0.0,
        depth: float | None = None,
    ) -> None:
        """Place one object at random inside the given ranges, rather away from others of its kind.

        Parameters
        ----------
        kind, color:
            A key of `objects.KINDS`; colours to choose from.
        x, y, size:
            Ranges of its foot and of its height, fractions of the picture.
        plain:
            Whether its material is always plain.
        farther_smaller:
            Whether it is smaller where it stands higher in the picture.
        lean:
            Largest tilt either way.
        depth:
            Drawing order; default: its `y`, so that nearer things cover farther ones.
        """
        alike = [thing for thing in self._things if thing.kind == kind]
        dice = self._dice.fork("thing", kind, len(alike))
        tries = [dice.between(*x) for _ in range(4)]
        place = max(tries, key=lambda at: min((abs(at - other.x) for other in alike), default=1.0))
        foot = dice.between(*y)
        tall = dice.between(*size)
        if farther_smaller and y[1] > y[0]:
            tall *= 0.62 + 0.38 * (foot - y[0]) / (y[1] - y[0])
        material = "plain" if plain or dice.chance(0.4) else dice.pick(MATERIALS[1:])
        paint = dice.pick(color)
        # Some are alike, so that captions have something to count.
        if alike and dice.chance(0.4):
            material, paint = alike[-1].material, alike[-1].color
        self._things.append(
            Thing(
                kind=kind,
                color=paint,
                material=material,
                x=round(place, 4),
                y=round(foot, 4),
                size=round(tall, 4),
                depth=round(foot if depth is None else depth, 4),
                mirrored=dice.chance(0.5) and kind != "sign",
                tilt=round(dice.between(-lean, lean), 4) if lean else 0.0,
                numeral=dice.whole(1, 6) if kind == "sign" else None,
                seed=dice.seed(),
            )
        )

    def finish(self, scene: str) -> SceneGraph:
        """The picture as a scene graph, lit at random."""
        dice = self._dice.fork("light")
        low, high = (0.74, 0.86) if self._night else (0.86, 1.06)
        light = Light(
            brightness=round(dice.between(low, high), 3),
            warmth=round(dice.between(-1.0, 1.0), 3),
            side=round(dice.between(-1.0, 1.0), 3),
        )
        return SceneGraph(scene, tuple(self._grounds), tuple(self._things), light)
