"""A compact table of the best units, for notebooks: one self-contained piece of HTML."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from markupsafe import Markup, escape
from PIL import Image, UnidentifiedImageError

from microtome.report import words
from microtome.report.datafile import THUMBS_A_SHEET
from microtome.report.parts.common import formula_of, phrase
from microtome.report.view import RunView, UnitView, read_run

TILE = 56
COLUMNS = 8
CELL = "padding:4px 12px 4px 0;text-align:left;vertical-align:middle"


def notebook_view(run: Path, *, most: int = 10) -> str:
    """HTML for `_repr_html_`: how many units are named, and the best of them with their top image.

    Parameters
    ----------
    run:
        A run folder; only its tables and thumbnails are read.
    most:
        Number of units shown.

    Raises
    ------
    RunError
        If the folder is no complete run.
    """
    view = read_run(run)
    named = [unit for unit in view.units if unit.named]
    best = sorted(named, key=lambda unit: -(unit.lead.row["score_heldout"] or 0.0))[:most]
    heads = ("", "unit", "fires on", f"held-out {view.measure.label}", "chance", "q")
    head = Markup("").join(Markup('<th style="{}">{}</th>').format(CELL, text) for text in heads)
    body = Markup("").join(_line(view, unit) for unit in best)
    title = f"{view.layer}: {len(named):,} of {words.plural(len(view.units), 'unit')} have a name that beats chance"
    return str(
        Markup(
            "<div><p><strong>{}</strong><br>Full report: <code>{}</code></p>"
            "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(title, str(run / "index.html"), head, body)
    )


def _line(view: RunView, unit: UnitView) -> Markup:
    row = unit.lead.row
    cells = (
        _thumbnail(view, unit),
        str(unit.unit),
        phrase(formula_of(view, row)),
        view.measure.number(row["score_heldout"]),
        view.measure.number(row["chance"]),
        words.probability(row["fdr"]),
    )
    return Markup("<tr>{}</tr>").format(
        Markup("").join(Markup('<td style="{}">{}</td>').format(CELL, cell) for cell in cells)
    )


def _thumbnail(view: RunView, unit: UnitView) -> Markup:
    """The unit's thumbnail as an image within the page; empty where the run has none."""
    sheet, place = divmod(unit.unit, THUMBS_A_SHEET)
    path = view.folder / "images" / "thumbs" / f"{sheet:03d}.jpg"
    if not path.is_file():
        return Markup("")
    row, column = divmod(place, COLUMNS)
    try:
        with Image.open(path) as image:
            tile = image.crop((column * TILE, row * TILE, (column + 1) * TILE, (row + 1) * TILE))
    except UnidentifiedImageError:
        return Markup("")
    buffer = io.BytesIO()
    tile.convert("RGB").save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    alt = escape(f"top image of unit {unit.unit}")
    return Markup('<img width="{0}" height="{0}" alt="{1}" src="data:image/jpeg;base64,{2}">').format(TILE, alt, data)
