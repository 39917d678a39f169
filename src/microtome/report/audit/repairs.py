"""What it costs to mend a fault: every kind of repair beside the others, and the groups behind the worst one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from microtome.report import words
from microtome.report.audit.common import points, points_between, price
from microtome.report.audit.view import AuditView, FindingView, Row, findings_of
from microtome.report.decompose import cells

KINDS = {"none": "no repair", "ablate": "ablate", "erase": "erase", "retrain": "retrain", "DFR": "DFR"}
LONG = {
    "ablate": "cut the carriers",
    "erase": "erase the direction",
    "retrain": "retrain the last layer on the written cases",
    "DFR": "retrain the last layer on even groups, for comparison",
}


def mending(view: AuditView) -> Mapping[str, Any] | None:
    """Every repair of every proved fault, in one table; what was chosen, in sentences."""
    found = [finding for finding in findings_of(view) if finding.repairs]
    if not found:
        return None
    columns = (
        ("fault", False), ("repair", False), ("worst group", True), ("points", True), ("95 % interval", True),
        ("price", True), ("verdict", False),
    )  # fmt: skip
    lines = [
        [cells.Cell(finding.short, finding.short, href=f"report/{finding.page}#repairs"), *_line(row)]
        for finding in found for row in finding.repairs if row["kind"] != "none"
    ]  # fmt: skip
    sheet = cells.Sheet("mending", "Repairs of the proved faults, by kind", columns, lines, most=16)
    return {
        "sheet": sheet if lines else None,
        "faults": [
            {"finding": finding, "said": finding.row["repair"] or "", "works": bool(finding.row["repaired"]),
             "before": _first(finding.repairs, "worst_before"), "best": _best(finding.repairs)}
            for finding in found
        ],
        "mended": sum(bool(finding.row["repaired"]) for finding in found), "kinds": _kinds(found),
    }  # fmt: skip


def _kinds(found: Sequence[FindingView]) -> list[tuple[str, str]]:
    present = {row["kind"] for finding in found for row in finding.repairs}
    return [(kind, said) for kind, said in LONG.items() if kind in present]


def _first(rows: Sequence[Row], key: str) -> words.Number | None:
    return next((row[key] for row in rows if row[key] is not None), None)


def _best(rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row["best"]), None)


def _line(row: Row) -> list[cells.Cell]:
    """The cells of a repair, from its kind on."""
    kind = KINDS.get(row["kind"], str(row["kind"]))
    if row["chosen"] is False:
        return [
            cells.Cell(kind, row["kind"]), cells.share(row["worst_before"], whole=1.0), cells.Cell("none", num=True),
            cells.Cell(words.MISSING, num=True), cells.Cell(words.MISSING, num=True),
            cells.Cell("none was better within the price", quiet=True),
        ]  # fmt: skip
    spread = _bare(points_between(row["worst_low"], row["worst_high"])) or words.MISSING
    said = f"{words.share(row['worst_before'])} → {words.share(row['worst'])}"
    return [
        cells.Cell(kind, row["kind"]),
        cells.number(said, row["worst"], whole=1.0, notch=row["worst_before"]),
        cells.Cell(_bare(points(row["worst_difference"])), row["worst_difference"], num=True),
        cells.Cell(spread, row["worst_low"], num=True), _paid(row),
        cells.Cell(_judged(row), _judged(row)),
    ]  # fmt: skip


def _paid(row: Row) -> cells.Cell:
    """The price, with its interval; below 0 it is a gain."""
    low, high = row["price_low"], row["price_high"]
    if row["price"] is None or low is None or high is None:
        return cells.number(_bare(price(row["price"])), row["price"])
    return cells.number(f"{row['price']:.1f} ({low:.1f} to {high:.1f})", row["price"])


def _bare(text: str) -> str:
    """Points below a title that says so."""
    return text.removesuffix(" points")


def _judged(row: Row) -> str:
    if row["helps"]:
        return "helps; chosen" if row["best"] else "helps"
    if row["worst_low"] is not None and row["worst_low"] <= 0:
        return "may be luck"
    return "costs too much" if row["price"] is not None and row["price"] > 0 else words.MISSING


def repairs_of(view: AuditView, finding: FindingView) -> Mapping[str, Any] | None:
    """The repairs of one fault side by side."""
    if not finding.repairs:
        return None
    columns = (
        ("repair", False), ("worst group", True), ("points", True), ("95 % interval", True), ("price", True),
        ("verdict", False), ("mean of all", True), ("still turned", True),
    )  # fmt: skip
    lines = [
        [*(_untouched(row) if row["kind"] == "none" else _line(row)), _mean(row),
         _still(row)]
        for row in finding.repairs
    ]  # fmt: skip
    return {
        "said": finding.row["repair"] or "", "works": bool(finding.row["repaired"]),
        "sheet": cells.Sheet("repair-kinds", "Kinds of repair side by side", columns, lines, most=12),
        "what": [(KINDS.get(row["kind"], str(row["kind"])), row["what"]) for row in finding.repairs
                 if row["what"] and row["chosen"] is not False and row["kind"] != "none"],
        "groups": _groups(view, finding),
    }  # fmt: skip


def _still(row: Row) -> cells.Cell:
    """What still turns, with its interval."""
    low, high = row["turned_low"], row["turned_high"]
    more = "" if low is None or high is None else f" ({100 * low:.0f} to {100 * high:.0f})"
    return cells.number(f"{words.share(row['turned'])}{more}", row["turned"])


def _untouched(row: Row) -> list[cells.Cell]:
    blank = cells.Cell(words.MISSING, num=True)
    worst = row["worst_before"] if row["worst"] is None else row["worst"]
    return [cells.Cell("no repair", "none"), cells.share(worst, whole=1.0), blank, blank, blank, cells.Cell("")]


def _mean(row: Row) -> cells.Cell:
    if row["kind"] == "none" or row["chosen"] is False or row["mean_before"] is None:
        return cells.share(row["mean"], whole=1.0)
    said = f"{words.share(row['mean_before'])} → {words.share(row['mean'])}"
    return cells.number(said, row["mean"], whole=1.0, notch=row["mean_before"])


def _groups(view: AuditView, finding: FindingView) -> cells.Sheet | None:
    """Right answers of each group, by kind of repair."""
    table: dict[str, dict[str, words.Number | None]] = defaultdict(dict)
    sizes: dict[str, int | None] = {}
    for row in finding.groups:
        table[str(row["group"])][str(row["kind"])] = row["accuracy"]
        sizes[str(row["group"])] = row["images"]
    kinds = [kind for kind in KINDS if any(kind in own for own in table.values())]
    kinds += sorted({kind for own in table.values() for kind in own} - set(kinds))
    if not table:
        return None
    lines = [
        [
            cells.Cell(group, group), cells.number(words.count(sizes[group]), sizes[group]),
            *(cells.share(own.get(kind), whole=1.0, notch=None if kind == "none" else own.get("none"))
              for kind in kinds),
        ]
        for group, own in table.items()
    ]  # fmt: skip
    columns = [("group", False), (view.nouns.items, True), *((KINDS.get(kind, kind), True) for kind in kinds)]
    return cells.Sheet("repair-groups", "Right answers of each group, by kind of repair", columns, lines, most=20)
