"""What the same search finds by chance, and how unlikely a unit's score is then.

Two nulls, each run through the same route as the unit itself (search on one half, score on the other):

re-paired: activation map i is read against the labels of image pi(i); pi permutes the images of each half. Objects keep
    their shapes and images their scenes; only the relation of the two is gone.
shifted: each map is moved around its own image, circularly. What an image shows as a whole stays; where it shows it is
    gone. A formula of whole-image concepts alone claims nothing about where, so it is not held to this null.

p from the re-paired null is pooled over units of like area and like spread over images (within a factor of two in both,
at least `POOL_LEAST` draws): a unit's own draws are too few for false-discovery control, and a unit that fires in few
images varies more than one that fires a little in all. The shifted null depends on what else is in the unit's images,
so it is the unit's own, with a Pareto tail (Hill's estimate on the highest quarter) where fewer than five draws reach
the score. The worse of the two counts. tests/planted shows both calibrated; Gumbel and exponential tails were not.

Source: Phipson & Smyth 2010 (p from random permutations: (1 + exceeding) / (1 + draws)); Hill 1975 (tail index);
Knijnenburg et al. 2009 (tail fits of permutation p).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.record.counting import HalfCounts

POOL_LEAST = 1000
SLOTS_A_DRAW = 64
SHIFTS_LEAST = 20
TAIL_OFFSET = 1e-3

Search = Callable[[HalfCounts], Float[np.ndarray, "route"]]
"""The route of one unit: counts of both halves in, held-out scores out (entry 0: the chosen length, k: length k)."""


@runtime_checkable
class CountsOf(Protocol):
    """A slot's activity by signature, as recorded or under a null."""

    def __call__(
        self,
        *,
        pairing: Int[np.ndarray, "image"] | None = None,
        shifts: Int[np.ndarray, "image 2"] | None = None,
    ) -> HalfCounts: ...


@dataclass(frozen=True)
class ChanceSettings:
    """How chance is drawn.

    Attributes
    ----------
    permutations:
        Re-pairings of all images; 0 = no chance baseline (nothing is then named).
    fdr:
        Share of named units that may be false, in (0, 1).
    seed:
        Decides every pairing and shift.
    """

    permutations: int = 200
    fdr: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class SlotNull:
    """Held-out scores of one slot under the nulls: [draw, route]."""

    repaired: Float[np.ndarray, "draw route"]
    shifted: Float[np.ndarray, "shift route"]


class ChanceDraws:
    """Pairings and shifts of a run, drawn before anything else and the same for all units.

    Parameters
    ----------
    heldout:
        Which images are held out; a pairing never mixes the halves.
    slots:
        How many slots there are: with over 64 of them each re-pairing serves every k-th.
    grid:
        Rows and columns of the label grid; 1 x 1 has no shifts.
    """

    def __init__(
        self, settings: ChanceSettings, *, heldout: Bool[np.ndarray, "image"], slots: int, grid: tuple[int, int]
    ) -> None:
        self._settings, self._heldout, self._grid = settings, heldout, grid
        self._stride = max(1, -(-slots // SLOTS_A_DRAW))
        draws = settings.permutations
        self._pairings = [self._pairing(draw) for draw in range(draws)]
        few = max(SHIFTS_LEAST, draws * SLOTS_A_DRAW // max(slots, 1))
        self.n_shifts = 0 if grid == (1, 1) else min(draws, few)
        self._shifts = [self._shift(draw) for draw in range(self.n_shifts)]

    def _pairing(self, draw: int) -> Int[np.ndarray, "image"]:
        generator = np.random.default_rng([self._settings.seed, 2, draw])
        pairing = np.arange(len(self._heldout))
        for half in (False, True):
            members = np.flatnonzero(self._heldout == half)
            pairing[members] = generator.permutation(members)
        return pairing

    def _shift(self, draw: int) -> Int[np.ndarray, "image 2"]:
        generator = np.random.default_rng([self._settings.seed, 3, draw])
        return generator.integers(0, self._grid, size=(len(self._heldout), 2))

    def run(self, slot: int, counts_of: CountsOf, *, search: Search, routes: int, spatial: bool) -> SlotNull:
        """Draw the nulls of one slot.

        Parameters
        ----------
        routes:
            Length of what `search` returns.
        spatial:
            Whether the unit's formula says anything about where; without, no shifts are drawn.
        """
        repaired = [
            search(counts_of(pairing=pairing))
            for draw, pairing in enumerate(self._pairings)
            if (slot + draw) % self._stride == 0
        ]
        shifted = [search(counts_of(shifts=shift)) for shift in self._shifts] if spatial else []
        none = np.zeros((0, routes))
        return SlotNull(np.stack(repaired) if repaired else none, np.stack(shifted) if shifted else none)


@dataclass(frozen=True)
class Verdict:
    """One score against chance.

    Attributes
    ----------
    chance:
        Mean held-out score that the same search reaches by chance, of the null that sets the higher bar.
    kind:
        `re-paired` or `shifted`.
    p:
        The larger of the two nulls' p; NaN without draws.
    p_repaired, p_shifted:
        Each null's own p; NaN where it was not drawn.
    """

    chance: float
    kind: str
    p: float
    p_repaired: float
    p_shifted: float


def judge(
    scores: Float[np.ndarray, "slot"],
    nulls: list[SlotNull],
    *,
    areas: Float[np.ndarray, "slot"],
    spreads: Float[np.ndarray, "slot"],
    route: int,
) -> list[Verdict]:
    """Each slot's score against both nulls.

    Parameters
    ----------
    scores:
        Held-out scores of one route; NaN = nothing to judge.
    areas, spreads:
        Active elements of each slot, and over how many images they spread: what like units are told by.
    """
    verdicts = []
    for slot, (score, null) in enumerate(zip(scores, nulls, strict=True)):
        pool = pooled_draws(slot, nulls, areas=areas, spreads=spreads, route=route)
        if np.isnan(score) or not len(pool):
            verdicts.append(Verdict(np.nan, "re-paired", np.nan, np.nan, np.nan))
            continue
        chance, kind, repaired, shifted = float(pool.mean()), "re-paired", empirical_p(score, pool), np.nan
        if len(null.shifted):
            own = null.shifted[:, route]
            shifted = tail_p(score, own)
            if own.mean() > chance:
                chance, kind = float(own.mean()), "shifted"
        verdicts.append(Verdict(chance, kind, float(np.fmax(repaired, shifted)), repaired, shifted))
    return verdicts


def pooled_draws(
    slot: int,
    nulls: list[SlotNull],
    *,
    areas: Float[np.ndarray, "slot"],
    spreads: Float[np.ndarray, "slot"],
    route: int,
) -> Float[np.ndarray, "draw"]:
    """Re-paired draws of all slots like this one, the likest first; at least `POOL_LEAST` where there are as many."""
    distance = np.maximum(_octaves(areas, slot), _octaves(spreads, slot))
    parts, count = [], 0
    for other in np.argsort(distance, kind="stable"):
        if distance[other] > 1 and count >= POOL_LEAST:
            break
        draws = nulls[other].repaired
        if len(draws):
            parts.append(draws[:, route])
            count += len(draws)
    return np.concatenate(parts) if parts else np.zeros(0)


def _octaves(values: np.ndarray, slot: int) -> np.ndarray:
    """How many factors of two lie between each value and that of the slot."""
    return np.abs(np.log2(np.maximum(values, 1.0) / max(float(values[slot]), 1.0)))


def empirical_p(score: float, draws: Float[np.ndarray, "draw"]) -> float:
    """(1 + draws at least as high) / (1 + draws)."""
    return (1 + int((draws >= score).sum())) / (1 + len(draws))


def tail_p(score: float, draws: Float[np.ndarray, "draw"]) -> float:
    """Empirical p where five or more draws reach the score, else from a Pareto tail.

        p = (m / n) ((s + e) / u)^(-1 / xi),   xi = mean log(x_i / u) over the m = n / 4 (at least 5) highest draws

    x = draw + e with e = `TAIL_OFFSET`, since draws may be 0; u is the (m + 1)-th highest x.
    """
    m = max(5, len(draws) // 4)
    if int((draws >= score).sum()) >= 5 or len(draws) <= m:
        return empirical_p(score, draws)
    high = np.sort(np.maximum(draws, 0.0))[::-1][: m + 1] + TAIL_OFFSET
    index = float(np.log(high[:m] / high[m]).mean())
    if index == 0.0 or score + TAIL_OFFSET <= high[m]:
        return empirical_p(score, draws)
    return float(m / len(draws) * ((score + TAIL_OFFSET) / high[m]) ** (-1 / index))
