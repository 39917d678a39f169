"""What is asked of a direction: does it say where a concept is, or which images have it?

Each question hands out samples of the searched half, brought to one scale, and judges readings: the threshold is
chosen on the searched half, the score is taken on both. Labels of image pairing[i] can stand beside the activations of
image i: that is how chance is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core import measures
from microtome.core.direction import Direction, reading
from microtome.core.errors import DataError
from microtome.methods.probe.logistic import Samples
from microtome.record.upsample import axis_weights

_CHUNK = 64
_RAREST, _COMMONEST, _LEVELS = 1e-4, 0.95, 192
"""Thresholds tried for a map leave these shares of the layer's cells above them, in equal ratios (5 % each)."""


@dataclass(frozen=True)
class Score:
    """A threshold, chosen on the searched half unless it was given, and the score of either half at it."""

    threshold: float
    searched: float
    heldout: float


@runtime_checkable
class Question(Protocol):
    """See the module docstring."""

    @property
    def scale(self) -> Scale: ...

    @property
    def heldout(self) -> Bool[np.ndarray, " image"]: ...

    def samples(self, pairing: Int[np.ndarray, " image"], generator: np.random.Generator) -> Samples:
        """Samples of the searched half. Raises DataError where the concept holds nowhere or everywhere on it."""
        ...

    def readings(self, direction: Direction) -> Float[np.ndarray, "image *positions"]:
        """The direction's value at each position of each image, float64."""
        ...

    def score(self, readings: Float[np.ndarray, "image *positions"], pairing: Int[np.ndarray, " image"]) -> Score:
        """The score of readings."""
        ...

    def unit(self, index: int) -> Float[np.ndarray, "image *positions"]:
        """The activations of one unit."""
        ...


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and standard deviation of each unit over the searched half; of a constant unit 1."""

    mean: Float[np.ndarray, " unit"]
    std: Float[np.ndarray, " unit"]

    @classmethod
    def of(
        cls, activations: Float[np.ndarray, "image unit *positions"], searched: Int[np.ndarray, " searched"]
    ) -> Scale:
        """Of the searched images. Raises DataError where an activation is NaN or infinite."""
        axes = (0, *range(2, activations.ndim))
        cells = len(searched) * int(np.prod(activations.shape[2:]))
        chunks = [searched[start : start + _CHUNK] for start in range(0, len(searched), _CHUNK)]
        mean, squares = np.zeros(activations.shape[1]), np.zeros(activations.shape[1])
        for part in chunks:
            mean += activations[part].sum(axis=axes, dtype=np.float64) / cells
        centre = np.expand_dims(mean, tuple(range(1, activations.ndim - 1)))
        for part in chunks:
            squares += np.square(activations[part] - centre).sum(axis=axes)
        if not np.isfinite(squares).all():
            raise DataError(
                f"Activations of {int((~np.isfinite(squares)).sum())} units hold NaN or infinity.",
                expected="finite activations",
            )
        std = np.sqrt(squares / cells)
        return cls(mean, np.where(std > 0, std, 1.0))


@dataclass(frozen=True, eq=False)
class Segmenting:
    """Where is the concept? The score is IoU on the label grid, over all annotated positions of a half.

    Attributes
    ----------
    activations:
        [image, unit, height, width].
    masks, void:
        Where the concept holds, and what nobody annotated, on the label grid [image, row, column].
    heldout:
        Which images are held out.
    cells:
        Most samples of a fit; see `samples`.
    """

    activations: Float[np.ndarray, "image unit height width"]
    masks: Bool[np.ndarray, "image row column"]
    void: Bool[np.ndarray, "image row column"]
    heldout: Bool[np.ndarray, " image"]
    cells: int
    scale: Scale
    target: Float[np.ndarray, "image height width"]
    known: Bool[np.ndarray, "image height width"]

    @classmethod
    def of(
        cls, activations: Float[np.ndarray, "image unit height width"], masks: Bool[np.ndarray, "image row column"],
        void: Bool[np.ndarray, "image row column"] | None, heldout: Bool[np.ndarray, " image"], cells: int,
    ) -> Segmenting:  # fmt: skip
        """Ready to be asked: the mask's share of each cell of the layer, and each unit's scale."""
        nothing = np.zeros(masks.shape, bool) if void is None else void
        target, known = cell_shares(masks, nothing, (activations.shape[2], activations.shape[3]))
        scale = Scale.of(activations, np.flatnonzero(~heldout))
        return cls(activations, masks & ~nothing, nothing, heldout, cells, scale, target, known)

    def samples(self, pairing: Int[np.ndarray, " image"], generator: np.random.Generator) -> Samples:
        """A sample a cell of the layer. Where there are too many, half of them are drawn of those with the concept.

        Both draws are weighted by how many cells each one drawn stands for.
        """
        target, usable = self.target[pairing], self.known[pairing] & ~self.heldout[:, None, None]
        chosen, weight = [], []
        having, lacking = np.flatnonzero(usable & (target > 0)), np.flatnonzero(usable & (target == 0))
        room = max(self.cells - len(having), self.cells // 2), max(self.cells - len(lacking), self.cells // 2)
        for places, most in ((having, room[1]), (lacking, room[0])):
            taken = places if len(places) <= most else np.sort(generator.choice(places, most, replace=False))
            chosen.append(taken)
            weight.append(np.full(len(taken), len(places) / max(len(taken), 1)))
        where = np.concatenate(chosen)
        image, row, column = np.unravel_index(where, target.shape)
        x = (self.activations[image, :, row, column] - self.scale.mean) / self.scale.std
        return Samples.balanced(x, target.reshape(-1)[where], np.concatenate(weight))

    def readings(self, direction: Direction) -> Float[np.ndarray, "image height width"]:
        """The direction's map of each image."""
        return _read(self.activations, direction)

    def unit(self, index: int) -> Float[np.ndarray, "image height width"]:
        """The map of one unit."""
        return self.activations[:, index].astype(np.float64)

    def score(
        self, readings: Float[np.ndarray, "image height width"], pairing: Int[np.ndarray, " image"]
    ) -> Score:  # fmt: skip
        """Choose the threshold of largest IoU on the searched half."""
        values = readings[~self.heldout]
        shares = np.geomspace(_RAREST, _COMMONEST, _LEVELS)[::-1]
        levels = np.unique(np.quantile(values, 1.0 - shares, method="lower"))
        active, both, total = self._above(readings, levels, pairing, np.flatnonzero(~self.heldout))
        ious = [measures.iou(total, int(b), int(a)) for a, b in zip(active, both, strict=True)]
        best = int(np.argmax(ious))
        return self.score_at(readings, float(levels[best]), pairing)

    def score_at(
        self, readings: Float[np.ndarray, "image height width"], threshold: float, pairing: Int[np.ndarray, " image"]
    ) -> Score:
        """IoU of either half at a given threshold: a position is active where its upsampled reading is above it."""
        ious = []
        for half in (False, True):
            images = np.flatnonzero(self.heldout == half)
            active, both, total = self._above(readings, np.array([threshold]), pairing, images)
            ious.append(measures.iou(total, int(both[0]), int(active[0])))
        return Score(threshold, *ious)

    def _above(
        self, maps: np.ndarray, levels: np.ndarray, pairing: np.ndarray, images: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Positions above each level, those of them in the mask, and the mask's positions in all."""
        from microtome.methods.probe.level_kernel import level_counts

        (h, w), (rows, columns) = maps.shape[1:], self.masks.shape[1:]
        weights = (*axis_weights(h, rows), *axis_weights(w, columns))
        counts = level_counts(maps, images, pairing, self.masks, self.void, levels, *weights)
        above = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        return above[0], above[1], int(counts[1].sum())


@dataclass(frozen=True, eq=False)
class Classifying:
    """Which images have the concept? The score is AUROC; the threshold is that of best balanced accuracy.

    Attributes
    ----------
    activations:
        [image, unit].
    labels, heldout:
        Which images have the concept, and which are held out.
    """

    activations: Float[np.ndarray, "image unit"]
    labels: Bool[np.ndarray, " image"]
    heldout: Bool[np.ndarray, " image"]
    scale: Scale

    @classmethod
    def of(
        cls, activations: Float[np.ndarray, "image unit"], labels: Bool[np.ndarray, " image"],
        heldout: Bool[np.ndarray, " image"],
    ) -> Classifying:  # fmt: skip
        """Ready to be asked."""
        return cls(activations, labels, heldout, Scale.of(activations, np.flatnonzero(~heldout)))

    def samples(self, pairing: Int[np.ndarray, " image"], generator: np.random.Generator) -> Samples:
        """A sample an image."""
        searched = np.flatnonzero(~self.heldout)
        x = (self.activations[searched] - self.scale.mean) / self.scale.std
        return Samples.balanced(x, self.labels[pairing[searched]].astype(np.float64), np.ones(len(searched)))

    def readings(self, direction: Direction) -> Float[np.ndarray, " image"]:
        """The direction's value of each image."""
        return _read(self.activations, direction)

    def unit(self, index: int) -> Float[np.ndarray, " image"]:
        """The activation of one unit on each image."""
        return self.activations[:, index].astype(np.float64)

    def score(self, readings: Float[np.ndarray, " image"], pairing: Int[np.ndarray, " image"]) -> Score:
        """AUROC of either half."""
        truth, parts = self.labels[pairing], (~self.heldout, self.heldout)
        return Score(
            _best_cut(readings[parts[0]], truth[parts[0]]), *(_auroc(readings[half], truth[half]) for half in parts)
        )

    def accuracy(self, readings: Float[np.ndarray, " image"], threshold: float) -> float:
        """Balanced accuracy on the held-out half: mean of the shares told rightly with and without the concept."""
        said, truth = readings[self.heldout] > threshold, self.labels[self.heldout]
        return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def cell_shares(
    masks: Bool[np.ndarray, "image row column"], void: Bool[np.ndarray, "image row column"], shape: tuple[int, int]
) -> tuple[Float[np.ndarray, "image height width"], Bool[np.ndarray, "image height width"]]:
    """Share of each cell's annotated area that the mask covers, and whether any of the cell is annotated.

    Parameters
    ----------
    shape:
        Rows and columns of the layer's map, which covers the same field of view as the masks.
    """
    down, across = _overlaps(masks.shape[1], shape[0]), _overlaps(masks.shape[2], shape[1])
    covered, annotated = np.empty((len(masks), *shape)), np.empty((len(masks), *shape))
    for start in range(0, len(masks), _CHUNK):
        part = slice(start, start + _CHUNK)
        covered[part] = down @ (masks[part] & ~void[part]).astype(np.float64) @ across.T
        annotated[part] = down @ (~void[part]).astype(np.float64) @ across.T
    known = annotated > 1e-9
    return np.clip(covered / np.where(known, annotated, 1.0), 0.0, 1.0), known


def _overlaps(grid: int, cells: int) -> Float[np.ndarray, "cell grid"]:
    """Share of each cell that each grid position covers, along one axis."""
    left, edge = np.arange(grid) / grid, np.arange(cells)[:, None] / cells
    overlap = np.minimum(edge + 1 / cells, left + 1 / grid) - np.maximum(edge, left)
    # Edges that meet differ in the last bit.
    return np.where(overlap > 1e-12, overlap, 0.0) * cells


def _read(activations: np.ndarray, direction: Direction) -> np.ndarray:
    parts = [activations[start : start + _CHUNK] for start in range(0, len(activations), _CHUNK)]
    return np.concatenate([reading(part, [direction], 1)[:, 0] for part in parts])


def _auroc(values: np.ndarray, truth: np.ndarray) -> float:
    from scipy.stats import rankdata

    doubled = int(np.rint(2.0 * rankdata(values)[truth]).sum())
    return measures.auroc(int(truth.sum()), doubled, len(truth))


def _best_cut(values: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of best balanced accuracy, midway between two neighbouring values; above it = has the concept."""
    order = np.argsort(values, kind="stable")
    ordered, has = values[order], truth[order]
    missed = np.cumsum(has) / max(int(has.sum()), 1)
    spared = np.cumsum(~has) / max(int((~has).sum()), 1)
    ends = np.flatnonzero(np.diff(ordered) > 0)
    if not len(ends):
        return float(ordered[0])
    best = ends[np.argmax((spared - missed)[ends])]
    return float((ordered[best] + ordered[best + 1]) / 2)
