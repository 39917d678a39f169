"""Section 4: what recording adds to a forward pass. Both in turn on the same batches; the ratio of the medians."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.resnet18 import make_model
from microtome.core.concept import Concept
from microtome.data.base import DataCard, ImageData, LabelledImage
from microtome.models.model import wrap
from microtome.record.counting import HalfCounter, Slot, positions_of
from microtome.record.items import halve
from microtome.record.one_pass import Pass
from microtome.record.settings import RecordSettings

SIZE, BATCH = 224, 32


class Noise(ImageData):
    """Noise images with one label plane, kept in memory: reading costs next to nothing."""

    def __init__(self, count: int) -> None:
        generator = np.random.default_rng(0)
        self._pixels = generator.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        self._planes = generator.integers(0, 12, (count, 1, 28, 28)).astype(np.int32).repeat(4, 2).repeat(4, 3)
        self.card = DataCard("noise", "benchmark", "seed 0")
        self.concepts = tuple(Concept(f"c{i}", "object") for i in range(11))

    def __len__(self) -> int:
        return len(self._pixels)

    def key(self, index: int) -> str:
        return str(index)

    def read(self, index: int) -> LabelledImage:
        return LabelledImage(self.key(index), self._pixels[index], self._planes[index])

    def fingerprint(self) -> str:
        return f"noise {len(self)}"


def forward_seconds(model, data: Noise) -> float:
    """The plain job: read, preprocess, run the whole network."""
    start = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, len(data), BATCH):
            pixels = [data.read(i).pixels for i in range(first, min(first + BATCH, len(data)))]
            model.module(model.preprocess(pixels))
    return time.perf_counter() - start


def recorded_seconds(model, data: Noise, layer: str) -> tuple[float, float]:
    """The pass (cache, thresholds, top-k, moments, histogram, answers of the whole network), then the counts."""
    with tempfile.TemporaryDirectory() as folder:
        settings = RecordSettings(layer=layer, batch_size=BATCH)
        step = Pass(model, halve(data, seed=0), settings, folder=Path(folder), classify=True)
        start = time.perf_counter()
        summary = step.run()
        seconds = time.perf_counter() - start
        recording = step.recording(summary)
        start = time.perf_counter()
        slots = [Slot(place, 0, float(low), np.inf) for place, low in enumerate(recording.thresholds)]
        counter = HalfCounter(recording)
        for positions in positions_of(recording, slots):
            counter(positions)
        return seconds, time.perf_counter() - start


def run(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Rows (what, measured, target)."""
    rows, data = [], Noise(64 if quick else 192)
    model = wrap(make_model(), size=SIZE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), device="cpu")
    forward_seconds(model, data)
    for layer, target in (("layer4", "<= 1.25"), ("layer1", "<= 1.40")):
        recorded_seconds(model, data, layer)
        ratios, counts = [], []
        for _ in range(1 if quick else 3):
            plain = forward_seconds(model, data)
            recorded, counted = recorded_seconds(model, data, layer)
            ratios.append(recorded / plain)
            counts.append(counted / plain)
        rows.append((
            f"recording {layer} of ResNet-18", f"{statistics.median(ratios):.2f} x forward "
            f"(counting apart: {statistics.median(counts):.2f} x)", target,
        ))  # fmt: skip
    return rows
