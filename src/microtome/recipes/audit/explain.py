"""Explain one input: which units fire on it, what they stand for, what each adds, and what the answer becomes without.

run -> model as the run had it -> one forward pass -> each firing unit, each direction cut alone -> tables -> page
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from microtome._version import __version__
from microtome.core.errors import MicrotomeError, ModelError, RunError
from microtome.data.files import read_rgb
from microtome.models.load import load
from microtome.models.model import Model
from microtome.models.trace import trace
from microtome.recipes.audit.detectors import units_of
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.unit_model import Held, UnitModel
from microtome.recipes.audit.weighed import Weighed, kept_directions, peaks_of
from microtome.recipes.manifest import versions
from microtome.recipes.result import Dissection
from microtome.recipes.sheets import Sheet
from microtome.record.image_feed import unit_maps
from microtome.report.tiles import draw_tile
from microtome.store.run import RunDraft, read_manifest
from microtome.store.tables import make_table

Row = dict[str, Any]
SHOWN = 24
"""Units that are shown: those that fire, by what they add or take away."""


def explain_image(
    image: Path | str,
    run: Dissection | Audit | Path | str,
    *,
    model: Model | str | None = None,
    out: Path | str = "runs/explain",
    overwrite: bool = False,
    command: Sequence[str] = (),
) -> Audit:
    """Explain the model's answer to one image by the named units of a dissection.

    Parameters
    ----------
    image:
        A picture file.
    run:
        A dissection of images, or an audit of units: then the directions that it weighed are explained too.
    model:
        Where it is not found as the run names it; must be the model of the run.
    out:
        The run folder to write.

    Returns
    -------
    The finished run; its table `explained_parts` has a row a unit.

    Raises
    ------
    MicrotomeError
        If image, run or model cannot be used; nothing is left at `out`.
    """
    found, audited = opened_run(run)
    loaded = _model_of(found, model)
    pixels = loaded.preprocess.cropped(read_rgb(Path(image)))
    names, detectors = units_of(found)
    layer = str(found.manifest["model"]["layer"])
    asked = UnitModel(loaded, layer, names, detectors)
    held = asked.read([pixels])
    means = _mean_of(found)
    asked.centre(np.array([means.get(unit, 0.0) for unit in range(asked.site.units)]))
    weighed = () if audited is None else kept_directions(audited, asked)
    rows = explained_rows(found, asked, held, _peaks(asked, pixels))
    rows += direction_rows(asked, weighed, held, peaks_of(asked, weighed, [pixels])[0], first=len(rows))
    top = _top(asked, held)
    plan = {"microtome": __version__, "kind": "explain", "image": str(image), "model": loaded.fingerprint()}
    draft = RunDraft(Path(out), plan=plan, overwrite=overwrite)
    try:
        sheet = Sheet(draft.folder, "images/input.jpg")
        picture: Row = {
            "number": 0, "place": 0, "image": Path(image).name, "before": top[0][0], "sprite": sheet.name,
            "tile": sheet.add(draw_tile(pixels)),
        }  # fmt: skip
        sheet.save()
        draft.table("explained_parts", make_table("explained_parts", rows))
        draft.table("finding_images", make_table("finding_images", [picture]))
        draft.manifest(_manifest(found, audited or found.path, loaded, Path(image), top, rows, command))
        from microtome.report.pages import write_report

        write_report(draft.folder)
        return Audit(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def explained_rows(run: Dissection, asked: UnitModel, held: Held, peaks: np.ndarray) -> list[Row]:
    """Rows of `explained_parts`: units that fire first, by how much they add to the answer or take from it."""
    answer = int(held.logits[0].argmax())
    low = {int(row["unit"]): float(row["low"]) for row in run.units.to_pylist() if row["low"] is not None}
    adds = asked.speaks(held, np.array([answer]), answer)
    chance = _softmax(held.logits[0])[answer]
    fires = {unit: bool(peaks[unit] > bar) for unit, bar in low.items()}
    order = sorted(asked.names, key=lambda unit: (not fires.get(unit, False), -abs(adds[unit])))
    rows: list[Row] = []
    for rank, unit in enumerate(order[: max(SHOWN, sum(fires.values()))]):
        without = asked.answer(held, Change(parts=(unit,)))[0]
        rows.append({
            "rank": rank, **part_columns(asked.names[unit]), "fires": fires.get(unit, False), "value": peaks[unit],
            "adds": adds[unit], "without": class_label(asked.classes, int(without.argmax())),
            "without_change": _softmax(without)[answer] - chance,
        })  # fmt: skip
    return rows


def direction_rows(
    asked: UnitModel, weighed: Sequence[Weighed], held: Held, peaks: np.ndarray, *, first: int
) -> list[Row]:
    """Rows of `explained_parts` for directions, after the units."""
    if not weighed:
        return []
    answer = int(held.logits[0].argmax())
    chance = _softmax(held.logits[0])[answer]
    ways = np.stack([one.direction.vector for one in weighed])
    adds = asked.speaks_along(held, np.array([answer]), answer, ways)
    rows: list[Row] = []
    for place, one in enumerate(weighed):
        without = asked.answer(held, one.change)[0]
        rows.append({
            "rank": first + place, **part_columns(one.named), "fires": bool(peaks[place] > one.threshold),
            "value": float(peaks[place]), "adds": float(adds[place]),
            "without": class_label(asked.classes, int(without.argmax())),
            "without_change": _softmax(without)[answer] - chance,
        })  # fmt: skip
    return rows


def opened_run(run: Dissection | Audit | Path | str) -> tuple[Dissection, Path | None]:
    """The dissection that a run is or stands on, and the folder of the audit; None without one.

    Raises
    ------
    RunError
        If it is neither, or an audit of other parts than units of an image model.
    """
    if isinstance(run, Dissection):
        return _of_images(run), None
    path = run.path if isinstance(run, Audit) else Path(run)
    told = read_manifest(path)
    if told.get("kind") != "audit":
        return _of_images(Dissection(path)), None
    summary = told["summary"]
    if summary.get("part") in ("head", "neuron") or summary.get("item", "image") != "image":
        what = "texts" if summary.get("item", "image") != "image" else f"a CLIP-like model's {summary['part']}s"
        raise RunError(f"{path} is an audit of {what}.", expected="an audit of the units of an image model")
    named, created = Path(str(told["summary"].get("run", ""))), told["summary"].get("run_created")
    # As it was said to the audit, or else beside it, where the run was moved.
    places = [named, *([path.with_name(named.name)] if named.name else [])]
    found = next((place for place in places if _is_dissection(place, created)), None)
    if found is None:
        raise RunError(
            f"The audit {path} stands on {named}, which is no dissection that can be read.",
            expected="an audit of units of an image model, with its dissection where it was",
            next_step="name a run of `microtome dissect` with --run",
        )
    return _of_images(Dissection(found)), path


def _is_dissection(place: Path, created: str | None) -> bool:
    """Whether a run of `dissect` stands there; the one that was made at that time, where it is known."""
    if not (place / "manifest.json").is_file():
        return False
    told = read_manifest(place)
    return told.get("kind") == "dissect" and created in (None, told["created"])


def _of_images(run: Dissection) -> Dissection:
    if run.manifest.get("elements", {}).get("kind") not in ("pixel", "image"):
        raise RunError(f"{run.path} is no dissection of images.", expected="a run of `microtome dissect` on images")
    return run


def class_label(classes: Sequence[str], number: int) -> str:
    """A class by name, or its number where the model names none."""
    return classes[number] if number < len(classes) else str(number)


def _model_of(run: Dissection, model: Model | str | None) -> Model:
    told = run.manifest["model"]
    loaded = model if isinstance(model, Model) else load(model or told["spec"])
    if loaded.fingerprint() != told["sha256"]:
        raise ModelError(
            f"{loaded.spec} is not the model of this run: its weights are others.",
            expected=f"{told['spec']} as it was when the run was made",
            next_step="name the model with --model and --weights",
        )
    return loaded


def _mean_of(run: Dissection) -> dict[int, float]:
    return {int(row["unit"]): float(row["mean"] or 0.0) for row in run.units.to_pylist()}


def _peaks(asked: UnitModel, pixels: np.ndarray) -> np.ndarray:
    """Largest activation of each unit."""
    with torch.no_grad(), trace(asked.model, [asked.site.layer], stop=True) as cache:
        acts = cache.run(asked.model.preprocess([pixels]))[asked.site.layer]
    return unit_maps(acts, asked.site, pooled=True)[0, :, 0, 0].float().cpu().numpy()


def _top(asked: UnitModel, held: Held) -> list[list[Any]]:
    chance = _softmax(held.logits[0])
    order = np.argsort(-chance, kind="stable")[:3]
    return [[class_label(asked.classes, int(number)), float(chance[number])] for number in order]


def _softmax(logits: np.ndarray) -> np.ndarray:
    found = np.exp(logits - logits.max())
    return found / found.sum()


def _manifest(
    run: Dissection,
    given: Path,
    model: Model,
    image: Path,
    top: list[list[Any]],
    rows: list[Row],
    command: Sequence[str],
) -> dict[str, Any]:
    firing = [row for row in rows if row["fires"] and row["part"] is not None]
    turning = [row for row in firing if row["without"] != top[0][0]]
    sentences = [
        f"{model.spec} answers {top[0][0]} ({100 * top[0][1]:.0f} %).",
        f"{len(firing)} of {run.manifest['model']['units']} units fire on it.",
    ]
    if firing:
        first = max(firing, key=lambda row: row["adds"])
        named = f" ({first['words']})" if first["words"] else ""
        sentences.append(f"{first['title'].capitalize()}{named} adds most to that answer.")
    sentences.append(
        f"Without {', '.join(row['title'] for row in turning[:4])} the answer would be another."
        if turning
        else "Without any one of them the answer stays."
    )
    return {
        "kind": "explain", "command": list(command), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "seed": 0, "model": run.manifest["model"],
        "data": {"name": image.name, "images": 1}, "settings": {"run": str(given)},
        "summary": {"sentences": sentences, "top": top, "run": str(run.path), "part": "unit", "item": "image"},
        "notes": [
            "What a unit adds is its weight for the answer, less the mean over all classes, times its activation; "
            "where the model is not linear after the layer, its activation times the gradient. A unit is cut by "
            "setting it to its mean over the run's images. A direction adds what the part of the activations along it "
            "adds; it is cut by taking that part out, but for its mean."
        ],
    }  # fmt: skip
