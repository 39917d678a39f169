"""Does a change of the input turn the answer, more often than a control does, and who carries it?

    rate = turned / cases,   difference = rate - control's rate,   over the cases that were answered rightly before

Rates have Wilson's 95 % interval, differences a bootstrap over cases; p is of random signs of the cases' own
differences (`paired`). The verdict asks for a difference that matters, not for one that is not zero:

    proved      difference >= BAR, its interval is above 0, and q (p over all suspects) <= the false-discovery rate
    refuted     the whole interval of the difference is below BAR, by bootstrap and by Wilson's bounds
    not proved  anything else: too few cases, or in between

Source: Wilson 1927; Efron 1979; Fisher 1935; Benjamini & Hochberg 1995.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from microtome.verify.paired import Mean, paired_change
from microtome.verify.proportions import wilson

Verdict = Literal["proved", "not proved", "refuted"]
VERDICTS: tuple[Verdict, ...] = ("proved", "not proved", "refuted")
BAR = 0.10
"""A fault that turns fewer than one answer in ten, beyond the control, is not reported as one."""
LEAST = 10
"""Fewer cases prove and refute nothing."""


@dataclass(frozen=True)
class Rate:
    """A share of cases, with Wilson's 95 % interval."""

    hits: int
    cases: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """hits / cases; NaN without a case."""
        return self.hits / self.cases if self.cases else float("nan")


@dataclass(frozen=True)
class FlipTest:
    """How often the answer turns.

    Attributes
    ----------
    turned:
        By the change.
    control:
        Mean over the control's draws, case by case.
    difference:
        The one minus the other, with its interval.
    p:
        Two-sided, of the difference; NaN without a case.
    ahead, behind:
        Cases that the change turned more often than the control did, and less often.
    least:
        The smallest difference that a case can have: 1 / draws.
    """

    turned: Rate
    control: Mean
    difference: Mean
    p: float
    ahead: Rate | None = None
    behind: Rate | None = None
    least: float = 1.0


def rate_of(hits: Bool[np.ndarray, " case"]) -> Rate:
    """A share with its interval."""
    count = int(hits.sum())
    return Rate(count, len(hits), *wilson(count, len(hits)))


def flip_test(turned: Bool[np.ndarray, " case"], control: Bool[np.ndarray, "case draw"], *, seed: int) -> FlipTest:
    """Compare a change with its control, over cases that were right before.

    Parameters
    ----------
    turned:
        Whether the change turned each case.
    control:
        Whether each draw of the control did; at least one draw.
    """
    after = turned.astype(np.float64)
    beside: Float[np.ndarray, " case"] = control.mean(axis=1, dtype=np.float64) if len(control) else after
    tested = paired_change(np.zeros(len(after)), after, beside, seed=seed)
    return FlipTest(
        rate_of(turned), tested.control, tested.difference, tested.p, rate_of(after > beside), rate_of(after < beside),
        1.0 / max(control.shape[1], 1),
    )  # fmt: skip


def verdict_of(test: FlipTest, q: float, *, fdr: float) -> Verdict:
    """What a test says of a suspect; `q` is its p corrected for all suspects that were tested."""
    if test.turned.cases < LEAST:
        return "not proved"
    found = test.difference
    if found.mean >= BAR and found.low > 0 and q <= fdr:
        return "proved"
    return "refuted" if max(found.high, upper_end(test)) < BAR else "not proved"


def upper_end(test: FlipTest) -> float:
    """Upper end of the difference by Wilson's bounds, which few cases widen though none of them turned (there the
    bootstrap says 0): of the share of cases that the change turned more often than the control, less the share of the
    others; -inf where these are not known."""
    if test.ahead is None or test.behind is None:
        return -math.inf
    return test.ahead.high - test.least * test.behind.low
