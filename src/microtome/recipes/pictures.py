"""The pictures of a run: a sprite of tiles for each unit, sheets of thumbnails, and the table that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from microtome.recipes.search_units import UnitSearch
from microtome.recipes.unit_tables import class_name
from microtome.recipes.verdicts import Judged
from microtome.record.one_pass import Progress
from microtome.record.recording import Recording
from microtome.report.tiles import draw_tile, sprite
from microtome.store.atomic import write_atomically

TILE, COLUMNS = 112, 12
THUMB, THUMB_COLUMNS, THUMBS = 56, 8, 64


def write_pictures(
    search: UnitSearch, judged: list[Judged], folder: Path, *, classes: tuple[str, ...],
    answers: tuple[str, ...], right: np.ndarray, progress: Progress,
) -> list[dict[str, Any]]:  # fmt: skip
    """Write images/ below `folder`; returns the rows of the table `exemplars`.

    Parameters
    ----------
    classes, answers:
        Class names of the data and of the model's outputs.
    right:
        1, 0 or -1 (unknown) for each image.
    """
    recording = search.recording
    rows: list[dict[str, Any]] = []
    by_unit: dict[int, list[Judged]] = {}
    for one in judged:
        by_unit.setdefault(one.result.slot.place, []).append(one)
    thumbs: dict[int, np.ndarray] = {}
    for done, (place, slots) in enumerate(by_unit.items(), start=1):
        unit, tiles = recording.units[place], []
        name = f"images/units/{unit:05d}.jpg"
        # The card of a unit shows its highest named range, else its highest: report.view.UnitView.lead.
        lead = max(slots, key=lambda one: (one.named, one.result.slot.range))
        for one in slots:
            formula_rows = None
            if one.result.explanations:
                formula_rows = search.heldout.holds(one.result.explanations[one.result.chosen].formula)
            for exemplar in one.result.exemplars:
                pixels = recording.thumbnail(exemplar.image)
                unit_mask, formula_mask = _masks(recording, exemplar, formula_rows)
                if one is lead and exemplar.kind == "top" and exemplar.rank == 0:
                    thumbs[unit] = draw_tile(pixels, unit_mask, None, size=THUMB)
                i = exemplar.image
                rows.append({
                    "unit": unit, "range": one.result.slot.range, "kind": exemplar.kind, "rank": exemplar.rank,
                    "image": recording.images.key(i),
                    "split": "heldout" if recording.images.heldout[i] else "search",
                    "value": exemplar.value, "row": exemplar.cell // recording.map_shape[1],
                    "col": exemplar.cell % recording.map_shape[1], "iou": exemplar.iou,
                    "label": class_name(classes, int(recording.labels[i])),
                    "predicted": class_name(answers, int(recording.answers[i])),
                    "right": None if right[i] < 0 else bool(right[i]), "sprite": name, "tile": len(tiles),
                })  # fmt: skip
                tiles.append(draw_tile(pixels, unit_mask, formula_mask, size=TILE))
        if tiles:
            _save(folder / name, sprite(tiles, columns=COLUMNS))
        progress("drawing", done, len(by_unit))
    _write_thumbs(folder, recording.units, thumbs)
    return rows


def _masks(recording: Recording, exemplar: Any, formula_rows: np.ndarray | None) -> tuple[Any, Any]:
    """Unit mask and formula mask of one image; none for image-level elements."""
    if recording.elements == 1:
        return None, None
    unit_mask = np.zeros(recording.elements, bool)
    unit_mask[exemplar.active] = True
    if formula_rows is None:
        return unit_mask.reshape(recording.grid), None
    start = exemplar.image * recording.elements
    signature = recording.maps[start : start + recording.elements]
    formula_mask = (signature >= 0) & formula_rows[signature]
    return unit_mask.reshape(recording.grid), formula_mask.reshape(recording.grid)


def _write_thumbs(folder: Path, units: tuple[int, ...], thumbs: dict[int, np.ndarray]) -> None:
    """Sheets of 64 thumbnails by unit index; a unit without a picture leaves a grey place."""
    empty = np.full((THUMB, THUMB, 3), 128, np.uint8)
    for sheet in range(max(units, default=-1) // THUMBS + 1):
        members = range(sheet * THUMBS, (sheet + 1) * THUMBS)
        if any(unit in thumbs for unit in members):
            tiles = [thumbs.get(unit, empty) for unit in members]
            _save(folder / f"images/thumbs/{sheet:03d}.jpg", sprite(tiles, columns=THUMB_COLUMNS))


def _save(path: Path, pixels: np.ndarray) -> None:
    picture = Image.fromarray(pixels)
    write_atomically(path, lambda temporary: picture.save(temporary, format="JPEG", quality=88))
