"""What the network does with its units: accuracy where they fire, what is lost without them, kinds, links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from microtome.report import words
from microtome.report.audit.common import PERCENT, title_of
from microtome.report.audit.view import AuditView, Row
from microtome.report.charts import Dot, Line, lines_chart, scatter
from microtome.report.decompose import cells
from microtome.report.decompose.generic import table_of
from microtome.report.decompose.specs import ColumnSpec, TableSpec

ORDERS = {
    "best": ("c-one", "direct", "those that matter most first"),
    "random": ("c-two", "total", "at random"),
    "worst": ("c-three", "third", "those that matter least first"),
}
ACTIVE = ("accuracy_active_low", "accuracy_active_high")
COLUMNS = (
    ColumnSpec("title", "unit"),
    ColumnSpec("words", "fires on"),
    ColumnSpec("score", "fit of the name", "score"),
    ColumnSpec("kind", "kind"),
    ColumnSpec("inputs", "fires on inputs", "count"),
    ColumnSpec("accuracy_active", "right where it fires", "share", bar=1.0, notch="accuracy_silent"),
    ColumnSpec("accuracy_active_low", "95 % interval", "interval", ends=ACTIVE),
    ColumnSpec("accuracy_silent", "right elsewhere", "share"),
    ColumnSpec("loss", "loss without it", "signed3"),
    ColumnSpec("loss_low", "95 % interval", "range", ends=("loss_low", "loss_high")),
    ColumnSpec("loss_random", "units of like mass", "signed3"),
    ColumnSpec("loss_resample", "resampled", "signed3"),
    ColumnSpec("loss_zero", "set to zero", "signed3"),
    ColumnSpec("accuracy", "right answers", "points"),
    ColumnSpec("accuracy_low", "95 % interval", "points range", ends=("accuracy_low", "accuracy_high")),
    ColumnSpec("worst_class", "hurts most"),
    ColumnSpec("worst_class_change", "by", "points"),
    ColumnSpec("selects", "selects"),
    ColumnSpec("selectivity", "selectivity", "score"),
)
RELATIONS = TableSpec("effect_relations", "What goes together over units", columns=(
    ColumnSpec("what", "what with what"), ColumnSpec("pearson", "correlation", "signed"),
    ColumnSpec("pearson_low", "95 % interval", "range", ends=("pearson_low", "pearson_high")),
    ColumnSpec("p", "p", "p"), ColumnSpec("spearman", "of ranks", "signed"),
    ColumnSpec("spearman_low", "95 % interval", "range", ends=("spearman_low", "spearman_high")),
    ColumnSpec("units", "units", "count"),
))  # fmt: skip
GROUPS = TableSpec("effect_groups", "The units of a class cut together", columns=(
    ColumnSpec("group", "the strongest units of"), ColumnSpec("set", "which"), ColumnSpec("parts", "units"),
    ColumnSpec("loss", "loss without them", "signed"),
    ColumnSpec("loss_low", "95 % interval", "range", ends=("loss_low", "loss_high")),
    ColumnSpec("accuracy", "right answers", "points"),
    ColumnSpec("accuracy_low", "95 % interval", "points range", ends=("accuracy_low", "accuracy_high")),
    ColumnSpec("mass", "mass"),
))  # fmt: skip
LINKS = TableSpec("part_links", "Units of other layers that go with them", order="-weight", columns=(
    ColumnSpec("part", "unit"), ColumnSpec("words", "fires on"), ColumnSpec("layer", "layer"),
    ColumnSpec("other", "unit there"), ColumnSpec("other_words", "fires on"), ColumnSpec("other_layer", "layer there"),
    ColumnSpec("weight", "weight", "signed"), ColumnSpec("correlation", "correlation", "signed"),
    ColumnSpec("jaccard", "fire together", "share", bar=1.0),
))  # fmt: skip


def effects(view: AuditView) -> Mapping[str, Any] | None:
    """Charts and tables about the parts one by one; None where the run has none of them."""
    found = {
        "sheet": _sheet(view), "scatter": _scatter(view), "curves": _curves(view), "kinds": _kinds(view),
        "relations": _told(view), "tables": [_plain(spec, view) for spec in (GROUPS, LINKS) if view.rows(spec.table)],
        "relation_table": _plain(RELATIONS, view) if view.rows(RELATIONS.table) else None,
    }  # fmt: skip
    return found if any(found.values()) else None


def _plain(spec: TableSpec, view: AuditView) -> Mapping[str, Any]:
    worded = replace(spec, title=_worded(spec.title, view), columns=tuple(_column(c, view) for c in spec.columns))
    return table_of(worded, view.rows(spec.table), folded=True)


def _column(column: ColumnSpec, view: AuditView) -> ColumnSpec:
    return replace(column, title=_worded(column.title, view))


def _worded(text: str, view: AuditView) -> str:
    """A heading in the words for what the model was taken apart into."""
    return text if view.part == "unit" else text.replace("fires on", view.means).replace("unit", view.part)


def _sheet(view: AuditView) -> cells.Sheet | None:
    rows = view.rows("part_effects")
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: float("inf") if row["loss"] is None else -row["loss"])
    known = [_column(column, view) for column in COLUMNS if any(row[column.key] is not None for row in rows)]
    spec = TableSpec("part_effects", f"The {view.part}s, those whose loss costs most first", columns=tuple(known))
    return table_of(spec, [{**row, "title": title_of(row)} for row in rows], folded=False)["sheet"]


def _scatter(view: AuditView) -> Mapping[str, Any] | None:
    known = [row for row in view.rows("part_effects") if row["part"] is not None]
    rows = [row for row in known if None not in (row["score"], row["accuracy_active"])]
    if len(rows) < 2:
        return None
    dots = [
        Dot(max(row["score"], 0.0), PERCENT * row["accuracy_active"],
            f"{title_of(row)}: {row['words'] or 'no name'}; fit {row['score']:.2f}, right "
            f"{words.share(row['accuracy_active'])}")
        for row in rows
    ]  # fmt: skip
    label = f"{view.parts(len(rows))}: how well the name fits, against right answers where it fires."
    chart = scatter(dots, x_name="how well the name fits", y_name="% right where it fires", top=104, label=label)
    return {"chart": chart, "count": len(rows)}


def _curves(view: AuditView) -> Mapping[str, Any] | None:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in view.rows("effect_curves"):
        if None not in (row["accuracy"], row["cut"]):
            groups[str(row["order"])].append(row)
    if not groups:
        return None
    lines, told, legend = [], [], []
    for name, rows in sorted(groups.items(), key=lambda pair: [*ORDERS, pair[0]].index(pair[0])):
        rows.sort(key=lambda row: row["cut"])
        style, key, said = ORDERS.get(name, ("c-three", "third", name))
        spread = [row for row in rows if None not in (row["low"], row["high"])]
        lines.append(Line(
            [(_along(row), PERCENT * row["accuracy"]) for row in rows], style,
            [(_along(row), PERCENT * row["low"], PERCENT * row["high"]) for row in spread],
        ))  # fmt: skip
        told.append(f"{said}: from {words.share(rows[0]['accuracy'])} to {words.share(rows[-1]['accuracy'])}")
        legend.append((key, said))
    x_name = f"% of the {view.part}s cut" if _shares(groups) else f"{view.part}s cut"
    label = f"Right answers as more and more {view.part}s are cut; {'; '.join(told)}."
    return {"chart": lines_chart(lines, x_name=x_name, y_name="% right", top=104, label=label), "legend": legend}


def _along(row: Row) -> float:
    return float(row["cut"]) if row["share"] is None else PERCENT * row["share"]


def _shares(groups: Mapping[str, Sequence[Row]]) -> bool:
    return all(row["share"] is not None for rows in groups.values() for row in rows)


def _kinds(view: AuditView) -> Sequence[Mapping[str, Any]]:
    rows = [row for row in view.rows("kind_shares") if row["share"] is not None]
    return sorted(rows, key=lambda row: -row["share"])


def _told(view: AuditView) -> list[str]:
    """The relations whose interval leaves no doubt, and how many leave some."""
    known = [row for row in view.rows("effect_relations") if None not in (row["pearson_low"], row["pearson_high"])]
    sure = [row for row in known if row["pearson_low"] > 0 or row["pearson_high"] < 0]
    said = [
        f"{row['what']}: the more of the one, the {'more' if row['pearson'] > 0 else 'less'} of the other (correlation "
        f"{words.signed(row['pearson'])}, {words.signed(row['pearson_low'])} to {words.signed(row['pearson_high'])})."
        for row in sure
    ]
    unsure = len(known) - len(sure)
    if unsure:
        said.append(f"{words.plural(unsure, 'other relation') if sure else words.plural(unsure, 'relation')} cannot be "
                    "told from none: the interval holds 0.")  # fmt: skip
    return said
