"""The page of a class: the parts that speak for it and against it, and the findings that concern it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microtome.report.audit.common import points, signed_bars, title_of
from microtome.report.audit.view import AuditView, FindingView, Row, findings_of
from microtome.report.decompose.common import slug

SIGNS = {"for": "Speak for it", "against": "Speak against it"}


@dataclass(frozen=True)
class ClassView:
    """One class.

    Attributes
    ----------
    title:
        Its name.
    slug:
        Its name, fit for a file; no two classes have the same.
    parts:
        Its rows of `class_parts`.
    findings:
        Suspects that speak for it, or that turn its inputs into another class.
    """

    title: str
    slug: str
    parts: tuple[Row, ...]
    findings: tuple[FindingView, ...]

    @property
    def name(self) -> str:
        """As links call it."""
        return self.title

    @property
    def page(self) -> str:
        """Its page, below the folder `report`."""
        return f"classes/{self.slug}.html"

    @property
    def first(self) -> Row | None:
        """The part that speaks for it most and has a name."""
        return next((row for row in self.parts if row["sign"] == "for" and row["words"]), None)

    @property
    def proved(self) -> int:
        """How many proved faults concern it."""
        return sum(finding.verdict == "proved" for finding in self.findings)


def classes_of(view: AuditView) -> tuple[ClassView, ...]:
    """All classes that the run has parts of, in its order."""
    parts: dict[str, list[Row]] = {}
    for row in view.rows("class_parts"):
        if row["target"] is not None:
            parts.setdefault(row["target"], []).append(row)
    found, taken = [], set()
    all_of = findings_of(view)
    for title, rows in parts.items():
        name = base = slug(title)
        number = 2
        while name in taken:
            name, number = f"{base}-{number}", number + 1
        taken.add(name)
        concern = tuple(f for f in all_of if title in (f.row["target"], f.row["source"]))
        rows.sort(key=lambda row: (row["sign"] != "for", row["rank"] or 0))
        found.append(ClassView(title, name, tuple(rows), concern))
    return tuple(found)


def class_list(view: AuditView) -> Mapping[str, Any] | None:
    """Links to the classes, with what speaks for each most."""
    listed = classes_of(view)
    return {"classes": listed} if listed else None


def class_page(view: AuditView, one: ClassView) -> Mapping[str, Any]:
    """Everything that the template of a class's page needs."""
    bars = signed_bars(one.parts, "adds")
    shown = [
        {**bar, "title": title_of(bar["row"]), "change": points(bar["row"]["class_change"], digits=1)} for bar in bars
    ]
    groups = [
        {"sign": sign, "title": title, "bars": [bar for bar in shown if bar["row"]["sign"] == sign]}
        for sign, title in SIGNS.items()
    ]
    return {
        "one": one, "groups": [group for group in groups if group["bars"]],
        "changes": any(row["class_change"] is not None for row in one.parts),
        "weights": any(row["weight"] is not None for row in one.parts), "sentence": _sentence(view, one),
    }  # fmt: skip


def _sentence(view: AuditView, one: ClassView) -> str:
    lead = one.first
    if lead is None:
        return f"No named {view.part} speaks for {one.title}."
    against = next((row for row in one.parts if row["sign"] == "against" and row["words"]), None)
    said = f"Most for {one.title} speaks {title_of(lead)}, which {view.means} {lead['words']}"
    return f"{said}." if against is None else (
        f"{said}; most against it speaks {title_of(against)}, which {view.means} {against['words']}."
    )  # fmt: skip
