"""The heatmap methods of this package by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microtome.core.registry import Registry
from microtome.methods.attribute.base import HeatmapMethod
from microtome.methods.attribute.gradcam import GradCam
from microtome.methods.attribute.gradient_rollout import GradientRollout
from microtome.methods.attribute.lrp import Lrp
from microtome.methods.attribute.raw_attention import RawAttention
from microtome.methods.attribute.rollout import Rollout


@dataclass(frozen=True)
class HeatmapSettings:
    """What can be chosen about a heatmap, whatever the method.

    Attributes
    ----------
    cosine:
        Whether the score divides the output by its length (CLIP-like models) or not (class scores).
    """

    cosine: bool = True


Maker = Callable[[HeatmapSettings], HeatmapMethod]
METHODS: Registry[Maker] = Registry("heatmap method")


def make_method(name: str, settings: HeatmapSettings) -> HeatmapMethod:
    """The method of this name with the settings it knows.

    Raises
    ------
    OptionError
        If there is none of this name.
    """
    return METHODS[name](settings)


METHODS.add("raw-attention", lambda settings: RawAttention())
METHODS.add("rollout", lambda settings: Rollout())
METHODS.add("gradcam", lambda settings: GradCam(settings.cosine))
METHODS.add("gradient-rollout", lambda settings: GradientRollout(settings.cosine))
METHODS.add("lrp", lambda settings: Lrp(settings.cosine))
