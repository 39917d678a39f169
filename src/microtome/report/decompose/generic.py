"""The page of any kind of run, built from its specification: sentences, curves, pictures, tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from microtome.report import words
from microtome.report.decompose import cells
from microtome.report.decompose.common import PERCENT, interval, plain, slug
from microtome.report.decompose.specs import ColumnSpec, PictureSpec, TableSpec, spec_of
from microtome.report.decompose.view import DecomposeView, Row

HIDDEN = ("sprite", "tile", "heat_tile", "tile_after")
ELSEWHERE = ("curves", "terms")
"""Tables that have a part of their own."""
NEVER_SHARES = ("low", "high")


def intro(view: DecomposeView) -> Mapping[str, Any]:
    """The question, and the answer in the sentences that the command wrote."""
    spec = spec_of(view.kind)
    return {
        "title": spec.title, "question": spec.question,
        "sentences": [str(sentence) for sentence in view.summary.get("sentences") or []],
    }  # fmt: skip


def pictures(view: DecomposeView) -> Sequence[Mapping[str, Any]] | None:
    """Rows of pictures: those of the specification, then every other table with tiles."""
    specs = list(spec_of(view.kind).pictures)
    named = {spec.table for spec in specs}
    specs += [_picture_spec(name, rows) for name, rows in view.tables.items() if name not in named and _has_tiles(rows)]
    found = [
        {"title": spec.title, "intro": spec.intro, "groups": _groups(spec, view.rows(spec.table)),
         "heat": any(row.get("heat_tile") is not None for row in view.rows(spec.table))}
        for spec in specs if _has_tiles(view.rows(spec.table))
    ]  # fmt: skip
    return found or None


def _has_tiles(rows: Sequence[Row]) -> bool:
    return any(row.get("sprite") is not None and row.get("tile") is not None for row in rows)


def _picture_spec(name: str, rows: Sequence[Row]) -> PictureSpec:
    captions = tuple((key, spaced(key)) for key in rows[0] if key not in HIDDEN)
    return PictureSpec(name, spaced(name).capitalize(), caption=captions)


def _groups(spec: PictureSpec, rows: Sequence[Row]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("sprite") is None or row.get("tile") is None:
            continue
        heading = ", ".join(plain(row.get(key)) for key in spec.groups)
        caption = [(what, plain(row[key])) for key, what in spec.caption if row.get(key) is not None]
        beside = "Heatmap" if row.get("tile_after") is None else "Afterwards"
        alt = "; ".join([*([heading] if heading else []), *(f"{what} {text}" for what, text in caption)])
        groups[heading].append(cells.tile(
            row, root="", alt=alt or spec.title, heat_alt=f"{beside}: {alt or spec.title}", caption=caption
        ))  # fmt: skip
    return list(groups.items())


def tables(view: DecomposeView) -> Sequence[Mapping[str, Any]] | None:
    """The tables of the specification, then the rest of the run's tables, folded."""
    specs = list(spec_of(view.kind).tables)
    named = {spec.table for spec in specs} | {*ELSEWHERE}
    drawn = {spec.table for spec in spec_of(view.kind).pictures}
    found = [table_of(spec, view.rows(spec.table), folded=False) for spec in specs if view.rows(spec.table)]
    found += [
        table_of(TableSpec(name, spaced(name).capitalize()), rows, folded=name in drawn or _has_tiles(rows))
        for name, rows in view.tables.items() if rows and name not in named
    ]  # fmt: skip
    return found or None


def table_of(spec: TableSpec, rows: Sequence[Row], *, folded: bool) -> Mapping[str, Any]:
    """A table of a run as its specification wants it; `rows` has at least one."""
    columns = [column for column in spec.columns if column.key in rows[0]] or _all_columns(rows)
    if spec.order:
        key = spec.order.removeprefix("-")
        known = [row for row in rows if row.get(key) is not None]
        known.sort(key=lambda row: row[key], reverse=spec.order.startswith("-"))
        rows = [*known, *(row for row in rows if row.get(key) is None)]
    sheet = cells.Sheet(
        f"table-{slug(spec.table)}", spec.title,
        [(column.title, _is_number(column, rows)) for column in columns],
        [[_cell(column, row) for column in columns] for row in rows], spec.most,
    )  # fmt: skip
    return {"title": spec.title, "intro": spec.intro, "sheet": sheet, "folded": folded}


def _all_columns(rows: Sequence[Row]) -> list[ColumnSpec]:
    filled = [key for key in rows[0] if key not in HIDDEN and any(row.get(key) is not None for row in rows)]
    both = {"low", "high"} <= set(filled)
    columns = [ColumnSpec(key, spaced(key)) for key in filled if not (both and key in NEVER_SHARES)]
    if both:
        # Where one number has an interval it stands behind it.
        place = next((n for n, column in enumerate(columns, 1) if filled[n : n + 1] == ["low"]), len(columns))
        columns.insert(place, ColumnSpec("low", "95 % interval", "interval"))
    return columns


def _is_number(column: ColumnSpec, rows: Sequence[Row]) -> bool:
    values = (row.get(column.key) for row in rows)
    first = next((value for value in values if value is not None), None)
    return isinstance(first, int | float) and not isinstance(first, bool)


def _cell(column: ColumnSpec, row: Row) -> cells.Cell:
    value = row.get(column.key)
    if column.format == "interval":
        return cells.Cell(_interval(row, column.ends), value, num=True)
    if column.format in ("range", "points range"):
        return cells.Cell(_range(row, column), value, num=True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        notch = row.get(column.notch) if column.notch else None
        return cells.number(_written(column, value), value, whole=column.bar, notch=notch)
    number = value is None and column.format not in ("auto", "text")
    return cells.Cell(plain(value), None if isinstance(value, list) else value, num=number)


def _range(row: Row, column: ColumnSpec) -> str:
    low, high = (row.get(end) for end in column.ends)
    if low is None or high is None:
        return words.MISSING
    if column.format == "range":
        return f"{words.signed(low)} to {words.signed(high)}"
    return f"{words.signed(PERCENT * low, digits=1)} to {words.signed(PERCENT * high, digits=1)}"


def _interval(row: Row, ends: tuple[str, str]) -> str:
    low, high = row.get(ends[0]), row.get(ends[1])
    if low is None or high is None or (0.0 <= low <= 1.0 and 0.0 <= high <= 1.0):
        return interval(low, high)
    return f"{plain(low)} to {plain(high)}"


def _written(column: ColumnSpec, value: words.Number) -> str:
    match column.format:
        case "share":
            return words.share(value)
        case "score":
            return words.number(value, digits=2)
        case "signed":
            return words.signed(value)
        case "signed3":
            return words.signed(value, digits=3)
        case "points":
            return words.signed(PERCENT * value, digits=1)
        case "count":
            return words.count(value)
        case "p":
            return words.probability(value)
        case _:
            return plain(value)


def spaced(name: str) -> str:
    """A column's or a table's name as words."""
    return name.replace("_", " ")
