"""Dissect a layer: record, search on one half, score on the other, compare with chance, write the run.

load -> record -> search -> judge -> tables and pictures -> report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from microtome.core.errors import DataError, MicrotomeError, OptionError
from microtome.core.measures import METRICS, Metric
from microtome.core.site import Site
from microtome.data.base import ImageData
from microtome.data.open import open_data
from microtome.methods.dissect.registry import SearchSettings, make_method
from microtome.models.load import load
from microtome.models.model import Model
from microtome.recipes import counts, manifest, pictures, unit_tables
from microtome.recipes.result import Dissection
from microtome.recipes.search_units import UnitSearch, search_slots, searched_rows
from microtome.recipes.slots import RangeRule, make_slots
from microtome.recipes.verdicts import Judged, judge_slots
from microtome.record.images import beside, halve
from microtome.record.one_pass import Pass, Progress, silent
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings, bytes_needed
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.chance import ChanceSettings

Elements = Literal["auto", "pixel", "image"]
PIXEL_QUANTILE, IMAGE_QUANTILE = 0.005, 0.05
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
        Leaves of the longest formula, width of the beam, weight of each further leaf; see `SearchSettings`.
    quantile:
        Share of activations that count as active; None: 0.005 for pixels, 0.05 for images.
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
    max_length: int = 3
    beam: int = 10
    penalty: float = 1.0
    quantile: float | None = None
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


def dissect(
    model: Model | str = "world:scenes",
    layer: str | None = None,
    data: ImageData | str | Path = "world",
    *,
    out: Path | str = "runs/dissect",
    heldout: ImageData | str | Path | None = None,
    settings: DissectSettings | None = None,
    overwrite: bool = False,
    keep_cache: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Dissection:
    """Name every unit of a layer by a formula of concepts, and test every name.

    Parameters
    ----------
    model:
        A loaded model or a spec that `load` takes.
    layer:
        Layer name; None: the last one with a spatial map.
    data:
        Images with concepts, or what `open_data` takes.
    out:
        The run folder.
    heldout:
        Images to score on; None: a random half of `data`.
    overwrite:
        Replace a run that stands at `out`.
    keep_cache:
        Keep the activations with the run.
    command:
        Words that reproduce the run, for the report.

    Returns
    -------
    The finished run: its tables (Arrow), a notebook view, and the path of its report.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    settings = settings or DissectSettings()
    model = load(model) if isinstance(model, str) else model
    data = open_data(data) if isinstance(data, str | Path) else data
    other = open_data(heldout) if isinstance(heldout, str | Path) else heldout
    site = model.site(layer) if layer else model.default_site()
    recording_settings = record_settings(settings, site, data)
    method = make_method(
        settings.method, SearchSettings(settings.metric, settings.max_length, settings.beam, settings.penalty)
    )
    _check(settings, site, recording_settings)
    images = beside(data, other) if other is not None else halve(data, seed=settings.seed)
    plan = manifest.plan_of(model, images, recording_settings, asdict(settings))
    draft = RunDraft(Path(out), plan=plan, overwrite=overwrite)
    try:
        classes = manifest.class_map(model, images.classes)
        step = Pass(model, images, recording_settings, folder=draft.cache, classify=classes is not None)
        cells = step.map_shape[0] * step.map_shape[1]
        needed = bytes_needed(recording_settings, images=len(images), units=len(step.units), cells=cells)
        free = draft.need(needed)
        progress(f"cache needs {needed / 2**20:.0f} MiB of {free / 2**20:.0f} MiB free", 0, len(images))
        recording = step.recording(step.run(progress=progress))
        _check_annotated(recording)
        longest = 1 if settings.method == "netdissect" else settings.max_length
        search = UnitSearch(
            recording, method.prepare(searched_rows(recording)), metric=settings.metric, longest=longest
        )
        chance = ChanceSettings(settings.permutations, settings.fdr, settings.seed)
        slots = make_slots(recording, ranges=settings.ranges, rule=settings.range_rule)
        judged = judge_slots(search_slots(search, slots, chance, progress=progress), chance, routes=search.routes)
        right = manifest.answers_right(recording, classes)
        _write(draft, model, search, judged, settings, right=right, progress=progress)
        draft.manifest(manifest.manifest_of(
            model, data, other, recording, judged, settings=asdict(settings), right=right, command=command,
            notes=step.forward.notes, elements=search.heldout.total,
        ))  # fmt: skip
        _report(draft)
        return Dissection(draft.finish(keep_cache=keep_cache))
    except MicrotomeError:
        draft.discard()
        raise


def record_settings(settings: DissectSettings, site: Site, data: ImageData) -> RecordSettings:
    """What the pass is told: elements, grid and quantile follow from the layer and the data where not given."""
    image_level = settings.elements == "image" or (settings.elements == "auto" and not site.spatial)
    image_level = image_level or settings.metric == "auroc"
    grid = settings.grid or _label_grid(data)
    quantile = settings.quantile
    if quantile is None:
        quantile = IMAGE_QUANTILE if image_level else PIXEL_QUANTILE
    return RecordSettings(
        layer=site.layer, grid=(1, 1) if image_level else grid, quantile=quantile, batch_size=settings.batch_size,
        units=settings.units, dtype=settings.cache_dtype, recompute=settings.recompute, image_level=image_level,
    )  # fmt: skip


def _label_grid(data: ImageData) -> tuple[int, int]:
    """The largest label grid among a few images, at most 112 a side."""
    height = width = 1
    for index in np.unique(np.linspace(0, len(data) - 1, min(len(data), 9)).astype(int)):
        image = data.read(int(index))
        shape = image.planes.shape[1:] if len(image.planes) else image.pixels.shape[:2]
        height, width = max(height, shape[0]), max(width, shape[1])
    return min(LARGEST_GRID, height), min(LARGEST_GRID, width)


def _check(settings: DissectSettings, site: Site, recording: RecordSettings) -> None:
    recording.check()
    problems = []
    if settings.elements == "pixel" and not site.spatial:
        problems.append(f"layer '{site.layer}' has no map over the image, so its elements cannot be pixels")
    if settings.elements == "pixel" and settings.metric == "auroc":
        problems.append("--metric auroc compares whole images, so --elements pixel contradicts it")
    if settings.grid and recording.image_level:
        problems.append("--grid has no meaning where an element is a whole image")
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


def _check_annotated(recording: Recording) -> None:
    halves = {"searched": recording.searched.total, "held-out": int(recording.heldout_weight.sum())}
    bare = [half for half, elements in halves.items() if not elements]
    if bare:
        raise DataError(
            f"The {' and the '.join(bare)} images have no annotated element: all of their pixels are void.",
            expected="labels on some pixels",
            next_step="see what the labels hold with `microtome data check`",
        )


def _write(
    draft: RunDraft, model: Model, search: UnitSearch, judged: list[Judged], settings: DissectSettings, *,
    right: np.ndarray, progress: Progress,
) -> None:  # fmt: skip
    """All tables and pictures."""
    recording: Recording = search.recording
    data, classes = recording.images.sets[0], recording.images.classes
    answers = pictures.Answers(classes, model.classes, right)
    exemplars = pictures.write_pictures(search, judged, draft.folder, answers=answers, progress=progress)
    tables = {
        "explanations": unit_tables.explanation_rows(search, judged, method=settings.method),
        "units": unit_tables.unit_rows(search, judged, classes=classes, right=right),
        "concepts": unit_tables.concept_rows(search, predicted=data.card.predicted),
        "images": unit_tables.image_rows(recording, classes=classes, answers=model.classes, right=right),
        "histogram": unit_tables.histogram_rows(recording),
        "chance": unit_tables.chance_rows(recording, judged),
        "exemplars": exemplars,
        **unit_tables.overlap_rows(search, judged),
    }
    draft.arrays(counts.FILE, counts.count_arrays(recording, [one.result for one in judged]))
    for name, rows in tables.items():
        draft.table(name, make_table(name, rows))


def _report(draft: RunDraft) -> None:
    from microtome.report.pages import write_report

    write_report(draft.folder)


def checked_choices(**chosen: str) -> dict[str, Any]:
    """Words from the command line as the settings' closed choices. Raises OptionError, naming all that are none."""
    valid: dict[str, tuple[str, ...]] = {
        "metric": METRICS,
        "range_rule": get_args(RangeRule),
        "elements": get_args(Elements),
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
