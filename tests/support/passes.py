"""Whole recording passes over small data, in a few words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from microtome.models.model import Model
from microtome.record.items import Items, halve
from microtome.record.one_pass import Pass
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings
from tests.support.listed import Listed, random_images, small_model

SETTINGS = RecordSettings("relu", grid=(12, 10), quantile=0.1, batch_size=8, dtype="float32", top_k=3)


def make_pass(
    folder: Path,
    *,
    model: Model | None = None,
    images: Items | None = None,
    settings: RecordSettings = SETTINGS,
    classify: bool = False,
    **changes: object,
) -> Pass:
    """A pass of the small model over 14 random images, with settings changed by name."""
    return Pass(
        model or small_model(),
        images if images is not None else halve(Listed(random_images(14)), seed=0),
        replace(settings, **changes),  # type: ignore[arg-type]
        folder=folder,
        classify=classify,
    )


def record(step: Pass) -> Recording:
    """All blocks of a pass, joined."""
    return step.recording(step.run())


def arrays_of(recording: Recording) -> dict[str, np.ndarray]:
    """Everything that a recording holds, as arrays to compare."""
    table = recording.searched
    named = {
        name: np.asarray(getattr(recording, name))
        for name in (
            "maps", "image_ptr", "image_rows", "image_counts", "thresholds", "peaks", "cells", "labels", "answers",
            "heldout_weight",
        )
    }  # fmt: skip
    named |= {"indptr": table.indptr, "indices": table.indices, "weight": table.weight}
    named |= {f"summary.{name}": array for name, array in recording.summary.state().items()}
    return named
