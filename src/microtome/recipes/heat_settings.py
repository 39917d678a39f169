"""Settings of `decompose heatmap` and `decompose segment`, each with its range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from microtome.core.errors import OptionError
from microtome.recipes.direct_pass import PassSettings
from microtome.verify.segmentation import Rule

OTHERS = "others"
NEUTRAL = "neutral"
NOTHING = "none"
CONTRASTS = (OTHERS, NEUTRAL, NOTHING)


@dataclass(frozen=True)
class HeatSettings:
    """What heat is counted, and against what.

    Attributes
    ----------
    method:
        `decomposition`, or a heatmap method of `methods/attribute`.
    layers:
        Count the heads of these layers alone (decomposition only); None: all.
    minus:
        What is subtracted from a text's or class's direction: texts or classes (their mean); `others`: the mean of the
        others that are asked for; `neutral`: the mean of a pool of texts, or of all classes; `none`: nothing. Empty:
        `others` where two or more are asked for, else `neutral`.
    neutral:
        The pool of texts behind `neutral`; empty: `world` for the shipped CLIP, else `general`.
    template:
        How a class is put into words for a model with a text side; empty: the model's own way.
    images:
        How images go through the model.
    """

    method: str = "decomposition"
    layers: tuple[int, ...] | None = None
    minus: tuple[str, ...] = ()
    neutral: str = ""
    template: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, layers: int) -> HeatSettings:
        """These settings, once they fit a model of so many layers. Raises OptionError."""
        check_layers(self.layers, layers)
        special = [word for word in self.minus if word in CONTRASTS]
        if special and len(self.minus) > 1:
            raise OptionError(f"'{special[0]}' cannot be subtracted together with texts.", expected="the one or others")
        return self


@dataclass(frozen=True)
class SegmentSettings:
    """How heatmaps are scored against masks.

    Attributes
    ----------
    methods:
        Names of heatmap methods; `all`: every one.
    against:
        What a text's direction is taken against, each in a row of its own: the mean of all things that the data could
        show (`others`), the mean of neutral texts or of all classes (`neutral`), nothing (`none`). The first is the one
        that pictures and controls are about. Empty: those of the three that the data and the model have.
    rule:
        Where the foreground begins: `mean`, `middle`, `zero` or a quantile from 0 to 1. The published protocol is
        `mean`.
    score_size:
        Side of the square, in pixels, that heat and mask are brought to, 16 to 1024. The published protocol is 224.
    shown:
        Images with pictures, from the worst to the best by the first row, 0 to 60.
    layers, neutral, template, images:
        As in `HeatSettings`; the template puts into words what a mask shows.
    neurons:
        A run of `decompose neurons`: adds the method `neurons`. Empty: without.
    """

    methods: tuple[str, ...] = ("all",)
    against: tuple[str, ...] = ()
    rule: Rule = "mean"
    score_size: int = 224
    shown: int = 12
    layers: tuple[int, ...] | None = None
    neutral: str = ""
    template: str = ""
    neurons: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, layers: int) -> SegmentSettings:
        """These settings, once they fit a model of so many layers. Raises OptionError."""
        check_layers(self.layers, layers)
        for name, value, low, high in (("score_size", self.score_size, 16, 1024), ("shown", self.shown, 0, 60)):
            if not low <= value <= high:
                raise OptionError(f"The setting {name} is {value}.", expected=f"{low} to {high}")
        wrong = [word for word in self.against if word not in CONTRASTS]
        if wrong:
            raise OptionError(f"The setting against is '{wrong[0]}'.", expected=f"some of {', '.join(CONTRASTS)}")
        if not self.methods:
            raise OptionError("No heatmap method is chosen.", expected="methods, or 'all'")
        return self


def check_layers(chosen: Sequence[int] | None, layers: int) -> None:
    """Raise OptionError unless all layers that are chosen are there."""
    wrong = [n for n in chosen or () if not 0 <= n < layers]
    if wrong or (chosen is not None and not chosen):
        raise OptionError(
            f"The model has no layer {wrong[0]}." if wrong else "No layer is chosen.",
            expected=f"layers from 0 to {layers - 1}",
        )


def rule_named(text: str) -> Rule:
    """A threshold rule from its name: `mean`, `middle`, `zero`, or a quantile such as `0.8`.

    Raises
    ------
    OptionError
        If it is none.
    """
    if text in ("mean", "middle", "zero"):
        return text
    try:
        quantile = float(text)
    except ValueError:
        quantile = -1.0
    if not 0.0 <= quantile <= 1.0:
        raise OptionError(f"The threshold rule '{text}' is unknown.", expected="mean, middle, zero or a quantile")
    return quantile
