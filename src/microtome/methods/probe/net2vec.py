"""Net2Vec: the weighted sum of a layer's units that best says one concept, beside the best single unit.

    M(x) = sum over units k of w_k A_k(x)          the concept is said to be where M, upsampled, is above a threshold

w is a logistic regression on the searched half, both classes weighing one half (`logistic`), on units brought to mean 0
and standard deviation 1. The threshold is chosen on the searched half too; the held-out half scores.

Chance: the same fit and choice with images re-paired (labels of image pairing[i] beside activations of image i, within
each half); p = (1 + draws at least as high) / (1 + draws).

How many units: they are taken in the order in which they enter the L1 path (those that never do, by their weight in the
full fit); the first k of them get a new fit and a threshold, and its held-out score is noted. `needed` is the least k
tried whose score reaches 95 % of that of all units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.direction import Direction
from microtome.core.errors import DataError, OptionError, problems_together
from microtome.core.site import Site
from microtome.core.source import Source
from microtome.methods.probe.logistic import Samples, entry_order, fit_l2, path_sizes
from microtome.methods.probe.questions import Classifying, Question, Scale, Score, Segmenting
from microtome.stats.tail import tail_size

_ENOUGH = 0.95

Bar = Callable[[float], float | None]
"""The score that a part of the units must reach, given that of all; None where there is nothing to reach."""


@dataclass(frozen=True, eq=False)
class ConceptDirection:
    """The direction of a concept that has a place in the image. All IoUs but where stated are held-out.

    Attributes
    ----------
    direction:
        On activations as they come: the scaling is folded in.
    threshold:
        The concept is said to be where the direction's reading, upsampled to the label grid, is above it.
    iou, iou_searched:
        Of the direction, on either half.
    best_unit, iou_best_unit, threshold_best_unit:
        The unit of largest IoU on the searched half, each at the threshold that is best for it there.
    best_unit_at_quantile, iou_best_unit_at_quantile:
        The same with every unit at the threshold of the run (a quantile of its activations).
    chance_iou:
        Mean over the draws of the re-paired fit.
    chance:
        The draws themselves.
    p:
        (1 + draws at least as high) / (1 + draws); 1 without draws.
    path:
        (units, IoU) for the first 1, 2, ... units of the L1 path, all units last.
    order:
        All units, in the order in which the path takes them.
    needed:
        Least number of units tried that reaches 95 % of `iou`; None where `iou` is 0.
    images_searched, images_heldout:
        Images of each half that show the concept.
    """

    direction: Direction
    threshold: float
    iou: float
    iou_searched: float
    best_unit: int
    iou_best_unit: float
    threshold_best_unit: float
    best_unit_at_quantile: int
    iou_best_unit_at_quantile: float
    chance_iou: float
    chance: Float[np.ndarray, " draw"]
    p: float
    path: tuple[tuple[int, float], ...]
    order: tuple[int, ...]
    needed: int | None
    images_searched: int
    images_heldout: int


@dataclass(frozen=True, eq=False)
class ConceptReadout:
    """The direction of a concept that holds of whole images. All scores are held-out.

    Attributes
    ----------
    direction, order, images_searched, images_heldout:
        As in `ConceptDirection`.
    threshold:
        An image is said to have the concept where the direction's reading is above it: the cut of best balanced
        accuracy on the searched half.
    auroc, balanced_accuracy:
        Of the direction.
    best_unit, auroc_best_unit, balanced_accuracy_best_unit:
        The unit of largest AUROC on the searched half, high meaning that the concept is there.
    chance_auroc, chance, p:
        AUROC of the re-paired fit: mean, draws, and how unlikely `auroc` is then.
    path:
        (units, AUROC), as in `ConceptDirection`.
    needed:
        Least number of units tried whose AUROC reaches 95 % of the way from 0.5 to `auroc`; None where that is not
        above 0.5.
    """

    direction: Direction
    threshold: float
    auroc: float
    balanced_accuracy: float
    best_unit: int
    auroc_best_unit: float
    balanced_accuracy_best_unit: float
    chance_auroc: float
    chance: Float[np.ndarray, " draw"]
    p: float
    path: tuple[tuple[int, float], ...]
    order: tuple[int, ...]
    needed: int | None
    images_searched: int
    images_heldout: int


@dataclass(frozen=True, eq=False)
class _Found:
    """What both questions have in common."""

    direction: Direction
    score: Score
    chance: np.ndarray
    p: float
    path: tuple[tuple[int, float], ...]
    order: tuple[int, ...]
    needed: int | None

    @property
    def mean_chance(self) -> float:
        return float(self.chance.mean()) if len(self.chance) else float("nan")


@dataclass(frozen=True)
class Net2Vec:
    """Settings of the fit.

    Attributes
    ----------
    l2:
        Penalty on the weights of standardised units, above 0; raising it shrinks weights and spreads them over units
        that go together.
    steps:
        Most L-BFGS iterations of a fit; time grows with it until the fit has converged.
    cells:
        Most samples of a fit, at least 2; memory is 8 bytes x units x cells. Where there are more, they are drawn.
    quantile:
        Share of a unit's activations above its own threshold, in (0, 0.5], where `fit` is given no thresholds.
    draws:
        Re-paired fits; p is never below 1 / (1 + draws). Each costs as much as the fit itself. 0 = no chance.
    penalties:
        Steps of the L1 path, at least 1; 0 = no path, `needed` is then None.
    seed:
        Decides the samples and the pairings.
    """

    l2: float = 1e-3
    steps: int = 500
    cells: int = 50_000
    quantile: float = 0.005
    draws: int = 39
    penalties: int = 30
    seed: int = 0

    name = "net2vec"
    source = Source(
        "Fong & Vedaldi 2018, Net2Vec: Quantifying and Explaining How Concepts are Encoded by Filters in Deep Neural "
        "Networks",
        "section 3",
        "published: units are first made binary at their 0.005 quantile and upsampled, the weights are learned by SGD "
        "on a sigmoid of their sum, the map is cut at 0.5, and subsets of units are the largest weights. Here units "
        "keep their values, the fit is convex and converged at the layer's own resolution against each cell's share of "
        "the mask, the cut is chosen on the searched half, and subsets follow the L1 path.",
    )

    def __post_init__(self) -> None:
        problems = [
            said
            for wrong, said in (
                (not self.l2 > 0, f"l2 is {self.l2}; expected above 0"),
                (self.steps < 1, f"steps is {self.steps}; expected at least 1"),
                (self.cells < 2, f"cells is {self.cells}; expected at least 2"),
                (not 0 < self.quantile <= 0.5, f"quantile is {self.quantile}; expected above 0, at most 0.5"),
                (self.draws < 0, f"draws is {self.draws}; expected at least 0"),
                (self.penalties < 0, f"penalties is {self.penalties}; expected at least 0"),
            )
            if wrong
        ]
        if problems:
            raise OptionError(f"Settings of net2vec are out of range:\n{problems_together(problems)}")

    def fit(
        self,
        activations: Float[np.ndarray, "image unit height width"],
        masks: Bool[np.ndarray, "image row column"],
        site: Site,
        name: str,
        *,
        heldout: Bool[np.ndarray, " image"],
        void: Bool[np.ndarray, "image row column"] | None = None,
        thresholds: Float[np.ndarray, " unit"] | None = None,
    ) -> ConceptDirection:
        """The direction that says where the concept is.

        Parameters
        ----------
        activations:
            Of every unit of the site; the maps cover the same field of view as the masks.
        masks:
            Where the concept holds, on the label grid.
        name:
            The concept.
        heldout:
            Which images are held out; the others are searched.
        void:
            Positions that nobody annotated; None = all are annotated.
        thresholds:
            Each unit's threshold in the run; None = its `quantile` on the searched half, at the layer's resolution.

        Raises
        ------
        DataError
            If a half has no image that shows the concept, an activation is not finite, or the arrays are not of the
            same images.
        ModelError
            If the site has another number of units, or no unit varies.
        """
        seen = masks if void is None else masks & ~void
        shown = _shown(np.array([one.any() for one in seen]), heldout, name, images=len(activations))
        question = Segmenting.of(activations, masks, void, heldout, self.cells)
        found = self._search(question, site, name, _share_of_iou)
        own = self._thresholds(activations[~heldout]) if thresholds is None else thresholds
        same = np.arange(len(heldout))
        units = range(activations.shape[1])
        free = [question.score(question.unit(unit), same) for unit in units]
        fixed = [question.score_at(question.unit(unit), float(own[unit]), same) for unit in units]
        best, best_fixed = _best(free), _best(fixed)
        return ConceptDirection(
            direction=found.direction, threshold=found.score.threshold, iou=found.score.heldout,
            iou_searched=found.score.searched, best_unit=best, iou_best_unit=free[best].heldout,
            threshold_best_unit=free[best].threshold, best_unit_at_quantile=best_fixed,
            iou_best_unit_at_quantile=fixed[best_fixed].heldout, chance_iou=found.mean_chance, chance=found.chance,
            p=found.p, path=found.path, order=found.order, needed=found.needed,
            images_searched=shown[0], images_heldout=shown[1],
        )  # fmt: skip

    def classify(
        self,
        activations: Float[np.ndarray, "image unit"],
        labels: Bool[np.ndarray, " image"],
        site: Site,
        name: str,
        *,
        heldout: Bool[np.ndarray, " image"],
    ) -> ConceptReadout:
        """The direction that says which images have the concept.

        Parameters
        ----------
        activations:
            One number a unit and image: of an image-level site, or pooled maps.
        labels:
            Which images have the concept.
        name, heldout:
            As in `fit`.

        Raises
        ------
        DataError
            If a half has no image with the concept or none without, an activation is not finite, or the arrays are not
            of the same images.
        ModelError
            If the site has another number of units, or no unit varies.
        """
        shown = _shown(labels, heldout, name, images=len(activations))
        _shown(~labels, heldout, f"not {name}", images=len(activations))
        question = Classifying.of(activations, labels, heldout)
        found = self._search(question, site, name, _share_of_auroc)
        same = np.arange(len(heldout))
        units = [question.score(question.unit(unit), same) for unit in range(activations.shape[1])]
        best = _best(units)
        return ConceptReadout(
            direction=found.direction, threshold=found.score.threshold, auroc=found.score.heldout,
            balanced_accuracy=question.accuracy(question.readings(found.direction), found.score.threshold),
            best_unit=best, auroc_best_unit=units[best].heldout,
            balanced_accuracy_best_unit=question.accuracy(question.unit(best), units[best].threshold),
            chance_auroc=found.mean_chance, chance=found.chance, p=found.p, path=found.path, order=found.order,
            needed=found.needed, images_searched=shown[0], images_heldout=shown[1],
        )  # fmt: skip

    def _search(self, question: Question, site: Site, name: str, bar: Bar) -> _Found:
        """Fit, chance, path."""
        same = np.arange(len(question.heldout))
        samples = question.samples(same, np.random.default_rng([self.seed, 0]))
        direction = self._direction(samples, question.scale, None, site, name)
        score = question.score(question.readings(direction), same)
        chance = np.array([self._chance(question, draw, site, name) for draw in range(self.draws)])
        order = self._order(samples, np.abs(direction.vector * question.scale.std))
        path: list[tuple[int, float]] = []
        for size in path_sizes(len(order) - 1):
            part = self._direction(samples, question.scale, order[:size], site, name)
            path.append((size, question.score(question.readings(part), same).heldout))
        if len(order):
            path.append((site.units, score.heldout))
        least = bar(score.heldout)
        needed = next((size for size, value in path if least is not None and value >= least), None)
        p = (1 + int((chance >= score.heldout).sum())) / (1 + len(chance))
        return _Found(direction, score, chance, p, tuple(path), tuple(int(unit) for unit in order), needed)

    def _order(self, samples: Samples, size: Float[np.ndarray, " unit"]) -> Int[np.ndarray, " ordered"]:
        """All units, the most useful first: as they enter the L1 path, the others by their weight in the full fit."""
        if not self.penalties:
            return np.zeros(0, np.int64)
        entered = entry_order(samples, self.penalties, self.steps)
        falling = np.argsort(-size, kind="stable")
        return np.concatenate((entered, falling[~np.isin(falling, entered)]))

    def _chance(self, question: Question, draw: int, site: Site, name: str) -> float:
        """Held-out score of the fit on re-paired images."""
        generator = np.random.default_rng([self.seed, 1, draw])
        pairing = np.arange(len(question.heldout))
        for half in (False, True):
            members = np.flatnonzero(question.heldout == half)
            pairing[members] = generator.permutation(members)
        direction = self._direction(question.samples(pairing, generator), question.scale, None, site, name)
        return question.score(question.readings(direction), pairing).heldout

    def _direction(
        self, samples: Samples, scale: Scale, units: Int[np.ndarray, " chosen"] | None, site: Site, name: str
    ) -> Direction:
        """The fit on all units or some, as weights on activations as they come."""
        if units is None:
            return Direction(site, fit_l2(samples, self.l2, self.steps)[:-1] / scale.std, name)
        vector = np.zeros(site.units)
        vector[units] = fit_l2(samples.of(units), self.l2, self.steps)[:-1] / scale.std[units]
        return Direction(site, vector, name)

    def _thresholds(self, searched: Float[np.ndarray, "image unit height width"]) -> Float[np.ndarray, " unit"]:
        """Of each unit the value that `quantile` of its activations exceed, ties apart."""
        cells = np.moveaxis(searched, 1, 0).reshape(searched.shape[1], -1)
        rank = tail_size(self.quantile, cells.shape[1])
        return np.partition(cells, cells.shape[1] - rank, axis=1)[:, cells.shape[1] - rank].astype(np.float64)


def _share_of_iou(whole: float) -> float | None:
    return _ENOUGH * whole if whole > 0 else None


def _share_of_auroc(whole: float) -> float | None:
    return 0.5 + _ENOUGH * (whole - 0.5) if whole > 0.5 else None


def _best(scores: list[Score]) -> int:
    """The unit of largest score on the searched half; the first of equals."""
    return int(np.argmax([score.searched for score in scores]))


def _shown(
    shows: Bool[np.ndarray, " labelled"], heldout: Bool[np.ndarray, " halved"], name: str, *, images: int
) -> tuple[int, int]:
    """Images of each half that show the concept; DataError where there are none, or the images are not the same."""
    if not len(shows) == len(heldout) == images:
        raise DataError(
            f"There are activations of {images} images, labels of {len(shows)} and halves of {len(heldout)}.",
            expected="the same images, in the same order",
        )
    counts = int((shows & ~heldout).sum()), int((shows & heldout).sum())
    if not min(counts):
        raise DataError(
            f"'{name}' is in {counts[0]} searched and {counts[1]} held-out images.",
            expected="at least one of each half",
            next_step="take more images, or a commoner concept",
        )
    return counts
