"""Pictures of named neurons: the images on which each acts most, either way, and where in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.methods.decompose.heatmap import on_grid
from microtome.methods.decompose.neuron_heat import neuron_heat
from microtome.recipes.direct_pass import Opened
from microtome.recipes.head_pictures import ends_of
from microtome.recipes.neuron_effects import Effects
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.recipes.sheets import Sheet
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass
from microtome.report.heat import draw_heat
from microtome.report.tiles import draw_tile

Row = dict[str, Any]


def write_neuron_pictures(
    opened: Opened, stream: StreamPass, effects: Effects, listed: Int[np.ndarray, " listed"], settings: NeuronSettings,
    folder: Path, *, progress: Progress,
) -> list[Row]:  # fmt: skip
    """Write a sheet for each listed neuron below `folder`; returns the rows of `neuron_images`."""
    rows: list[Row] = []
    index, labels = stream.index(), stream.labels()
    for done, neuron in enumerate(listed.tolist(), start=1):
        sheet = Sheet(folder, f"images/neurons/{neuron:05d}.jpg")
        along = effects.along[:, neuron]
        ends = ends_of(along, settings.shown_images)
        numbers = np.concatenate([ends["high"], ends["low"]])
        pixels = [opened.model.preprocess.cropped(stream.data.read(int(index[n])).pixels) for n in numbers]
        heats = _heats(opened, pixels, effects, neuron, settings.images.batch_size)
        largest = float(np.abs(heats).max())
        for place, number in enumerate(numbers.tolist()):
            label = int(labels[number])
            rows.append({
                "layer": effects.layer, "neuron": neuron, "end": "high" if place < len(ends["high"]) else "low",
                "place": place % len(ends["high"]), "image": stream.data.key(int(index[number])),
                "value": float(along[number]),
                "label": stream.data.classes[label] if 0 <= label < len(stream.data.classes) else None,
                "sprite": sheet.name, "tile": sheet.add(draw_tile(pixels[place])),
                "heat_tile": sheet.add(draw_heat(pixels[place], heats[place], largest=largest)),
            })  # fmt: skip
        sheet.save()
        progress("drawing neurons", done, len(listed))
    return rows


def _heats(
    opened: Opened, pixels: list[np.ndarray], effects: Effects, neuron: int, batch: int
) -> Float[np.ndarray, "image grid_height grid_width"]:
    reader = torch.from_numpy(effects.first.readers[neuron : neuron + 1])
    found = []
    for first in range(0, len(pixels), batch):
        x = opened.model.prepared(opened.model.preprocess(pixels[first : first + batch], crop=True))
        heat = neuron_heat(opened.tower, x, effects.layer, torch.tensor([neuron], device=x.device), reader.to(x))
        found.append(on_grid(opened.tower, heat[:, 0]).float().cpu().numpy())
    return np.concatenate(found)


def write_concept_pictures(
    opened: Opened, stream: StreamPass, chosen: Int[np.ndarray, " image"], folder: Path
) -> list[Row]:
    """A sheet of some images of a pass; returns image, sprite and tile of each."""
    sheet, index = Sheet(folder, "images/concepts.jpg"), stream.index()
    rows = [
        {
            "image": opened.data.key(int(index[n])), "sprite": sheet.name,
            "tile": sheet.add(draw_tile(opened.data.read(int(index[n])).pixels)),
        }
        for n in chosen.tolist()
    ]  # fmt: skip
    sheet.save()
    return rows
