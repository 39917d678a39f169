"""What the same search finds by chance, and how unlikely a unit's score is then.

Two nulls, each run through the same route as the unit itself (search on one half, score on the other):

re-paired: activation map i is read against the labels of image pi(i); pi permutes the images of each half. Objects keep
    their shapes and images their scenes; only the relation of the two is gone.
shifted: each map is moved around its own image, circularly. What an image shows as a whole stays; where it shows it is
    gone. A formula of whole-image concepts alone claims nothing about where, so it is not held to this null.

p. A unit's own draws are too few for false-discovery control, and units differ in what chance reaches: one that fires
at the top of street scenes meets sky by chance, another never. So each score and each draw is first set against the
other draws of its own unit (leave-one-out, so that score and draws are alike under the null),

    z = (x - mean of the unit's other draws) / (their standard deviation + a tenth of the median one of all units)

and p is pooled over the z of units of like area and like spread over images (within a factor of two in both, at least
`POOL_LEAST` draws). The worse of the two nulls counts. tests/planted shows both uniform on noise.

Source: Phipson & Smyth 2010 (p from random permutations: (1 + exceeding) / (1 + draws)); Tusher, Tibshirani & Chu 2001
(a constant added to the standard deviation against units whose draws hardly vary).
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
DRAWS_LEAST, DRAWS_WANTED = 4, 10
FLOOR = 0.1
ROUNDING = 1e-9
STRATUM = 20

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
    annotated:
        Images with an element that is not void; the others are paired with nobody.
    slots:
        How many slots there are: with over 64 of them each re-pairing serves every k-th.
    grid:
        Rows and columns of the label grid; 1 x 1 has no shifts.
    lengths:
        Of items of different lengths (texts): columns of each. They are then paired with others of like length, some
        twenty at a time, and moved round as well: the k-th tokens of two texts have nothing in common but that they are
        the k-th, which may be the very thing that a unit looks for. None: all items are alike.
    """

    def __init__(
        self,
        settings: ChanceSettings,
        *,
        heldout: Bool[np.ndarray, "image"],
        annotated: Bool[np.ndarray, "image"],
        slots: int,
        grid: tuple[int, int],
        lengths: Int[np.ndarray, "image"] | None = None,
    ) -> None:
        self._settings, self._heldout, self._annotated, self._grid = settings, heldout, annotated, grid
        self._lengths = lengths
        draws = settings.permutations
        # However many slots there are, each gets some draws of its own to stand against.
        self._stride = max(1, min(-(-slots // SLOTS_A_DRAW), draws // DRAWS_WANTED))
        self._pairings = [self._pairing(draw) for draw in range(draws)]
        self._turns = [self._shift(draw, 4) for draw in range(draws)] if lengths is not None else [None] * draws
        few = max(SHIFTS_LEAST, draws * SLOTS_A_DRAW // max(slots, 1))
        self.n_shifts = 0 if grid == (1, 1) else min(draws, few)
        self._shifts = [self._shift(draw, 3) for draw in range(self.n_shifts)]

    def _pairing(self, draw: int) -> Int[np.ndarray, "image"]:
        generator = np.random.default_rng([self._settings.seed, 2, draw])
        pairing = np.arange(len(self._heldout))
        for half in (False, True):
            members = np.flatnonzero((self._heldout == half) & self._annotated)
            if self._lengths is None:
                pairing[members] = generator.permutation(members)
                continue
            # Texts of one length come in random order, so that they are all paired with all.
            ordered = members[np.lexsort((generator.random(len(members)), self._lengths[members]))]
            # Of nearly equal size: a last one of a single text would pair with itself.
            strata = max(1, round(len(ordered) / STRATUM))
            for like in np.array_split(ordered, strata):
                pairing[like] = generator.permutation(like)
        return pairing

    def _shift(self, draw: int, stream: int) -> Int[np.ndarray, "image 2"]:
        generator = np.random.default_rng([self._settings.seed, stream, draw])
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
            search(counts_of(pairing=pairing, shifts=turn))
            for draw, (pairing, turn) in enumerate(zip(self._pairings, self._turns, strict=True))
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
    repaired = NullPool(scores, [null.repaired[:, route] for null in nulls], areas=areas, spreads=spreads)
    shifted = NullPool(scores, [null.shifted[:, route] for null in nulls], areas=areas, spreads=spreads)
    verdicts = []
    for slot in range(len(scores)):
        p, p_shifted = repaired.p(slot), shifted.p(slot)
        chance, kind = repaired.mean(slot), "re-paired"
        if np.isnan(p):
            verdicts.append(Verdict(np.nan, kind, np.nan, np.nan, np.nan))
            continue
        if shifted.mean(slot) > chance:
            chance, kind = shifted.mean(slot), "shifted"
        verdicts.append(Verdict(chance, kind, float(np.fmax(p, p_shifted)), p, p_shifted))
    return verdicts


class NullPool:
    """Scores and draws of all slots under one null, made comparable; see the module docstring.

    Parameters
    ----------
    scores:
        One a slot; NaN = nothing to judge.
    draws:
        Each slot's own draws; may be empty.
    """

    def __init__(
        self,
        scores: Float[np.ndarray, "slot"],
        draws: list[Float[np.ndarray, "_"]],
        *,
        areas: Float[np.ndarray, "slot"],
        spreads: Float[np.ndarray, "slot"],
    ) -> None:
        self._draws, self._areas, self._spreads = draws, areas, spreads
        self._scores = scores.copy()
        self._standing = list(draws)
        drawn = [slot for slot, own in enumerate(draws) if len(own)]
        # With fewer than four draws a unit has no spread of its own: raw scores are pooled then.
        if drawn and min(len(draws[slot]) for slot in drawn) >= DRAWS_LEAST:
            floor = FLOOR * float(np.median([draws[slot].std(ddof=1) for slot in drawn]))
            # Draws that are all equal have a spread of rounding alone.
            floor = floor if floor > ROUNDING else 0.0
            for slot in drawn:
                self._scores[slot], self._standing[slot] = standings(float(scores[slot]), draws[slot], floor=floor)

    def mean(self, slot: int) -> float:
        """What chance reaches for this slot: the mean of its own draws; -inf without any."""
        return float(self._draws[slot].mean()) if len(self._draws[slot]) else -np.inf

    def against(self, slot: int) -> tuple[float, Float[np.ndarray, "draw"]]:
        """The slot's standing and those of the draws of all slots like it, the likest first."""
        distance = np.maximum(_octaves(self._areas, slot), _octaves(self._spreads, slot))
        parts, count = [], 0
        for other in np.argsort(distance, kind="stable"):
            if distance[other] > 1 and count >= POOL_LEAST:
                break
            if len(self._standing[other]):
                parts.append(self._standing[other])
                count += len(self._standing[other])
        return float(self._scores[slot]), np.concatenate(parts) if parts else np.zeros(0)

    def p(self, slot: int) -> float:
        """(1 + draws that stand at least as high) / (1 + draws); NaN for a slot without score or draws."""
        if np.isnan(self._scores[slot]) or not len(self._draws[slot]):
            return float("nan")
        standing, pool = self.against(slot)
        # Where a null changes nothing, score and draws are one number and their standings differ by rounding alone.
        return (1 + int((pool >= standing - ROUNDING).sum())) / (1 + len(pool))


def standings(
    score: float, draws: Float[np.ndarray, "draw"], *, floor: float
) -> tuple[float, Float[np.ndarray, "draw"]]:
    """Score and draws as z against the other draws: each draw against all others, the score against all but the last.

    So that both rest on equally many draws, and a score that is one more draw stands like any of them.
    """
    others = len(draws) - 1
    means = (draws.sum() - draws) / others
    squares = ((draws**2).sum() - draws**2) / others - means**2
    spreads = np.sqrt(np.maximum(squares, 0.0) * others / (others - 1))
    # A unit whose draws are all the same, among others such: only the order counts then.
    scale = spreads + (floor or 1.0)
    first = draws[:-1]
    return float((score - first.mean()) / (first.std(ddof=1) + (floor or 1.0))), (draws - means) / scale


def _octaves(values: np.ndarray, slot: int) -> np.ndarray:
    """How many factors of two lie between each value and that of the slot."""
    return np.abs(np.log2(np.maximum(values, 1.0) / max(float(values[slot]), 1.0)))
