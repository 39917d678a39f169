"""Markdown pages of runs: every number and picture on them is read from the run folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from microtome.recipes.result import Dissection
from tests.real.page_parts import (
    Sections,
    best_units,
    elements_of,
    is_text,
    items_of,
    label_of,
    number,
    small,
    table,
)
from tests.real.real_run import RealRun
from tests.real.text_pages import text_sections

BEST, TILES = 20, 5
TILE, SHOWN = 112, 84
QUALITY = 72


def write_page(run: RealRun, result: Dissection, out: Path, *, pictures: bool) -> None:
    """The page of one run, `out/NAME.md`, with strips of pictures in `out/NAME/`."""
    out.mkdir(parents=True, exist_ok=True)
    own = text_sections(result) if is_text(result) else _picture_sections(run, result, out, pictures=pictures)
    parts = (f"# {run.title}", run.about, _command(result), _counts(result), *own.before)
    parts += (_lengths(result), _chance(result), *own.after, _notes(run, result))
    text = "\n\n".join(part for part in parts if part)
    (out / f"{run.name}.md").write_text(text + "\n", encoding="utf-8")


def write_index(results: Sequence[tuple[RealRun, Dissection]], out: Path) -> None:
    """`out/README.md`: a row per run."""
    rows = [
        (
            f"[{run.title}]({run.name}.md)", summary["units"], summary["named"], summary["not_named"],
            summary["silent"], summary["distinct_concepts"], label, number(score), number(chance),
        )
        for run, result in results
        for summary, label, (score, chance) in [(result.manifest["summary"], label_of(result), _means(result))]
    ]  # fmt: skip
    heads = ("run", "units", "named", "not named", "silent", "concepts in names", "measure", "held out", "by chance")
    text = "\n\n".join((
        "# What microtome says of real networks",
        "Each page is written by `make results` from a run folder (`runs/results/NAME`, which also holds the report "
        "for the browser) and from nothing else. The data are no part of the repository; `$MICROTOME_SHARED` says "
        "where they are.",
        table(heads, rows),
        "*Named*: the formula's score on held-out items beats what the same search finds by chance, with at most 5 % "
        "of all names expected to be false. *Held out* and *by chance* are means over all units that have a formula, "
        "named or not. *By chance* is, for each unit, the mean of the null that sets the higher bar: activations "
        "against the labels of other images or texts, or, for formulas that say where, moved around within their own.",
        "The shipped CLIP, split into heads, patches and neurons, on the planted world: "
        "[world-clip.md](world-clip.md).",
        "SqueezeNet 1.1 audited: what twenty classes lean on, with segments of street scenes pasted into ImageNet's "
        "pictures: [squeezenet-audit.md](squeezenet-audit.md).",
        "Ten small networks whose shortcuts are known, audited: [audit-world.md](audit-world.md), made by "
        "`python -m benchmarks.audit_world`.",
        "    make results",
    ))  # fmt: skip
    (out / "README.md").write_text(text + "\n", encoding="utf-8")


def _means(result: Dissection) -> tuple[float | None, float | None]:
    row = result.query("select avg(score_heldout) score, avg(chance) chance from units where formula is not null")
    return row.to_pylist()[0]["score"], row.to_pylist()[0]["chance"]


def _command(result: Dissection) -> str:
    lines: list[str] = []
    for word in result.manifest["command"]:
        if lines and not (word.startswith("--") and len(lines[-1]) > 60):
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}" if not lines else f"        {word}")
    return " \\\n".join(lines)


def _counts(result: Dissection) -> str:
    manifest, summary = result.manifest, result.manifest["summary"]
    elements, settings = manifest["elements"], manifest["settings"]
    items, kind = items_of(result), elements_of(result)
    heldout = manifest["heldout"]
    images = (
        f"{manifest['data']['images']}, a random half to search on and the other held out"
        if heldout is None
        else f"{manifest['data']['images']} to search on, {heldout['images']} held out"
    )
    largest = result.query("select max(fdr) q, max(p) p from units where named").to_pylist()[0]
    rows: list[tuple[object, ...]] = [
        ("units", summary["units"]),
        ("named", f"{summary['named']} ({summary['named'] / max(summary['units'], 1):.0%})"),
        ("not named", summary["not_named"]),
        ("silent", summary["silent"]),
        ("concepts in names", summary["distinct_concepts"]),
        ("false-discovery rate allowed", f"{settings['fdr']:.0%}"),
        ("largest p and false-discovery rate of a name", f"{small(largest['p'])}, {small(largest['q'])}"),
        (items, images),
        (f"{kind} searched, held out", f"{elements['search']:,}, {elements['heldout']:,}"),
        ("distinct sets of concepts (signatures)", f"{elements['signatures']:,}"),
        ("search", f"{settings['method']}, by {label_of(result)}, up to {settings['max_length']} concepts"),
        ("share of activations that count as active", _active(settings)),
    ]
    if summary["accuracy"] is not None:
        rows.append((f"accuracy of the network on these {items}", f"{summary['accuracy']:.1%}"))
    return "## Outcome\n\n" + table(("", ""), rows)


def _active(settings: dict[str, Any]) -> object:
    return "all above 0" if settings.get("active") == "positive" else settings["quantile"]


def _lengths(result: Dissection) -> str:
    label, beam = label_of(result), result.manifest["summary"]["beam"]
    rows = result.query(
        "select length, avg(score) searched, avg(score_heldout) heldout, avg(chance) chance from explanations "
        "group by length order by length"
    ).to_pylist()
    text = table(
        ("concepts, at most", f"mean {label} searched", "held out", "by chance"),
        [(row["length"], *(number(row[key]) for key in ("searched", "heldout", "chance"))) for row in rows],
    )
    if not beam["searched"]:
        return f"## {label} against length\n\n{text}\n\nA beam search; nothing is proved about better formulas."
    proved = result.manifest["settings"].get("exact_length", 3)
    shorter = proved < result.manifest["settings"]["max_length"]
    which = f"of up to {proved} concepts" if shorter else "of each length"
    longer = "; longer ones are what a beam found that started from them" if shorter else ""
    return (
        f"## {label} against length\n\n{text}\n\nThe formulas {which} are provably the best{longer}. A beam of width "
        f"{result.manifest['settings']['beam']} would have missed the best one of {beam['beam_not_optimal_full']} of "
        f"{beam['searched']} units, and the best that a beam could write at all of {beam['beam_not_optimal_own']}."
    )


def _chance(result: Dissection) -> str:
    label, settings = label_of(result), result.manifest["settings"]
    rows = result.query(
        "select kind, count(*) draws, avg(iou_heldout) mean, quantile_cont(iou_heldout, 0.5) middle, "
        "quantile_cont(iou_heldout, 0.95) high, quantile_cont(iou_heldout, 0.99) top "
        "from chance group by kind order by kind"
    ).to_pylist()
    draws = table(
        ("null", "draws over all units", f"mean {label}", "median", "95 % of draws below", "99 % below"),
        [(row["kind"], f"{row['draws']:,}", *(number(row[k]) for k in ("mean", "middle", "high", "top")))
         for row in rows],
    )  # fmt: skip
    return (
        f"## What chance gives\n\nThe same search with activations and {items_of(result)} re-paired "
        f"{settings['permutations']} times{_shift_text(rows, result)}.\n\n{draws}\n\n{_honest(result)}"
    )


def _shift_text(rows: Iterable[dict[str, Any]], result: Dissection) -> str:
    if "shifted" not in {row["kind"] for row in rows}:
        return ""
    if is_text(result):
        return ", and with each text's activations moved along the text"
    return ", and with each map moved around within its own image"


def _honest(result: Dissection) -> str:
    """Where chance and names meet, in numbers of this run."""
    summary, settings = result.manifest["summary"], result.manifest["settings"]
    row = result.query(
        "select (select count(*) from units where score_heldout <= chance) below, "
        "(select min(score_heldout) from units where named) lowest, "
        "(select count(*) from units where score_heldout > chance and not named) unsure"
    ).to_pylist()[0]
    parts = [
        f"{row['below']} of {summary['units']} units score no better than their mean by chance; {row['unsure']} score "
        "better, but not by enough to be named."
    ]
    if summary["named"]:
        share = result.query(
            f"select avg((iou_heldout >= {float(row['lowest'])!r})::int) share from chance where kind = 're-paired'"
        ).to_pylist()[0]["share"]
        parts.append(
            f"Of the {summary['named']} names up to {settings['fdr'] * summary['named']:.1f} are expected to be false, "
            f"by the rate allowed. A score alone names nothing: the lowest that is named is {number(row['lowest'])}, "
            f"and {share:.1%} of the re-paired draws, of any unit, reach that."
        )
    parts.append(_own_chance(result))
    return " ".join(parts)


def _own_chance(result: Dissection) -> str:
    rows = result.query(
        "select any_value(score_heldout) score, max(chance.iou_heldout) highest, count(*) draws "
        "from units join chance using (unit, range) group by unit, range"
    ).to_pylist()
    above = sum(row["score"] > row["highest"] for row in rows)
    luck = sum(1 / (row["draws"] + 1) for row in rows)
    fewest, most = min(row["draws"] for row in rows), max(row["draws"] for row in rows)
    draws = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return (
        f"Against its own draws alone ({draws} a unit, of all kinds), a unit that follows nothing would stand above "
        f"every one of them by luck in at most {luck:.0f} of {len(rows)} cases; {above} do."
    )


def _picture_sections(run: RealRun, result: Dissection, out: Path, *, pictures: bool) -> Sections:
    best = best_units(result, BEST)
    strips = _write_strips(result, [row["unit"] for row in best], out / run.name) if pictures else {}
    return Sections((), (_table_of_best(run, result, best, strips),))


def _table_of_best(run: RealRun, result: Dissection, best: Sequence[dict[str, Any]], strips: dict[int, str]) -> str:
    if not best:
        return "## The best named units\n\nNone is named."
    label = label_of(result)
    heads = ("unit", "fires on", f"{label} searched", "held out", "by chance", "p", *(("highest",) if strips else ()))
    rows = [
        (
            row["unit"], row["words"], *(number(row[k]) for k in ("score", "score_heldout", "chance")),
            small(row["p"]),
            *((f"![unit {row['unit']}]({run.name}/{strips[row['unit']]})",) if strips else ()),
        )
        for row in best
    ]  # fmt: skip
    masked = result.manifest["elements"]["kind"] == "pixel"
    legend = (
        "\n\nPictures: those that the unit is highest on. Bright, inside the yellow line: the unit fires. Dashed blue: "
        "the formula holds."
        if strips and masked
        else "\n\nPictures: those that the unit is highest on." if strips else ""
    )  # fmt: skip
    return f"## The best {len(best)} named units\n\n{table(heads, rows)}{legend}"


def _notes(run: RealRun, result: Dissection) -> str:
    notes = dict.fromkeys(result.manifest["notes"])
    return "## Notes\n\n" + "\n".join(f"- {note}" for note in (*notes, run.credit))


def _write_strips(result: Dissection, units: Sequence[int], folder: Path) -> dict[int, str]:
    """The first tiles of each unit, side by side; pictures of earlier runs are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    rows = result.query(
        "select unit, sprite, tile from exemplars where kind = 'top' and sprite is not null order by unit, rank"
    ).to_pylist()
    names: dict[int, str] = {}
    for unit in units:
        mine = [row for row in rows if row["unit"] == unit][:TILES]
        with Image.open(result.path / mine[0]["sprite"]) as sheet:
            columns = sheet.width // TILE
            tiles = [_tile(sheet, row["tile"], columns) for row in mine]
        names[unit] = f"{unit:05d}.jpg"
        Image.fromarray(np.concatenate(tiles, axis=1)).save(folder / names[unit], quality=QUALITY, optimize=True)
    return names


def _tile(sheet: Image.Image, tile: int, columns: int) -> np.ndarray:
    row, column = divmod(tile, columns)
    box = (column * TILE, row * TILE, (column + 1) * TILE, (row + 1) * TILE)
    return np.asarray(sheet.crop(box).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))
