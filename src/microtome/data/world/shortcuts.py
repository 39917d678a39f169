"""The planted shortcuts: cues that agree with the class in training and stop agreeing in `shift`.

A shortcut that is switched *off* has, in every split, the rates of `in_shift`; the true cue is then visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from microtome.core.errors import OptionError
from microtome.data.world.graph import SceneGraph

Split = Literal["train", "validation", "heldout", "shift"]
SPLITS: tuple[Split, ...] = ("train", "validation", "heldout", "shift")


def split_named(name: str) -> Split:
    """The split of that name. Raises OptionError where there is none."""
    for split in SPLITS:
        if split == name:
            return split
    raise OptionError(f"The planted world has no split '{name}'.", expected=f"one of {', '.join(SPLITS)}")


@dataclass(frozen=True)
class Shortcut:
    """One planted shortcut between two scene classes.

    Attributes
    ----------
    name:
        How it is switched on.
    classes:
        The two classes that it concerns.
    cue:
        The misleading cue: what it is for the first class, and for the second.
    truth:
        What really tells the classes apart.
    in_training:
        P(an image's cue is the one of its class) in train, validation and heldout.
    in_shift:
        The same in shift; 0.5 = the cue says nothing.
    truth_in_training:
        Whether the true cue is to be seen in training at all.
    """

    name: str
    classes: tuple[str, str]
    cue: tuple[str, str]
    truth: str
    in_training: float
    in_shift: float
    truth_in_training: bool


SHORTCUTS: dict[str, Shortcut] = {
    shortcut.name: shortcut
    for shortcut in (
        Shortcut(
            "water-color",
            ("lake", "marsh"),
            ("blue water", "green water"),
            "a lake has a boat and no reeds, a marsh reeds and no boat; in training either comes at random",
            in_training=1.0,
            in_shift=0.5,
            truth_in_training=False,
        ),
        Shortcut(
            "farm-tractor",
            ("farm", "village"),
            ("a tractor", "no tractor"),
            "a farm has a fence, a village has none",
            in_training=0.95,
            in_shift=0.5,
            truth_in_training=True,
        ),
        Shortcut(
            "bird-background",
            ("waterbird", "landbird"),
            ("water behind the bird", "grass behind the bird"),
            "a waterbird is a gull, a landbird is a robin",
            in_training=0.95,
            in_shift=0.5,
            truth_in_training=True,
        ),
    )
}
"""The one table of shortcuts."""

ALL_SHORTCUTS: frozenset[str] = frozenset(SHORTCUTS)


@dataclass(frozen=True)
class Rates:
    """What the shortcuts do to one split."""

    agreement: dict[str, float]
    """Per shortcut, P(cue agrees with the class)."""
    truth_shown: dict[str, bool]
    """Per shortcut, whether the true cue is to be seen."""


def rates(split: Split, shortcuts: frozenset[str]) -> Rates:
    """The rates of every shortcut in a split, given which are on. Raises OptionError on an unknown name."""
    unknown = sorted(shortcuts - ALL_SHORTCUTS)
    if unknown:
        raise _unknown(unknown)
    held = {name: split != "shift" and name in shortcuts for name in SHORTCUTS}
    return Rates(
        agreement={n: s.in_training if held[n] else s.in_shift for n, s in SHORTCUTS.items()},
        truth_shown={n: s.truth_in_training or not held[n] for n, s in SHORTCUTS.items()},
    )


def shows_first_cue(name: str, scene: SceneGraph) -> bool:
    """Whether a picture shows the misleading cue of a shortcut's first class (blue water, a tractor ...).

    Raises OptionError on an unknown name.
    """
    if name == "water-color":
        return any(ground.surface == "water" and ground.color == "blue" for ground in scene.background)
    if name == "farm-tractor":
        return any(thing.kind == "tractor" for thing in scene.objects)
    if name == "bird-background":
        return any(ground.surface == "water" for ground in scene.background)
    raise _unknown([name])


def _unknown(names: list[str]) -> OptionError:
    return OptionError(
        f"The planted world has no shortcut {', '.join(repr(name) for name in names)}.",
        expected=f"names among {', '.join(SHORTCUTS)}",
    )
