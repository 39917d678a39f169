"""Interventions as data: what is to be changed where. `models/intervene.py` carries them out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from microtome.core.errors import OptionError

InterventionKind = Literal[
    "ablate-zero", "ablate-mean", "ablate-resample", "replace", "add", "clamp", "scale", "project"
]
Side = Literal["output", "input"]


@dataclass(frozen=True, eq=False)
class Intervention:
    """One change of a layer's output, or of its first input, while the model runs.

    Values (`value`, `low`, `high`) are numbers, NumPy arrays or tensors of one of these shapes, with n = the
    number of chosen units:

    - a single number: the same everywhere;
    - `[n]`: one number for each chosen unit, in the order of `units`;
    - the shape of the layer's output for one example, or that with a batch axis of 1 or of the batch's length
      in front: for example an activation that `trace` returned for another image. Only the chosen units of it
      are used.

    Attributes
    ----------
    layer:
        Name of the layer (`layer4`, or `relu#0` for the first call of a module that runs several times).
    kind:
        `ablate-zero`: units become 0. `ablate-mean`: they become `value`, their mean over some data.
        `ablate-resample`: they become `value`, activations of other examples, or with `seed` those of another
        example of the same batch. `replace`: they become `value` (activation patching). `add`: `value` is
        added (steering). `clamp`: they are kept within `low` and `high`. `scale`: they are multiplied by `value`.
        `project`: of their vector at each position the component along `value` (`[n]`, any length) is taken out.
    units:
        Indices of the units to change; None = all.
    value, low, high:
        Numbers, see above. Which of them are needed depends on `kind`.
    positions:
        Boolean mask of the cells or tokens to change, in the shape of one unit's map, optionally with the
        batch axis in front; None = everywhere.
    seed:
        For `ablate-resample` without `value`: decides which example lends its activations to which.
    side:
        What is changed. Of `input` the units, shapes and positions are the input's: of an attention's output
        projection they are the heads side by side.
    """

    layer: str
    kind: InterventionKind
    units: tuple[int, ...] | None = None
    value: Any = None
    low: Any = None
    high: Any = None
    positions: Any = None
    seed: int | None = None
    side: Side = "output"

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise OptionError(
                f"Intervention '{self.kind}' on layer '{self.layer}': {problem}.",
                next_step="build it with ablate, resample, replace, add, clamp, scale or project of "
                "microtome.core.intervention",
            )


def ablate(
    layer: str,
    units: Iterable[int] | None = None,
    *,
    mean: Any = None,
    positions: Any = None,
    side: Side = "output",
) -> Intervention:
    """Switch units off: to zero, or to their mean where `mean` is given (`[n]` or the layer's shape)."""
    kind: InterventionKind = "ablate-zero" if mean is None else "ablate-mean"
    return Intervention(layer, kind, _tuple(units), value=mean, positions=positions, side=side)


def resample(
    layer: str,
    units: Iterable[int] | None = None,
    *,
    value: Any = None,
    seed: int | None = None,
    positions: Any = None,
) -> Intervention:
    """Give units the activations of other examples: `value`, or from a `seed` those of the same batch.

    With a seed every example receives the activations of another example, never its own; the pairing depends
    on the seed and the length of the batch alone.
    """
    return Intervention(layer, "ablate-resample", _tuple(units), value=value, seed=seed, positions=positions)


def replace(layer: str, value: Any, units: Iterable[int] | None = None, *, positions: Any = None) -> Intervention:
    """Put `value` in the place of the units' activations (activation patching)."""
    return Intervention(layer, "replace", _tuple(units), value=value, positions=positions)


def add(layer: str, value: Any, units: Iterable[int] | None = None, *, positions: Any = None) -> Intervention:
    """Add `value` to the units' activations (steering along a direction)."""
    return Intervention(layer, "add", _tuple(units), value=value, positions=positions)


def clamp(
    layer: str,
    units: Iterable[int] | None = None,
    *,
    low: Any = None,
    high: Any = None,
    positions: Any = None,
) -> Intervention:
    """Keep the units' activations at or above `low` and at or below `high`."""
    return Intervention(layer, "clamp", _tuple(units), low=low, high=high, positions=positions)


def scale(layer: str, factor: Any, units: Iterable[int] | None = None) -> Intervention:
    """Multiply the units' activations by a factor, or each by its own (`[n]`); 0 ablates, 1 changes nothing."""
    return Intervention(layer, "scale", _tuple(units), value=factor)


def project(layer: str, direction: Any, units: Iterable[int] | None = None) -> Intervention:
    """Take a direction (`[n]`) out of the activations at every position: a - d (d . a) / (d . d)."""
    return Intervention(layer, "project", _tuple(units), value=direction)


def _tuple(units: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if units is None else tuple(int(unit) for unit in units)


def _problem(it: Intervention) -> str:
    """What is wrong with the combination of fields, or an empty string."""
    if it.kind not in get_args(InterventionKind):
        return f"unknown kind; the kinds are {', '.join(get_args(InterventionKind))}"
    if it.side not in get_args(Side):
        return f"there is no side '{it.side}'; the sides are {', '.join(get_args(Side))}"
    if it.side == "input" and "#" in it.layer:
        return "of an input every call is changed; leave the call's number out"
    if it.units is not None:
        if not it.units:
            return "`units` is empty; None means all units"
        if min(it.units) < 0:
            return f"unit {min(it.units)} is negative; units count from 0"
        if len(set(it.units)) < len(it.units):
            return "a unit is listed twice"
    if it.kind in ("ablate-mean", "replace", "add", "scale", "project") and it.value is None:
        return "needs `value`"
    if it.kind == "ablate-resample" and (it.value is None) == (it.seed is None):
        return "needs either `value` or `seed`, not both"
    if it.kind == "clamp" and it.low is None and it.high is None:
        return "needs `low` or `high`"
    unused = _given(it) - _USED[it.kind]
    return f"{', '.join(f'`{name}`' for name in sorted(unused))} has no meaning here" if unused else ""


_USED: dict[str, set[str]] = {
    "ablate-zero": set(),
    "ablate-mean": {"value"},
    "ablate-resample": {"value", "seed"},
    "replace": {"value"},
    "add": {"value"},
    "clamp": {"low", "high"},
    "scale": {"value"},
    "project": {"value"},
}


def _given(it: Intervention) -> set[str]:
    return {name for name in ("value", "low", "high", "seed") if getattr(it, name) is not None}
