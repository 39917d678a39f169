"""Pictures of a segmentation: image and mask, and for each method its heat and what it takes for the thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from microtome.data.masks import MaskedImage, resized
from microtome.recipes.segment_scores import Segmentation
from microtome.recipes.sheets import Sheet
from microtome.record.one_pass import Progress
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile
from microtome.verify.segmentation import Rule, SegmentationScores, foreground

Row = dict[str, Any]


def write_segment_pictures(
    work: Segmentation, scores: Sequence[SegmentationScores], folder: Path, progress: Progress
) -> list[Row]:
    """Write a sheet for each of some images below `folder`; returns the rows of `segment_images`.

    The images are spread evenly over the ranking by the first row's IoU, worst first.
    """
    ranked = sorted(scores[0].images(), key=lambda image: (image.mean_iou, image.key))
    if not ranked or not work.settings.shown:
        return []
    places = np.unique(np.linspace(0, len(ranked) - 1, min(work.settings.shown, len(ranked))).astype(int))
    numbers = {work.masks.key(number): number for number in work.numbers}
    rows: list[Row] = []
    for place, rank in enumerate(places.tolist()):
        image = work.masks.read(numbers[ranked[rank].key])
        rows += _draw(work, scores, image, place, folder)
        progress("drawing", place + 1, len(places))
    return rows


def _draw(
    work: Segmentation, scores: Sequence[SegmentationScores], image: MaskedImage, place: int, folder: Path
) -> list[Row]:
    rule, text = work.settings.rule, work.directions.text(image)
    truth = resized(image, work.settings.score_size)
    sheet = Sheet(folder, f"images/segment/{place:03d}.jpg")
    rows: list[Row] = []
    for number, (row, heat) in enumerate(
        zip((one for one in work.rows if not one.control), (maps[0] for maps in work.maps([image])), strict=True)
    ):
        own = next(one for one in scores[number].images() if one.key == image.key)
        called = f"{row.method}, {row.direction}" if row.direction else row.method
        rows.append({
            "image": image.key, "method": row.method, "direction": row.direction or None, "text": text, "place": place,
            "iou": own.mean_iou, "average_precision": own.average_precision, "sprite": sheet.name,
            "tile": sheet.add(draw_tile(truth.pixels, foreground(heat, rule), truth.mask)),
            "heat_tile": sheet.add(draw_heat(truth.pixels, heat - threshold(heat, rule))),
            "caption": f"{called}: IoU {own.mean_iou:.2f}",
        })  # fmt: skip
    sheet.save()
    return rows


def threshold(heat: Float[np.ndarray, "size size_"], rule: Rule) -> float:
    """Where the foreground begins, in the heat's own scale: pictures turn warm there."""
    if rule == "zero":
        return 0.0
    if rule == "middle":
        return float(heat.min() / 2 + heat.max() / 2)
    if isinstance(rule, float):
        return float(np.quantile(heat, rule, method="lower"))
    return float(heat.mean())
