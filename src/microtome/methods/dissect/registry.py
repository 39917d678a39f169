"""The methods of this package by name, and how command-line settings make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microtome.core.errors import OptionError
from microtome.core.explanation import DissectMethod
from microtome.core.measures import METRICS, Metric
from microtome.core.registry import Registry
from microtome.methods.dissect.compositional import Compositional
from microtome.methods.dissect.exact import Exact
from microtome.methods.dissect.netdissect import NetDissect

LONGEST = 10


@dataclass(frozen=True)
class SearchSettings:
    """What a user can choose about the search, whatever the method."""

    metric: Metric = "iou"
    max_length: int = 3
    beam: int = 10
    penalty: float = 1.0
    exact_length: int = 3


Maker = Callable[[SearchSettings], DissectMethod]
METHODS: Registry[Maker] = Registry("dissect method")


def make_method(name: str, settings: SearchSettings) -> DissectMethod:
    """The method of this name with the settings it knows.

    Raises
    ------
    OptionError
        Unknown method or metric, a setting out of range, or a metric that the method cannot search by.
    """
    if settings.metric not in METRICS:
        raise OptionError(
            f"There is no metric '{settings.metric}'.",
            expected=f"one of: {', '.join(METRICS)}",
            next_step="leave --metric out for IoU",
        )
    if not 1 <= settings.max_length <= LONGEST:
        raise OptionError(
            f"--max-length is {settings.max_length}.",
            expected=f"1 to {LONGEST} leaves",
            next_step="3 is the default; longer formulas gain little and read badly",
        )
    if not 1 <= settings.beam <= 1000:
        raise OptionError(f"--beam is {settings.beam}.", expected="1 to 1000", next_step="10 is the default")
    if not 0 < settings.penalty <= 1:
        raise OptionError(
            f"--penalty is {settings.penalty}.", expected="above 0, at most 1", next_step="1 is the default"
        )
    if settings.exact_length not in (2, 3):
        raise OptionError(
            f"--exact-length is {settings.exact_length}.",
            expected="2 or 3 leaves to be proved best",
            next_step="3 is for images, 2 for text, where an element has dozens of concepts",
        )
    return METHODS[name](settings)


def _exact(settings: SearchSettings) -> DissectMethod:
    if settings.metric not in ("iou", "f1"):
        raise OptionError(
            f"The exact search proves the best IoU (and with it the best F1), not the best {settings.metric}.",
            expected="--metric iou or f1 with --method exact",
            next_step=f"add --method compositional to search by {settings.metric}",
        )
    proved = 2 if settings.exact_length == 2 else 3
    return Exact(settings.max_length, settings.beam, settings.penalty, settings.metric, proved)


METHODS.add("netdissect", lambda settings: NetDissect(metric=settings.metric))
METHODS.add(
    "compositional",
    lambda settings: Compositional(settings.max_length, settings.beam, settings.metric, settings.penalty),
)
METHODS.add("exact", _exact)
