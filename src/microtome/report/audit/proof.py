"""The page of one suspect: the verdict and why, the way through the model, what happens without it, other models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.report import words
from microtome.report.audit.common import (
    Rate,
    between,
    full_stop,
    points,
    points_between,
    signed_bars,
    title_of,
)
from microtome.report.audit.pictures import cases_of
from microtome.report.audit.repairs import repairs_of
from microtome.report.audit.view import AuditView, FindingView, Row
from microtome.report.decompose import cells

ROOT = "../../"
SHORT = {
    "proved": "The network leans on it: putting it in turns answers far more often than the control does.",
    "not proved": "The evidence does not decide it.",
    "refuted": "It was suspect, but putting it in turns hardly more answers than the control does.",
}
PATH_OPEN = 8


def finding_page(view: AuditView, finding: FindingView) -> Mapping[str, Any]:
    """Everything that the template of a finding's page needs."""
    row = finding.row
    return {
        "finding": finding,
        "short": SHORT[finding.verdict],
        "why": full_stop(row["why"] or ""),
        "figures": _figures(view, finding),
        "rates": _rates(view, finding),
        "sure": _sure(view, finding),
        "path": _path(finding),
        "cases": cases_of(finding, ROOT),
        "without": _without(view, finding),
        "reverse": _reverse(view, finding),
        "transfer": _transfer(view, finding),
        "repairs": repairs_of(view, finding),
        "command": row["command"] or view.command,
    }


def tested(finding: FindingView) -> bool:
    """Whether there was an input to test it on."""
    return bool(finding.row["cases"]) and finding.row["rate"] is not None


def _source(finding: FindingView, view: AuditView) -> str:
    source = finding.row["source"]
    return view.nouns.items if not source or source == "any other class" else f"{view.nouns.items} of {source}"


def _figures(view: AuditView, finding: FindingView) -> list[dict[str, Any]]:
    row = finding.row
    if not tested(finding):
        return []
    return cells.figures(
        (f"{view.nouns.items} turned", "case", row["turned"], f"of {words.count(row['cases'])}"),
        ("turned by the control", "control", words.share(row["control"]), ""),
        ("difference", "points", points(row["difference"]), ""),
        ("q", "q", words.probability(row["q"]), ""),
    )


def _rates(view: AuditView, finding: FindingView) -> list[Rate]:
    row = finding.row
    if not tested(finding):
        return []
    return [
        Rate(row["how"] or f"{finding.concept} put in", row["rate"], row["low"], row["high"]),
        Rate("control", row["control"], row["control_low"], row["control_high"], row["control_how"] or "", style="two"),
    ]


def _sure(view: AuditView, finding: FindingView) -> list[str]:
    row = finding.row
    if not tested(finding):
        return [full_stop(row["problem"] or f"No {view.nouns.item} could be changed, so nothing was tested")]
    said = [
        f"{words.plural(row['cases'], view.nouns.item)} that the network answered rightly "
        f"({_source(finding, view)}) were shown again with one change: {row['how'] or finding.concept}. "
        f"{words.count(row['turned'])} of them, {words.share(row['rate'])}{between(row['low'], row['high'])}, "
        f"were then answered “{finding.target}”."
    ]
    if row["control"] is not None:
        how = f" ({row['control_how']})" if row["control_how"] else ""
        said.append(
            f"Any change may confuse a network, so the same was done with something else{how}: that turned "
            f"{words.share(row['control'])}{between(row['control_low'], row['control_high'])}."
        )
    area = _area(view, row)
    return [*said, *([area] if area else []), *_difference(row), _reason(view, finding)]


def _area(view: AuditView, row: Row) -> str:
    if row["changed"] is None:
        return ""
    beside = "" if row["control_changed"] is None else f"; the control's covers {words.share(row['control_changed'])}"
    return f"The change covers {words.share(row['changed'])} of the {view.nouns.item}{beside}."


def _difference(row: Row) -> list[str]:
    if row["difference"] is None:
        return []
    spread = points_between(row["difference_low"], row["difference_high"])
    said = f"The difference is {points(row['difference'])}" + (f" (95\u00a0% interval {spread})" if spread else "")
    if row["p"] is not None:
        said += f"; chance alone makes one as large {words.odds(row['p'])}"
    corrected = "" if row["q"] is None else f" Corrected for all suspects that were tried, q = " \
        f"{words.probability(row['q'])}."  # fmt: skip
    return [f"{said}.{corrected}"]


def _reason(view: AuditView, finding: FindingView) -> str:
    """Why the verdict is what it is, from the numbers that decide."""
    row, bar = finding.row, view.settings.get("bar")
    enough = "large enough to matter" if bar is None else f"at least {100 * bar:.0f} points"
    if finding.verdict == "proved":
        return (
            f"So it is proved: the difference is {enough}, its interval lies above 0, and q is no larger than "
            f"{view.fdr:g}."
        )
    if finding.verdict == "refuted":
        least = "what would matter" if bar is None else f"the {100 * bar:.0f} points that would matter"
        return f"So it is refuted: even the upper end of the interval lies below {least}."
    why = "too few of them, or the difference lies in between"
    if row["difference_low"] is not None and row["difference_low"] <= 0:
        why = "the interval of the difference reaches down to nothing, so it may be luck"
    elif row["q"] is not None and row["q"] > view.fdr:
        why = f"among so many suspects a difference like this may be luck (q is above {view.fdr:g})"
    return f"So it stays open: {why}. With more {view.nouns.items} it could be decided."


def _path(finding: FindingView) -> Mapping[str, Any] | None:
    """Class <- unit <- formula, with how much of the margin's growth each carries."""
    if not finding.parts:
        return None
    rows = signed_bars(finding.parts, "margin")
    largest = max((row["margin"] for row in finding.parts if row["margin"] is not None), default=0.0)
    steps = [
        {**each, "title": title_of(each["row"]), "whole": largest if largest > 0 else None} for each in rows
    ]  # fmt: skip
    return {"first": steps[:PATH_OPEN], "more": steps[PATH_OPEN:], "cut": any(row["cut"] for row in finding.parts)}


def _without(view: AuditView, finding: FindingView) -> Mapping[str, Any] | None:
    row = finding.row
    if row["without"] is None:
        return None
    carriers = [str(title) for title in row["carriers"] or ()]
    count = view.parts(len(carriers)) if carriers else f"{view.part}s"
    bars = [
        Rate("nothing cut", row["rate"], row["low"], row["high"]),
        Rate(f"the first carrier alone cut{f' ({carriers[0]})' if carriers else ''}", row["without_first"],
             row["without_first_low"], row["without_first_high"], style="three") if len(carriers) > 1 else None,
        Rate(f"{'all ' if len(carriers) > 1 else ''}{count} cut", row["without"], row["without_low"],
             row["without_high"], style="three"),
        Rate("the direction erased", row["without_direction"], row["without_direction_low"],
             row["without_direction_high"], style="three"),
        Rate(f"{count} at random cut", row["without_random"], row["without_random_low"], row["without_random_high"],
             note="control of like mass", style="two"),
    ]  # fmt: skip
    return {
        "bars": [bar for bar in bars if bar is not None and bar.value is not None],
        "sentences": _cut_sentences(view, row, carriers, count), "carriers": carriers,
    }  # fmt: skip


def _cut_sentences(view: AuditView, row: Row, carriers: list[str], count: str) -> list[str]:
    said = (
        f"With {count} cut, the answer turns in {words.share(row['without'])}"
        f"{between(row['without_low'], row['without_high'])} instead of {words.share(row['rate'])}"
    )
    if row["without_random"] is not None:
        said += f"; with as many {view.part}s at random it is {words.share(row['without_random'])}"
    found = [f"{said}."]
    if row["carried"] is not None:
        found.append(
            f"On other {view.nouns.items}, {'it' if len(carriers) == 1 else 'they'} made up "
            f"{words.share(row['carried'])} of what the change added to the new answer."
        )
    if row["still_right"] is not None:
        found.append(
            f"Of the unchanged {view.nouns.items}, {words.share(row['still_right'])}"
            f"{between(row['still_right_low'], row['still_right_high'])} are still answered rightly without them."
        )
    return found


def _reverse(view: AuditView, finding: FindingView) -> Mapping[str, Any] | None:
    row = finding.row
    if row["reverse"] is None:
        return None
    shown = f"{view.items(row['reverse_cases'])} of {finding.target}"
    spread = points_between(row["reverse_difference_low"], row["reverse_difference_high"])
    said = (
        f"The other way round: in {shown} that show it the concept was taken out "
        f"({row['reverse_how'] or finding.concept}). {words.share(row['reverse'])}"
        f"{between(row['reverse_low'], row['reverse_high'])} lost their right answer"
    )
    if row["reverse_control"] is not None:
        said += f", against {words.share(row['reverse_control'])} with the control"
    found = [f"{said}."]
    if row["reverse_difference"] is not None:
        p = "" if row["reverse_p"] is None else f", p = {words.probability(row['reverse_p'])}"
        inside = "; ".join(part for part in (f"95\u00a0% interval {spread}" if spread else "",) if part)
        tail = f" ({inside}{p})" if inside else p
        found.append(f"The difference is {points(row['reverse_difference'])}{tail}. {_needed(row)}".strip())
    bars = [
        Rate(row["reverse_how"] or "taken out", row["reverse"], row["reverse_low"], row["reverse_high"]),
        Rate("control", row["reverse_control"], style="two"),
    ]
    return {"sentences": found, "bars": [bar for bar in bars if bar.value is not None]}


def _needed(row: Row) -> str:
    low, high = row["reverse_difference_low"], row["reverse_difference_high"]
    if low is None or high is None:
        return ""
    if low > 0:
        return "So the class needs it, too."
    if high < 0:
        return "So the control does more harm than taking it out."
    return "So it cannot be told whether the class needs it."


def _transfer(view: AuditView, finding: FindingView) -> cells.Sheet | None:
    if not finding.transfer:
        return None
    columns = (
        ("model", False), ("turned", True), ("95 % interval", True), ("control", True), ("difference", True),
        ("95 % interval", True), ("p", True), (view.nouns.items, True),
    )  # fmt: skip
    lines = [_transferred(row) for row in finding.transfer]
    return cells.Sheet("transfer", f"The same {view.nouns.items} shown to other models", columns, lines, most=20)


def _transferred(row: Row) -> list[cells.Cell]:
    if row["rate"] is None:
        why = "no answer of this class, or none right before"
        rest = [cells.Cell(words.MISSING, num=True)] * 6
        return [cells.Cell(str(row["model"]), row["model"]), cells.Cell(why, quiet=True), *rest]
    spread = Rate("", row["rate"], row["low"], row["high"]).interval or words.MISSING
    difference = points_between(row["difference_low"], row["difference_high"]) or words.MISSING
    return [
        cells.Cell(str(row["model"]), row["model"]), cells.share(row["rate"], whole=1.0, notch=row["control"]),
        cells.Cell(spread, row["low"], num=True), cells.share(row["control"]),
        cells.Cell(points(row["difference"]), row["difference"], num=True),
        cells.Cell(difference, row["difference_low"], num=True),
        cells.number(words.probability(row["p"]), row["p"]), cells.number(words.count(row["cases"]), row["cases"]),
    ]  # fmt: skip
