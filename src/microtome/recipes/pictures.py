"""The pictures of a run: a sprite of tiles for each unit, sheets of thumbnails, and the table that names them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from microtome.recipes.exemplars import Exemplar
from microtome.recipes.search_units import UnitSearch
from microtome.recipes.unit_tables import class_name
from microtome.recipes.verdicts import Judged
from microtome.record.one_pass import Progress
from microtome.record.recording import Recording
from microtome.report.tiles import draw_tile, sprite
from microtome.store.atomic import write_atomically

TILE, COLUMNS = 112, 12
THUMB, THUMB_COLUMNS, THUMBS = 56, 8, 64


@dataclass(frozen=True)
class Answers:
    """What the tables say of an image: class names of the data and of the model, and 1, 0 or -1 for right."""

    classes: tuple[str, ...]
    answers: tuple[str, ...]
    right: np.ndarray

    def of(self, recording: Recording, image: int) -> dict[str, Any]:
        """label, predicted, right."""
        return {
            "label": class_name(self.classes, int(recording.labels[image])),
            "predicted": class_name(self.answers, int(recording.answers[image])),
            "right": None if self.right[image] < 0 else bool(self.right[image]),
        }


def write_pictures(
    search: UnitSearch, judged: list[Judged], folder: Path, *, answers: Answers, progress: Progress
) -> list[dict[str, Any]]:
    """Write images/ below `folder`; returns the rows of the table `exemplars`."""
    by_unit: dict[int, list[Judged]] = {}
    for one in judged:
        by_unit.setdefault(one.result.slot.place, []).append(one)
    rows: list[dict[str, Any]] = []
    thumbs: dict[int, np.ndarray] = {}

    def draw(slots: list[Judged]) -> tuple[list[dict[str, Any]], np.ndarray | None]:
        return _draw_unit(search, slots, folder, answers)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        drawn = pool.map(draw, by_unit.values())
        for done, (place, (more, thumb)) in enumerate(zip(by_unit, drawn, strict=True), start=1):
            rows += more
            if thumb is not None:
                thumbs[search.recording.units[place]] = thumb
            progress("drawing", done, len(by_unit))
    _write_thumbs(folder, search.recording.units, thumbs)
    return rows


def _draw_unit(
    search: UnitSearch, slots: list[Judged], folder: Path, answers: Answers
) -> tuple[list[dict[str, Any]], np.ndarray | None]:
    """The sprite of one unit; returns its rows and its thumbnail."""
    recording = search.recording
    unit = recording.units[slots[0].result.slot.place]
    name, tiles, rows, thumb = f"images/units/{unit:05d}.jpg", [], [], None
    # The card of a unit shows its highest named range, else its highest: report.view.UnitView.lead.
    lead = max(slots, key=lambda one: (one.named, one.result.slot.range))
    for one in slots:
        formula_rows = None
        if one.result.explanations:
            formula_rows = search.heldout.holds(one.result.explanations[one.result.chosen].formula)
        for exemplar in one.result.exemplars:
            image = exemplar.image
            pixels = recording.thumbnail(image)
            unit_mask, formula_mask = _masks(recording, exemplar, formula_rows)
            if one is lead and exemplar.kind == "top" and exemplar.rank == 0:
                thumb = draw_tile(pixels, unit_mask, None, size=THUMB)
            rows.append({
                "unit": unit, "range": one.result.slot.range, "kind": exemplar.kind, "rank": exemplar.rank,
                "image": recording.items.key(image),
                "split": "heldout" if recording.items.heldout[image] else "search",
                "value": exemplar.value, "row": exemplar.cell // recording.map_shape[1],
                "col": exemplar.cell % recording.map_shape[1], "iou": exemplar.iou,
                **answers.of(recording, image), "sprite": name, "tile": len(tiles),
            })  # fmt: skip
            tiles.append(draw_tile(pixels, unit_mask, formula_mask, size=TILE))
    if tiles:
        _save(folder / name, sprite(tiles, columns=COLUMNS))
    return rows, thumb


def _masks(recording: Recording, exemplar: Exemplar, formula_rows: np.ndarray | None) -> tuple[Any, Any]:
    """Unit mask and formula mask of one image; none for image-level elements."""
    if recording.elements == 1:
        return None, None
    unit_mask = np.unpackbits(exemplar.active, count=recording.elements).astype(bool)
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
