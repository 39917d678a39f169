"""What a recording pass is told, and how large it will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from microtome.core.errors import OptionError

Active = Literal["auto", "quantile", "positive"]

BLOCK_BYTES = 64 * 2**20
LARGEST_BLOCK = 64


@dataclass(frozen=True)
class RecordSettings:
    """Settings of one pass.

    Attributes
    ----------
    layer:
        Layer name as `microtome layers` lists it.
    grid:
        Rows and columns of the label grid, on which masks are compared. Time and disk grow with their product.
    quantile:
        Share of a unit's activations that count as active, in (0, 0.5].
    batch_size:
        Images in one forward pass; halved when memory runs out. Does not change the result beyond 1e-6.
    units:
        Unit indices to record; None = all.
    dtype:
        How activations are stored. float16 halves the disk; thresholds are taken of the rounded values.
    recompute:
        Store no activations and run the model a second time for the counts.
    image_level:
        An element is an image: maps are pooled by their maximum, and a pixel concept is present where it covers
        at least `present_share` of the image.
    top_k:
        Images kept for each unit.
    active:
        `quantile`: a unit is active above the threshold of `quantile`; `positive`: above 0. `auto`: the latter where
        elements are whole items and the layer is rectified (never below 0, sometimes 0).
    pool:
        Of a text that is one element: how its tokens' activations become one; see `models.text.Pool`.
    """

    layer: str
    grid: tuple[int, int] = (112, 112)
    quantile: float = 0.005
    batch_size: int = 32
    units: tuple[int, ...] | None = None
    dtype: Literal["float16", "float32"] = "float16"
    recompute: bool = False
    image_level: bool = False
    top_k: int = 12
    present_share: float = 0.02
    active: Active = "quantile"
    pool: Literal["any", "max", "last", "class"] = "max"

    def check(self) -> None:
        """Raise OptionError, naming every setting that is out of range."""
        problems = []
        if not 0 < self.quantile <= 0.5:
            problems.append(f"--quantile is {self.quantile}; expected above 0, at most 0.5")
        if self.batch_size < 1:
            problems.append(f"--batch-size is {self.batch_size}; expected at least 1")
        if min(self.grid) < 1 or max(self.grid) > 1024:
            problems.append(f"--grid is {self.grid[0]}x{self.grid[1]}; expected 1 to 1024 a side")
        if self.dtype not in ("float16", "float32"):
            problems.append(f"--cache-dtype is {self.dtype}; expected float16 or float32")
        if problems:
            raise OptionError("; ".join(problems), next_step="see microtome dissect --help")


def block_size(units: int, cells: int) -> int:
    """Images in a block: as many as keep its activations below 64 MiB in float32, at most 64, at least 1.

    It depends on the layer alone, so block sums are the same whatever the batch size or the machine.
    """
    return max(1, min(LARGEST_BLOCK, BLOCK_BYTES // max(1, 4 * units * cells)))


def bytes_needed(settings: RecordSettings, *, images: int, units: int, cells: int) -> int:
    """Disk that the pass will need for its cache, in bytes."""
    labels = 8 * settings.grid[0] * settings.grid[1] * images
    peaks = 8 * units * images
    thumbnails = 3 * 112 * 112 * images
    width = 2 if settings.dtype == "float16" else 4
    return labels + peaks + thumbnails + (0 if settings.recompute else width * units * cells * images)
