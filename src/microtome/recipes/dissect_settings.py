"""What a user can choose about a dissection, and what follows where nothing was chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from microtome.core.errors import OptionError
from microtome.core.measures import METRICS, Metric
from microtome.core.site import Site
from microtome.data.base import ImageData, ItemData
from microtome.data.text.base import TextData
from microtome.data.text.settings import LevelChoice
from microtome.models.encode import Pool
from microtome.recipes.slots import RangeRule
from microtome.record.recording import Recording
from microtome.record.settings import Active, RecordSettings

Elements = Literal["auto", "pixel", "image"]
PIXEL_QUANTILE, TOKEN_QUANTILE, ITEM_QUANTILE = 0.005, 0.01, 0.05
IMAGE_LENGTH, TEXT_LENGTH = 3, 5
MIN_ACTIVE = 500
LARGEST_GRID = 112
MOST_PERMUTATIONS = 100_000


@dataclass(frozen=True)
class DissectSettings:
    """Everything a user can choose about a dissection but the model and the data.

    Attributes
    ----------
    method:
        `exact`, `compositional` or `netdissect`.
    metric:
        What the search maximises; `auroc` needs image-level elements.
    max_length, beam, penalty:
        Leaves of the longest formula (None: 3 for images, 5 for text), width of the beam, weight of each further leaf;
        see `SearchSettings`.
    exact_length:
        Leaves up to which `exact` proves the best formula: 2 or 3; None: 3 for images, 2 for text.
    quantile:
        Share of activations that count as active; None: 0.005 for pixels, 0.01 for tokens, 0.05 for whole items.
    active:
        `quantile`, `positive` (above 0), or `auto`: positive for text where a rectified layer gives one value an item.
    min_active:
        A unit active on fewer elements, of both halves together, is not searched. None: 0 for images; for text 500,
        or a twentieth of the elements, or half of what the quantile leaves, whichever is least.
    pool:
        How a text's tokens become one activation where the text is one element: `max`, `any`, `last` or `class`.
    ranges, range_rule:
        0: the top alone; k: k ranges of the positive activations, cut by k-means or quantiles.
    units:
        Unit indices; None = all.
    permutations, fdr:
        Re-pairings for the chance baseline, and the share of names that may be false.
    elements:
        `pixel`, `image`, or `auto`: pixels where the layer has a spatial map.
    grid:
        Rows and columns of the label grid; None: the labels' own, at most 112.
    """

    method: str = "exact"
    metric: Metric = "iou"
    max_length: int | None = None
    beam: int = 10
    penalty: float = 1.0
    exact_length: int | None = None
    quantile: float | None = None
    active: Active = "auto"
    min_active: int | None = None
    pool: Pool = "max"
    ranges: int = 0
    range_rule: RangeRule = "kmeans"
    units: tuple[int, ...] | None = None
    permutations: int = 200
    fdr: float = 0.05
    elements: Elements = "auto"
    grid: tuple[int, int] | None = None
    batch_size: int = 32
    cache_dtype: Literal["float16", "float32"] = "float16"
    recompute: bool = False
    seed: int = 0


def completed(settings: DissectSettings, data: ItemData) -> DissectSettings:
    """The settings with a length for this kind of data where none was given."""
    text = isinstance(data, TextData)
    return replace(
        settings,
        max_length=(TEXT_LENGTH if text else IMAGE_LENGTH) if settings.max_length is None else settings.max_length,
        exact_length=(2 if text else 3) if settings.exact_length is None else settings.exact_length,
    )


def min_active_of(settings: DissectSettings, recording: Recording) -> int:
    """The least number of active elements that a unit needs to be searched."""
    if settings.min_active is not None:
        return settings.min_active
    if not isinstance(recording.items.sets[0], TextData) or settings.ranges:
        return 0
    elements = int(recording.image_counts.sum())
    expected = elements if recording.positive else int(recording.settings.quantile * elements)
    return min(MIN_ACTIVE, elements // 20, expected // 2)


def record_settings(settings: DissectSettings, site: Site, data: ItemData) -> RecordSettings:
    """What the pass is told: elements, grid and quantile follow from the layer and the data where not given."""
    if isinstance(data, TextData):
        return _text_settings(settings, site, data)
    assert isinstance(data, ImageData)
    image_level = settings.elements == "image" or (settings.elements == "auto" and not site.spatial)
    image_level = image_level or settings.metric == "auroc"
    grid = settings.grid or _label_grid(data)
    quantile = settings.quantile
    if quantile is None:
        quantile = ITEM_QUANTILE if image_level else PIXEL_QUANTILE
    return RecordSettings(
        layer=site.layer, grid=(1, 1) if image_level else grid, quantile=quantile, batch_size=settings.batch_size,
        units=settings.units, dtype=settings.cache_dtype, recompute=settings.recompute, image_level=image_level,
        active="quantile" if settings.active == "auto" else settings.active,
    )  # fmt: skip


def _text_settings(settings: DissectSettings, site: Site, data: TextData) -> RecordSettings:
    whole = data.level != "token"
    return RecordSettings(
        layer=site.layer, grid=(1, 1 if whole else data.window), batch_size=settings.batch_size, units=settings.units,
        quantile=(ITEM_QUANTILE if whole else TOKEN_QUANTILE) if settings.quantile is None else settings.quantile,
        dtype=settings.cache_dtype,
        recompute=settings.recompute, image_level=whole, active=settings.active, pool=settings.pool,
    )  # fmt: skip


def _label_grid(data: ImageData) -> tuple[int, int]:
    """The largest label grid among a few images, at most 112 a side."""
    height = width = 1
    for index in np.unique(np.linspace(0, len(data) - 1, min(len(data), 9)).astype(int)):
        image = data.read(int(index))
        shape = image.planes.shape[1:] if len(image.planes) else image.pixels.shape[:2]
        height, width = max(height, shape[0]), max(width, shape[1])
    return min(LARGEST_GRID, height), min(LARGEST_GRID, width)


def check(settings: DissectSettings, site: Site, recording: RecordSettings, data: ItemData) -> None:
    """Raise OptionError, naming every setting that is out of its range or contradicts another."""
    recording.check()
    problems = _of_text(settings) if isinstance(data, TextData) else _of_images(settings, site, recording)
    if settings.ranges and settings.quantile is not None:
        problems.append("--quantile sets the top range, which --ranges replaces: give one of them")
    if settings.ranges and settings.metric == "auroc":
        problems.append("--ranges and --metric auroc contradict each other: AUROC looks at all activations at once")
    if settings.ranges < 0 or settings.ranges > 20:
        problems.append(f"--ranges is {settings.ranges}; expected 0 to 20")
    if not 0 <= settings.permutations <= MOST_PERMUTATIONS:
        problems.append(f"--permutations is {settings.permutations}; expected 0 to {MOST_PERMUTATIONS:,}")
    if settings.seed < 0:
        problems.append(f"--seed is {settings.seed}; expected 0 or more")
    if not 0 < settings.fdr < 1:
        problems.append(f"--fdr is {settings.fdr}; expected between 0 and 1")
    wrong = [unit for unit in settings.units or () if not 0 <= unit < site.units]
    if wrong or settings.units == ():
        more = f" and {len(wrong) - 5:,} more" if len(wrong) > 5 else ""
        named = ", ".join(map(str, wrong[:5])) + more or "no unit"
        problems.append(f"--units names {named}; layer '{site.layer}' has units 0 to {site.units - 1}")
    if problems:
        raise OptionError("; ".join(problems), next_step="see microtome dissect --help")


def _of_images(settings: DissectSettings, site: Site, recording: RecordSettings) -> list[str]:
    problems = []
    if settings.elements == "pixel" and not site.spatial:
        problems.append(f"layer '{site.layer}' has no map over the image, so its elements cannot be pixels")
    if settings.elements == "pixel" and settings.metric == "auroc":
        problems.append("--metric auroc compares whole images, so --elements pixel contradicts it")
    if settings.grid and recording.image_level:
        problems.append("--grid has no meaning where an element is a whole image")
    return problems


def _of_text(settings: DissectSettings) -> list[str]:
    problems = []
    if settings.elements != "auto" or settings.grid:
        problems.append("--elements and --grid are for images; for text --level says what an element is")
    return problems


def checked_choices(**chosen: str) -> dict[str, Any]:
    """Words from the command line as the settings' closed choices. Raises OptionError, naming all that are none."""
    valid: dict[str, tuple[str, ...]] = {
        "metric": METRICS,
        "range_rule": get_args(RangeRule),
        "elements": get_args(Elements),
        "active": get_args(Active),
        "pool": get_args(Pool),
        "cache_dtype": ("float16", "float32"),
    }
    problems = [
        f"--{name.replace('_', '-')} is '{value}'; expected {', '.join(valid[name])}"
        for name, value in chosen.items()
        if value not in valid[name]
    ]
    if problems:
        raise OptionError("; ".join(problems), next_step="see microtome dissect --help")
    return dict(chosen)


def level_named(level: str) -> LevelChoice:
    """The word for what an element of text is. Raises OptionError where there is none."""
    for known in get_args(LevelChoice):
        if known == level:
            return known
    raise OptionError(f"--level is '{level}'.", expected=", ".join(get_args(LevelChoice)))


def with_units(settings: DissectSettings, text: str) -> DissectSettings:
    """Settings with the units that a text such as `0-31,40` names. Raises OptionError if it names none."""
    units: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise OptionError(f"--units is '{text}'.", expected="numbers and ranges such as 0-31,40")
        if max(len(low), len(high)) > 6:
            raise OptionError(f"--units is '{text}'.", expected="units below 1,000,000")
        if dash and int(high) < int(low):
            raise OptionError(f"--units has the range {part.strip()}.", expected="the lower unit first, as in 5-7")
        units += range(int(low), int(high or low) + 1)
    return replace(settings, units=tuple(dict.fromkeys(units)))
