"""The cases of a finding: pictures before and after with their heat, or texts with what was edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from microtome.report import words
from microtome.report.audit.common import full_stop
from microtome.report.audit.view import FindingView, Row
from microtome.report.decompose.cells import SPRITE_COLUMNS
from microtome.report.parts.passages import Piece
from microtome.report.parts.rewording import changed

SIDES = ("premise", "hypothesis")
STAGES = (("tile", "before"), ("tile_after", "after"), ("heat_tile", "heat"))


def cases_of(finding: FindingView, root: str) -> Mapping[str, Any] | None:
    """Cases in which the answer turned, and those in which it did not."""
    pictures = [(row["turned"], picture_case(row, root)) for row in finding.images if _drawn(row)]
    texts = [(row["turned"], text_case(row)) for row in finding.texts if row["text_after"] is not None]
    shown = [*pictures, *texts]
    if not shown:
        return None
    groups = [
        {"turned": turned, "title": title, "pictures": [case for way, case in pictures if bool(way) == turned],
         "texts": [case for way, case in texts if bool(way) == turned]}
        for turned, title in ((True, "The answer turned"), (False, "The answer did not turn"))
    ]  # fmt: skip
    return {
        "groups": [group for group in groups if group["pictures"] or group["texts"]],
        "heat": any(row["heat_tile"] is not None for row in finding.images),
        "inside": inside(finding.row),
        "shown": len(shown),
    }


def thumbnails(finding: FindingView, root: str) -> Mapping[str, Any] | None:
    """One case before and after, to stand beside the sentence: one that turned, where there is one."""
    rows = [row for row in finding.images if _drawn(row)]
    chosen = next((row for row in rows if row["turned"]), rows[0] if rows else None)
    return None if chosen is None else picture_case({**chosen, "heat_tile": None}, root)


def excerpt(finding: FindingView) -> Mapping[str, Any] | None:
    """One text before and after, likewise."""
    rows = [row for row in finding.texts if row["text_after"] is not None]
    chosen = next((row for row in rows if row["turned"]), rows[0] if rows else None)
    return None if chosen is None else text_case(chosen)


def _drawn(row: Row) -> bool:
    return row["sprite"] is not None and row["tile"] is not None


def picture_case(row: Row, root: str) -> Mapping[str, Any]:
    """A picture, what became of it, and where it hangs on what was put in; each with its words."""
    name = row["image"] or "an input"
    alts = {
        "before": f"{name} as it is" + (f", answered {row['before']}" if row["before"] else ""),
        "after": f"{name} after the change" + (f", answered {row['after']}" if row["after"] else ""),
        "heat": f"Heatmap of {name}: where a grey patch takes the new answer back",
    }
    return {
        "tiles": [
            {"stage": stage, "alt": alts[stage], "place": divmod(int(row[key]), SPRITE_COLUMNS)}
            for key, stage in STAGES if row[key] is not None
        ],
        "sprite": root + quote(row["sprite"]), "image": row["image"], **_answers(row),
    }  # fmt: skip


def text_case(row: Row) -> Mapping[str, Any]:
    """The two texts of a pair, or the one there is, with the words that were taken out and put in."""
    name = row["side"] or ""
    before, after = row["text_before"] or "", row["text_after"]
    edited = {"name": name, **changed(before, after)}
    if before == after:
        edited["before"] = []
    sides: list[dict[str, Any]] = [edited]
    if row["other"]:
        rest = {"name": SIDES[name == SIDES[0]], "before": [], "after": [Piece(row["other"])]}
        sides = [edited, rest] if name == SIDES[0] else [rest, edited]
    return {"sides": sides, "image": row["image"], **_answers(row)}


def _answers(row: Row) -> dict[str, Any]:
    return {"label": row["label"], "before": row["before"], "after": row["after"], "turned": row["turned"]}


def inside(row: Row) -> str:
    """How much of the heat lies on what was put in; empty where that is not known."""
    share, area = row["heat_inside"], row["heat_area"]
    if share is None:
        return ""
    covers = "" if area is None else f", which covers {words.share(area)} of the image"
    return full_stop(f"{words.share(share)} of the warm heat lies on what was put in{covers}")


def first_picture(rows: Sequence[Row], root: str) -> Mapping[str, Any] | None:
    """The picture of the one input of an explanation."""
    row = next((row for row in rows if _drawn(row)), None)
    if row is None:
        return None
    shown = picture_case(row, root)
    name = row["image"] or "the input"
    alts = {"before": str(name), "heat": f"Heatmap of {name}: where a grey patch takes the answer away"}
    tiles = [{**tile, "alt": alts.get(tile["stage"], tile["alt"])} for tile in shown["tiles"]]
    return {**shown, "tiles": tiles}
