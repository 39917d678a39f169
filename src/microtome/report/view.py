"""Reads a run folder once, into nouns that the parts of the report share. It computes no score."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from microtome.core.concept_words import plain_category
from microtome.core.errors import RunError, problems_together
from microtome.report.chance import ChanceDraws
from microtome.report.measure import MEASURES, Measure
from microtome.report.nouns import NOUNS, Nouns, nouns_of
from microtome.report.words import Marker
from microtome.store import tables as stored
from microtome.store.run import read_manifest

Row = Mapping[str, Any]

COLUMNS: dict[str, tuple[str, ...]] = {
    "units": (
        *("unit", "site", "range", "low", "high", "area", "active", "mean", "std", "max", "formula", "words"),
        *("category", "length", "iou", "iou_heldout", "score", "score_heldout", "chance", "chance_kind", "p", "fdr"),
        *("named", "status", "reason", "accuracy_active", "accuracy_silent", "top_classes"),
    ),
    "explanations": (
        *("unit", "method", "range", "length", "formula", "words", "category", "iou", "iou_heldout", "chance"),
        *("p", "fdr", "precision", "recall", "precision_heldout", "recall_heldout", "score", "score_heldout"),
        *("mann_whitney_p", "threshold", "named", "chosen", "certificate"),
    ),
    "runners_up": ("unit", "range", "rank", "formula", "words", "category", "iou", "iou_heldout"),
    "concepts": ("concept", "category", "predicted", "elements_search", "elements_heldout", "images"),
    "categories": (
        *("unit", "range", "category", "concept", "concept_count", "unit_count", "both_count"),
        *("iou", "iou_heldout"),
    ),
    "overlaps": (
        *("unit", "range", "rank", "concept", "category", "concept_count", "unit_count", "both_count"),
        *("iou", "precision", "recall", "lift"),
    ),
    "exemplars": (
        *("unit", "range", "kind", "rank", "image", "split", "value", "row", "col", "iou", "label"),
        *("predicted", "right", "sprite", "tile"),
    ),
    "histogram": ("unit", "low", "high", "count"),
    "chance": ("unit", "range", "kind", "draw", "length", "iou_heldout"),
}
"""What the report reads, by table: the contract is docs/run-format.md."""

OF_UNIT = ("class_weights", "edits", "edit_pairs")
OF_RUN = ("artefacts", "correlations", "adversarial", "adversarial_pairs")
OPTIONAL = ("passages", *OF_UNIT, *OF_RUN)
"""Tables that some runs have, read with all their columns."""

OPTIONAL_COLUMNS: dict[str, tuple[str, ...]] = {"concepts": ("neighbours",)}

MANIFEST_KEYS = ("format", "kind", "command", "model", "data", "heldout", "elements", "settings", "summary")


@dataclass(frozen=True)
class RangeView:
    """One activation range of a unit: 0 is the top range (active = above T), 1 ... k go from low to high."""

    number: int
    row: Row
    explanations: tuple[Row, ...]
    runners_up: tuple[Row, ...]
    categories: tuple[Row, ...]
    overlaps: tuple[Row, ...]
    exemplars: tuple[Row, ...]
    passages: tuple[Row, ...]
    last: bool
    """True for the range of the highest activations, which has no upper end."""

    @property
    def named(self) -> bool:
        """Whether this range has a name that beats chance."""
        return bool(self.row["named"])

    @property
    def slug(self) -> str:
        """What tells this range's anchors from those of the others: empty for the top range of a plain run."""
        return f"range-{self.number}-" if self.number else ""

    def pictures(self, kind: str) -> list[Row]:
        """The exemplars of one kind that were drawn, in order of rank."""
        mine = (e for e in self.exemplars if e["kind"] == kind and e["sprite"] is not None)
        return sorted(mine, key=lambda e: e["rank"])


@dataclass(frozen=True)
class UnitView:
    """One unit with all its ranges, the highest activations first."""

    unit: int
    site: str
    ranges: tuple[RangeView, ...]
    histogram: tuple[Row, ...]
    class_weights: tuple[Row, ...] = ()
    edits: tuple[Row, ...] = ()
    edit_pairs: tuple[Row, ...] = ()

    @property
    def lead(self) -> RangeView:
        """The range that the unit's card shows: the highest one that is named, else the highest."""
        return next((r for r in self.ranges if r.named), self.ranges[0])

    @property
    def named(self) -> bool:
        """Whether any range has a name that beats chance."""
        return any(r.named for r in self.ranges)

    @property
    def page(self) -> str:
        """The unit's page, below the run folder."""
        return f"report/units/{self.unit:05d}.html"


@dataclass(frozen=True)
class RunView:
    """Everything the report shows of one run."""

    folder: Path
    manifest: Row
    units: tuple[UnitView, ...]
    concepts: tuple[Row, ...]
    chance: ChanceDraws
    marker: Marker
    artefacts: tuple[Row, ...] = ()
    correlations: tuple[Row, ...] = ()
    adversarial: tuple[Row, ...] = ()
    adversarial_pairs: tuple[Row, ...] = ()

    @property
    def layer(self) -> str:
        """The name of the layer, as the user typed it."""
        return str(self.manifest["model"]["layer"])

    @property
    def measure(self) -> Measure:
        """The metric that names were searched and judged by."""
        return MEASURES[self.manifest["settings"].get("metric") or "iou"]

    @cached_property
    def nouns(self) -> Nouns:
        """The words for what the run counts."""
        return nouns_of(self.manifest)

    @property
    def image_level(self) -> bool:
        """True when a whole image either makes a unit fire or does not; there is nothing to outline then."""
        return self.manifest["elements"]["kind"] == "image"

    def category(self, name: str) -> str:
        """A category of concepts in plain words; those of images are words already."""
        return plain_category(name) if self.nouns.text else name

    @property
    def ranges(self) -> Iterable[RangeView]:
        """All ranges of all units."""
        return (ranged for unit in self.units for ranged in unit.ranges)

    @cached_property
    def top_score(self) -> float:
        """The full width of bars of held-out scores, common to all pages so that they can be compared."""
        rows = [ranged.row for ranged in self.ranges]
        least = self.measure.floor + 0.01
        return max([score for row in rows for score in (row["score_heldout"], row["chance"]) if score] + [least])

    @property
    def many_ranges(self) -> bool:
        """True when the run explains several activation ranges of each unit."""
        return any(r.number for unit in self.units for r in unit.ranges)


def read_run(run: Path) -> RunView:
    """Read the manifest and the tables of a run folder.

    Parameters
    ----------
    run:
        A folder that `microtome dissect` wrote; its format is docs/run-format.md.

    Raises
    ------
    RunError
        If the folder is no run, or a table or a column is missing; all problems at once.
    """
    manifest = _manifest(run)
    problems: list[str] = []
    tables = {name: _table(run, name, problems) for name in COLUMNS}
    extra = {name: _table(run, name, problems) for name in OPTIONAL if (run / f"{name}.parquet").is_file()}
    if problems:
        raise RunError(
            f"The run '{run}' cannot be reported:\n{problems_together(problems)}",
            expected="the tables that docs/run-format.md lists",
            next_step="run `microtome dissect` again with the same --out: it goes on where it stopped",
        )
    predicted = set(manifest["data"].get("predicted") or [])
    predicted |= set((manifest["heldout"] or {}).get("predicted") or [])
    concepts = tuple(_rows(tables["concepts"]))
    return RunView(
        folder=run,
        manifest=manifest,
        units=_units(tables, extra),
        concepts=concepts,
        chance=ChanceDraws.of_table(tables["chance"]),
        marker=Marker.of_concepts(concepts, predicted_categories=predicted),
        **{name: tuple(_rows(extra[name])) for name in OF_RUN if name in extra},
    )


def _manifest(run: Path) -> Row:
    path = run / "manifest.json"
    manifest = read_manifest(run)
    missing = [key for key in MANIFEST_KEYS if key not in manifest]
    if missing:
        raise RunError(
            f"'{path}' lacks {', '.join(missing)}.",
            expected="the keys that docs/run-format.md lists",
            next_step="make the run again with this version of microtome",
        )
    if manifest["kind"] != "dissect":
        raise RunError(
            f"'{path}' is of kind '{manifest['kind']}'.",
            expected="kind 'dissect'",
            next_step="use the version of microtome that wrote the run",
        )
    elements = manifest["elements"].get("kind")
    if elements not in NOUNS:
        raise RunError(
            f"'{path}' counts elements of kind '{elements}'.",
            expected=f"one of: {', '.join(NOUNS)}",
            next_step="use the version of microtome that wrote the run",
        )
    metric = manifest["settings"].get("metric") or "iou"
    if metric not in MEASURES:
        raise RunError(
            f"'{path}' was searched by the metric '{metric}'.",
            expected=f"one of: {', '.join(MEASURES)}",
            next_step="use the version of microtome that wrote the run",
        )
    return manifest


def _table(run: Path, name: str, problems: list[str]) -> pa.Table:
    path = run / f"{name}.parquet"
    if not path.is_file():
        problems.append(f"{path.name} is missing")
        return pa.table({})
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        problems.append(f"{path.name} cannot be read ({error})")
        return pa.table({})
    wanted = COLUMNS.get(name) or tuple(stored.table_schema(name).names)
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        problems.append(f"{path.name} lacks the column(s) {', '.join(missing)}")
        return pa.table({})
    more = [column for column in OPTIONAL_COLUMNS.get(name, ()) if column in table.column_names]
    return table.select([*wanted, *more])


def _rows(table: pa.Table) -> Iterable[Row]:
    """Rows as dictionaries; NaN and infinities, which mean 'no number' to a reader, become None."""
    columns = {}
    for name in table.column_names:
        values = table.column(name).to_pylist()
        if pa.types.is_floating(table.schema.field(name).type):
            values = [v if v is not None and math.isfinite(v) else None for v in values]
        columns[name] = values
    names = list(columns)
    return (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _by_key(table: pa.Table, keys: tuple[str, ...]) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in _rows(table):
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def _units(tables: Mapping[str, pa.Table], extra: Mapping[str, pa.Table]) -> tuple[UnitView, ...]:
    by_range = ("unit", "range")
    names = ("explanations", "runners_up", "categories", "overlaps", "exemplars", "passages")
    groups = {name: _by_key(table, by_range) for name, table in {**tables, **extra}.items() if name in names}
    of_units = {name: _by_key(extra[name], ("unit",)) for name in OF_UNIT if name in extra}
    histograms = _by_key(tables["histogram"], ("unit",))
    rows = _by_key(tables["units"], ("unit",))
    units = []
    for (unit,), of_unit in sorted(rows.items()):
        of_unit = sorted(of_unit, key=lambda row: -row["range"])
        ranges = []
        for row in of_unit:
            mine = {name: tuple(groups.get(name, {}).get((unit, row["range"]), ())) for name in names}
            ranges.append(RangeView(number=row["range"], row=row, last=row is of_unit[0], **mine))
        histogram = tuple(sorted(histograms.get((unit,), ()), key=lambda row: row["low"]))
        own = {name: tuple(rows_of.get((unit,), ())) for name, rows_of in of_units.items()}
        units.append(UnitView(unit, of_unit[0]["site"], tuple(ranges), histogram, **own))
    return tuple(units)
