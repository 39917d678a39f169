"""Errors that a user meets: what happened, what was got, what was expected, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MicrotomeError(Exception):
    """Something the user can mend. The command line prints it without a traceback and exits with 2.

    Parameters
    ----------
    what:
        One sentence: what happened, naming the thing (file, layer, option) and what was got.
    expected:
        What would have been right. May be empty.
    next_step:
        What to do now. May be empty.
    """

    def __init__(self, what: str, *, expected: str = "", next_step: str = "") -> None:
        self.what = what
        self.expected = expected
        self.next_step = next_step
        parts = [what]
        if expected:
            parts.append(f"Expected: {expected}")
        if next_step:
            parts.append(f"Next: {next_step}")
        super().__init__("\n".join(parts))


class DataError(MicrotomeError):
    """A data set that cannot be used as it is."""


class ModelError(MicrotomeError):
    """A model, its weights or a layer name that cannot be used."""


class FormulaError(MicrotomeError):
    """Text that is no formula, or a formula over concepts that are not there."""


class RunError(MicrotomeError):
    """A run folder that cannot be written, read or resumed."""


class OptionError(MicrotomeError):
    """An option outside its range, or options that contradict each other."""


def problems_together(problems: list[str], *, limit: int = 20) -> str:
    """Join many problems into one message: the first `limit`, then how many more there are."""
    shown = [f"- {problem}" for problem in problems[:limit]]
    if len(problems) > limit:
        shown.append(f"- ... and {len(problems) - limit} more")
    return "\n".join(shown)


def nearest(name: str, valid: Iterable[str], *, most: int = 5) -> str:
    """The valid names closest to `name`, quoted and joined, for an error's `next_step`."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=most, cutoff=0.3) or names[:most]
    return ", ".join(f"'{c}'" for c in close)
