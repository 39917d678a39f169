"""Pictures of named heads: for the first texts of each, the images at either end, and where in them the head looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.methods.decompose.heatmap import head_heatmaps
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.direct_pass import Opened
from microtome.recipes.head_names import HeadName
from microtome.recipes.sheets import Sheet
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile

Row = dict[str, Any]
_ENDS = ("high", "low")


def write_head_pictures(
    opened: Opened, stream: StreamPass, named: list[HeadName], settings: HeadSettings, folder: Path, *,
    progress: Progress,
) -> list[Row]:  # fmt: skip
    """Write a sheet of pictures for each head below `folder`; returns the rows of `head_images`."""
    rows: list[Row] = []
    for layer in dict.fromkeys(name.layer for name in named):
        vectors = np.concatenate([block.arrays["heads"] for block in stream.take(["heads"], layer=layer)])
        for name in (one for one in named if one.layer == layer):
            rows += _draw(opened, stream, name, vectors[:, name.head].astype(np.float64), settings, folder)
            progress("drawing heads", sum(1 for n in named if (n.layer, n.head) <= (layer, name.head)), len(named))
    return rows


def ends_of(values: Float[np.ndarray, " image"], most: int) -> dict[str, Int[np.ndarray, " place"]]:
    """Places of the highest and the lowest values, most extreme first; ties go to the image that comes first."""
    order = np.argsort(-values, kind="stable")
    return {"high": order[:most], "low": np.argsort(values, kind="stable")[:most]}


def _draw(
    opened: Opened, stream: StreamPass, name: HeadName, vectors: Float[np.ndarray, "image space"],
    settings: HeadSettings, folder: Path,
) -> list[Row]:  # fmt: skip
    shown = min(settings.shown_texts, len(name.span.texts))
    if not shown:
        return []
    sheet = Sheet(folder, f"images/heads/{name.layer:02d}-{name.head:02d}.jpg")
    along = name.coordinates(vectors)[:, :shown]
    index, labels = stream.index(), stream.labels()
    rows: list[Row] = []
    for rank in range(shown):
        ends = ends_of(along[:, rank], settings.shown_images)
        numbers = np.concatenate([ends[end] for end in _ENDS])
        pixels = [opened.model.preprocess.cropped(stream.data.read(int(index[n])).pixels) for n in numbers]
        heats = _heats(opened, pixels, name, rank, settings)
        largest = float(np.abs(heats).max())
        for place, number in enumerate(numbers.tolist()):
            label = int(labels[number])
            rows.append({
                "layer": name.layer, "head": name.head, "text_rank": rank,
                "end": _ENDS[place // len(ends["high"])], "place": place % len(ends["high"]),
                "image": stream.data.key(int(index[number])), "value": float(along[number, rank]),
                "label": stream.data.classes[label] if 0 <= label < len(stream.data.classes) else None,
                "sprite": sheet.name, "tile": sheet.add(draw_tile(pixels[place])),
                "heat_tile": sheet.add(draw_heat(pixels[place], heats[place], largest=largest)),
            })  # fmt: skip
    sheet.save()
    return rows


def _heats(
    opened: Opened, pixels: list[np.ndarray], name: HeadName, rank: int, settings: HeadSettings
) -> Float[np.ndarray, "image grid_height grid_width"]:
    """Where in each image the head writes along one of its texts."""
    direction = torch.from_numpy(name.space.outward @ name.span.basis[rank])
    found = []
    for first in range(0, len(pixels), settings.images.batch_size):
        x = opened.model.preprocess(pixels[first : first + settings.images.batch_size], crop=True)
        x = opened.model.prepared(x)
        found.append(
            head_heatmaps(opened.tower, x, direction.to(x), layer=name.layer, head=name.head).float().cpu().numpy()
        )
    return np.concatenate(found)
