"""Does a heatmap find the thing? Pixel accuracy, mean IoU and average precision against a mask.

For each image, with r the heatmap scaled to 0 .. 1 over the image:

    foreground where r > its mean over the image; all else is background
    pixel accuracy = right pixels of all images / pixels of all images
    mIoU = mean over (foreground, background) of  intersections of all images / unions of all images
    AP = sum over the thresholds t of (recall_t - recall_before) x precision_t, over the 2 h w pairs
         (1 - r, is background) and (r, is foreground) of one image taken together;    mAP = its mean over images

Every figure has a 95 % interval: percentiles of a bootstrap over images.

Source: Chefer, Gur & Wolf 2021, Transformer Interpretability Beyond Attention Visualization, section 4.1 and its code
(threshold and the joint ranking of both classes); Gandelsman, Efros & Steinhardt 2023, section 4.3; Efron 1979.
Deviations: images and masks may have any size (published: 224 x 224, see `data.masks.resized`); unannotated pixels are
left out; a class with an empty union is left out of the mean IoU (published: 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from microtome.core.errors import DataError, OptionError
from microtome.verify.paired import Mean

RESAMPLES = 2000
Rule = Literal["mean", "middle", "zero"] | float
"""Where the foreground begins: above the image's mean; above the middle of its range; above zero; or, for a number q
between 0 and 1, above the image's q-quantile."""


@dataclass(frozen=True)
class ImageScore:
    """One image's counts of pixels, foreground being positive, and its average precision."""

    key: str
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    average_precision: float

    @property
    def pixel_accuracy(self) -> float:
        """Right pixels / pixels."""
        return (self.true_positive + self.true_negative) / sum(self._counts)

    @property
    def mean_iou(self) -> float:
        """IoU of foreground and background, averaged; that of one alone where neither mask has the other."""
        return float(_mean_iou(np.array([self._counts], float))[0])

    @property
    def _counts(self) -> tuple[int, int, int, int]:
        return self.true_positive, self.false_positive, self.false_negative, self.true_negative


@dataclass(frozen=True)
class SegmentationResult:
    """Scores over `images` images.

    Attributes
    ----------
    pixel_accuracy, mean_iou:
        From the pixels of all images together, as published: large images count more.
    mean_ap:
        Mean over images.
    image_accuracy, image_iou:
        Means over images of each image's own figure.
    """

    images: int
    pixel_accuracy: Mean
    mean_iou: Mean
    mean_ap: Mean
    image_accuracy: Mean
    image_iou: Mean


def foreground(heatmap: Float[np.ndarray, "h w"], rule: Rule = "mean") -> Bool[np.ndarray, "h w"]:
    """Where a heatmap says that the thing is: strictly above the rule's threshold.

    Parameters
    ----------
    heatmap:
        Any scale; larger = rather the thing.
    rule:
        See `Rule`. A constant heatmap is background by every rule but `zero`.
    """
    if rule == "zero":
        return heatmap > 0.0
    if isinstance(rule, float):
        if not 0.0 <= rule <= 1.0:
            raise OptionError(f"There is no {rule}-quantile.", expected="0 to 1")
        return heatmap > np.quantile(heatmap, rule, method="lower")
    scaled = _scaled(heatmap)
    if rule == "mean":
        return scaled > scaled.mean()
    if rule == "middle":
        return scaled > 0.5
    raise OptionError(f"The threshold rule '{rule}' is unknown.", expected="mean, middle, zero or a quantile")


def average_precision(scores: Float[np.ndarray, "item"], truth: Bool[np.ndarray, "item"]) -> float:
    """Area under precision over recall as a sum of steps, equal scores taken as one; NaN without a true item.

    AP = sum over distinct scores s, falling, of (recall_s - recall before s) x precision_s
    """
    positives = int(truth.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], np.cumsum(truth[order])
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    found = hits[ends]
    steps = np.diff(found, prepend=0) / positives
    return float(steps @ (found / (ends + 1)))


class SegmentationScores:
    """Scores heatmaps against masks, one image at a time.

    Keeps seven numbers an image, so the result does not depend on the order of images, nor on shards.

    Parameters
    ----------
    rule:
        Where the foreground begins; the published protocol is `mean`.

    Examples
    --------
    >>> scores = SegmentationScores()
    >>> scores.add("a", np.eye(4), np.eye(4) > 0)
    >>> scores.result(seed=0).mean_iou.mean
    1.0
    """

    def __init__(self, rule: Rule = "mean") -> None:
        foreground(np.zeros((1, 1)), rule)
        self.rule: Rule = rule
        self._scores: dict[str, ImageScore] = {}

    def __len__(self) -> int:
        return len(self._scores)

    def add(
        self,
        key: str,
        heatmap: Float[np.ndarray, "h w"],
        mask: Bool[np.ndarray, "h w"],
        void: Bool[np.ndarray, "h w"] | None = None,
    ) -> None:
        """Score one image.

        Parameters
        ----------
        key:
            Its name; each image counts once.
        heatmap:
            Larger = rather foreground; any scale.
        mask:
            True on the foreground.
        void:
            True where pixels are not counted; scale and threshold are of the whole heatmap.

        Raises
        ------
        DataError
            For a heatmap that is not finite or of another shape than its mask, an image that is all void, or a key
            that was there before.
        """
        if key in self._scores:
            raise DataError(f"The image '{key}' was scored twice.", expected="each image once")
        if heatmap.shape != mask.shape or not mask.size:
            raise DataError(
                f"The heatmap of '{key}' has the shape {heatmap.shape}, its mask {mask.shape}.",
                expected="one number for each pixel of the mask",
                next_step="resize the one to the other",
            )
        if not np.isfinite(heatmap).all():
            raise DataError(f"The heatmap of '{key}' holds NaN or infinity.", expected="finite numbers")
        heatmap = heatmap.astype(np.float64)
        kept = slice(None) if void is None else ~void
        said, truth = foreground(heatmap, self.rule)[kept].ravel(), mask[kept].ravel()
        if not truth.size:
            raise DataError(f"No pixel of '{key}' is annotated.", expected="at least one")
        scaled = _scaled(heatmap)[kept].ravel()
        both = average_precision(np.concatenate([1.0 - scaled, scaled]), np.concatenate([~truth, truth]))
        self._scores[key] = ImageScore(
            key,
            int((said & truth).sum()),
            int((said & ~truth).sum()),
            int((~said & truth).sum()),
            int((~said & ~truth).sum()),
            both,
        )

    def merge(self, other: SegmentationScores) -> None:
        """Take over another shard's images. Raises DataError on an image of both, or on another rule."""
        if other.rule != self.rule:
            raise DataError(f"Scores by the rules '{self.rule}' and '{other.rule}' cannot be merged.")
        if twice := sorted(self._scores.keys() & other._scores.keys()):
            raise DataError(
                f"{len(twice)} images are in both shards, the first is '{twice[0]}'.", expected="each image once"
            )
        self._scores.update(other._scores)

    def images(self) -> tuple[ImageScore, ...]:
        """Each image's own scores, by key."""
        return tuple(self._scores[key] for key in sorted(self._scores))

    def result(self, *, seed: int = 0) -> SegmentationResult:
        """Scores over all images; NaN throughout without one.

        Parameters
        ----------
        seed:
            Decides the resamples of the intervals.
        """
        images = self.images()
        if not images:
            nothing = Mean(float("nan"), float("nan"), float("nan"))
            return SegmentationResult(0, nothing, nothing, nothing, nothing, nothing)
        table = _table(images)
        whole = _figures(table.mean(axis=0)[None])[0]
        generator = np.random.default_rng([seed, 13])
        drawn = np.stack([table[generator.integers(0, len(table), len(table))].mean(axis=0) for _ in range(RESAMPLES)])
        low, high = np.quantile(_figures(drawn), [0.025, 0.975], axis=0)
        found = [Mean(float(m), float(a), float(b)) for m, a, b in zip(whole, low, high, strict=True)]
        return SegmentationResult(len(images), *found)

    def state(self) -> dict[str, np.ndarray]:
        """Keys and numbers as arrays, for `load`."""
        images = self.images()
        return {
            "keys": np.array([image.key for image in images], dtype=np.str_),
            "numbers": _table(images)[:, :5],
        }

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray], rule: Rule = "mean") -> SegmentationScores:
        """Scores from `state`; `rule` is the one that they were made by."""
        made = cls(rule)
        for key, row in zip(state["keys"], state["numbers"], strict=True):
            tp, fp, fn, tn = (int(count) for count in row[:4])
            made._scores[str(key)] = ImageScore(str(key), tp, fp, fn, tn, float(row[4]))
        return made


def _scaled(heatmap: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The heatmap from 0 to 1; one half everywhere where it is constant."""
    low, high = float(heatmap.min()), float(heatmap.max())
    # Halved first: the range of two large numbers need not be finite.
    width = high / 2 - low / 2
    if not width:
        return np.full(heatmap.shape, 0.5)
    return (heatmap / 2 - low / 2) / width


def _table(images: Iterable[ImageScore]) -> Float[np.ndarray, "image 7"]:
    """Counts, average precision, accuracy and mean IoU of each image."""
    rows = [
        (
            image.true_positive,
            image.false_positive,
            image.false_negative,
            image.true_negative,
            image.average_precision,
            image.pixel_accuracy,
            image.mean_iou,
        )
        for image in images
    ]
    return np.array(rows, np.float64).reshape(-1, 7)


def _figures(means: Float[np.ndarray, "draw 7"]) -> Float[np.ndarray, "draw 5"]:
    """The fields of `SegmentationResult` from means over images of the columns of `_table`."""
    counts = means[:, :4]
    accuracy = (counts[:, 0] + counts[:, 3]) / counts.sum(axis=1)
    return np.stack([accuracy, _mean_iou(counts), means[:, 4], means[:, 5], means[:, 6]], axis=1)


def _mean_iou(counts: Float[np.ndarray, "row 4"]) -> Float[np.ndarray, "row"]:
    """Mean of the IoU of foreground and of background; a class in neither mask nor prediction is left out."""
    both = counts[:, [0, 3]]
    unions = both + (counts[:, 1] + counts[:, 2])[:, None]
    known = unions > 0
    return np.where(known, both / np.where(known, unions, 1.0), 0.0).sum(axis=1) / known.sum(axis=1)
