"""The top of an audit's index: what was audited, the findings as sentences, which classes turn into which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microtome.report import words
from microtome.report.audit.common import points
from microtome.report.audit.pictures import excerpt, thumbnails
from microtome.report.audit.view import VERDICTS, AuditView, FindingView, Row, findings_of
from microtome.report.decompose import cells

OPEN = 6
"""Findings that are not proved and stand open; the rest is folded."""


def intro(view: AuditView) -> Mapping[str, Any]:
    """What was audited and what came out, in a line each."""
    findings = findings_of(view)
    tally = {verdict: sum(f.verdict == verdict for f in findings) for verdict in VERDICTS}
    own = {finding.sentence for finding in findings}
    summary = view.summary
    suspects = summary.get("suspects") or len(findings)
    figures = cells.figures(
        ("proved", "verdict", tally["proved"], f"of {words.plural(int(suspects), 'suspect')}"),
        ("not proved", "", tally["not proved"], ""),
        ("refuted", "", tally["refuted"], ""),
        ("mended", "repair", sum(bool(f.row["repaired"]) for f in findings) if _any_repairs(view) else None,
         f"of {tally['proved']}"),
        ("right answers", "", words.share(summary.get("accuracy")), ""),
    )  # fmt: skip
    return {
        "audited": _audited(view), "figures": figures, "suspects": int(suspects), "tally": tally,
        "sentences": [str(said) for said in summary.get("sentences") or [] if str(said) not in own],
    }  # fmt: skip


def _any_repairs(view: AuditView) -> bool:
    return bool(view.rows("repairs"))


def _audited(view: AuditView) -> str:
    images = view.summary.get("images") or view.manifest["data"].get("images")
    shown = view.items(int(images)) if images else view.nouns.items
    units = view.manifest["model"].get("units")
    taken = f", looked at through {view.parts(int(units))}" if units else ""
    layer = f" of {view.layer}" if units and view.layer else ""
    hosts = view.manifest.get("hosts")
    where = f"{shown} of {view.data}" if not hosts else f"{shown} of {hosts['name']}, with segments of {view.data}"
    return f"The classifier {view.model}{taken}{layer}, on {where}."


def findings(view: AuditView) -> Mapping[str, Any]:
    """All suspects as sentences, proved ones first with a picture."""
    all_of = findings_of(view)
    by = {verdict: [f for f in all_of if f.verdict == verdict] for verdict in VERDICTS}
    open_rows, refuted = by["not proved"], by["refuted"]
    return {
        "proved": [_card(finding) for finding in by["proved"]],
        "open": open_rows[:OPEN], "open_more": open_rows[OPEN:], "refuted": refuted,
        "none": _nothing(view, all_of) if not by["proved"] else "",
        "folded": bool(by["proved"]),
    }  # fmt: skip


def _card(finding: FindingView) -> Mapping[str, Any]:
    pictures = thumbnails(finding, "")
    return {"finding": finding, "pictures": pictures, "text": None if pictures else excerpt(finding)}


def _nothing(view: AuditView, found: Sequence[FindingView]) -> str:
    """What to say where no fault was proved."""
    if not found:
        return (
            f"No concept was suspect: none that the {view.part}s of this network detect goes with a class in a way "
            "that it should not. Concepts that nobody labelled cannot be found in this way."
        )
    refuted = sum(finding.verdict == "refuted" for finding in found)
    rest = len(found) - refuted
    return (
        f"No fault was proved. {words.plural(len(found), 'suspect')} "
        f"{'was' if len(found) == 1 else 'were'} put to the proof: {refuted} refuted, {rest} left open. Each is listed "
        "below with what was tried. This is no proof that the network has no fault."
    )


def _between(row: Row, prefix: str) -> cells.Cell:
    """`12 to 15`, in percent or points."""
    low, high = row[f"{prefix}low"], row[f"{prefix}high"]
    if low is None or high is None:
        return cells.Cell(words.MISSING, num=True)
    return cells.Cell(f"{100 * low:.0f} to {100 * high:.0f}", low, num=True)


def confusions(view: AuditView) -> Mapping[str, Any] | None:
    """Pairs of classes by how easily one becomes the other."""
    rows = sorted(
        (row for row in view.rows("confusions") if row["rate"] is not None),
        key=lambda row: (row["rank"] is None, row["rank"] or 0),
    )
    if not rows:
        return None
    columns = (
        ("from", False), ("to", False), ("by", False), ("turned", True), ("95 % interval", True), ("control", True),
        ("difference", True), ("95 % interval", True), (view.nouns.items, True),
    )  # fmt: skip
    lines = [
        [
            cells.Cell(str(row["source"] or words.MISSING), row["source"]),
            cells.Cell(str(row["target"] or words.MISSING), row["target"]),
            cells.Cell(str(row["words"] or row["concept"] or words.MISSING), row["words"]),
            cells.share(row["rate"], whole=1.0, notch=row["control"]), _between(row, ""), cells.share(row["control"]),
            cells.Cell(points(row["difference"]), row["difference"], num=True), _between(row, "difference_"),
            cells.number(words.count(row["cases"]), row["cases"]),
        ]
        for row in rows
    ]  # fmt: skip
    most = max((row["cases"] or 0 for row in rows), default=0)
    return {
        "sheet": cells.Sheet("confusions-sheet", "Which classes turn into which, easiest first", columns, lines),
        "first": rows[0], "few": most if 0 < most < 30 else 0,
    }  # fmt: skip
