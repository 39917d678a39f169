"""What a run says of itself: settings, versions, hashes, a summary, and sentences that a reader should know."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from microtome._version import __version__
from microtome.core import measures
from microtome.core.formula import leaves
from microtome.data.base import ItemData
from microtome.data.text.base import TextData
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes.verdicts import Judged
from microtome.record.items import Items
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings


def plan_of(
    model: Model | TextModel, items: Items, record: RecordSettings, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What decides the recording: two runs with the same plan can share a cache."""
    recorded = {name: value for name, value in asdict(record).items() if name != "batch_size"}
    return {
        "microtome": __version__,
        "device": model.device.type,
        "model": [model.fingerprint(), repr(model.module), _code_of(model.spec)],
        "preprocess": model.spec if isinstance(model, TextModel) else repr(model.preprocess),
        "data": [data.fingerprint() for data in items.sets],
        "images": len(items),
        "record": {name: list(v) if isinstance(v, tuple) else v for name, v in recorded.items()},
        "seed": settings["seed"],
    }


def _code_of(spec: str) -> str:
    """Hash of the file that a spec such as `net.py:make_model` names, empty for others: same weights, other code."""
    path = Path(spec.rpartition(":")[0])
    return sha256(path.read_bytes()).hexdigest() if path.suffix == ".py" and path.is_file() else ""


def class_map(model: Model | TextModel, classes: tuple[str, ...]) -> Int[np.ndarray, "klass"] | None:
    """For each class of the data the model's output of the same name, -1 where it has none; None if none matches."""
    place = {name.casefold(): index for index, name in enumerate(model.classes)}
    matched = np.array([place.get(name.casefold(), -1) for name in classes], np.int64)
    return matched if (matched >= 0).any() else None


def class_notes(
    model: Model | TextModel, classes: tuple[str, ...], matched: Int[np.ndarray, "klass"] | None
) -> list[str]:
    """What to know where a model answers with classes and none of them is one of the data's."""
    if not model.classes or not classes or matched is not None:
        return []
    ours, theirs = (", ".join(names[:3]) + (" ..." if len(names) > 3 else "") for names in (classes, model.classes))
    return [
        f"None of the data's classes ({ours}) is an answer of the model's ({theirs}), so nothing is said of right and "
        "wrong."
    ]


def answers_right(recording: Recording, classes: Int[np.ndarray, "klass"] | None) -> Int[np.ndarray, "image"]:
    """1 where the model was right, 0 where it was wrong, -1 where nobody knows."""
    right = np.full(len(recording.items), -1, np.int64)
    if classes is None:
        return right
    known = recording.labels >= 0
    wanted = np.where(known, classes[np.where(known, recording.labels, 0)], -1)
    judged = (wanted >= 0) & (recording.answers >= 0)
    right[judged] = (wanted == recording.answers)[judged]
    return right


def manifest_of(
    model: Model | TextModel, data: ItemData, heldout: ItemData | None, recording: Recording, judged: list[Judged], *,
    settings: Mapping[str, Any], right: np.ndarray, command: Sequence[str], notes: Sequence[str], elements: int,
    min_active: int,
) -> dict[str, Any]:  # fmt: skip
    """The manifest of a dissection; docs/run-format.md lists its fields."""
    site = recording.site
    return {
        "kind": "dissect",
        "command": list(command),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "seed": settings["seed"],
        "model": {
            "spec": model.spec, "layer": site.layer, "units": len(recording.units), "spatial": recording.spatial,
            "sha256": model.fingerprint(), "parameters": model.parameters, "note": " ".join(model.notes),
            "classes": list(model.classes),
        },
        "data": _card(data),
        "heldout": _card(heldout) if heldout is not None else None,
        "elements": {
            "kind": _kind(recording), "grid": list(recording.grid),
            "search": recording.searched.total, "heldout": elements,
            "signatures": recording.searched.n_signatures,
        },
        "settings": {**settings, "quantile": recording.settings.quantile, "min_active": min_active,
                     "active": "positive" if recording.positive else "quantile", "grid": list(recording.grid),
                     "units": list(recording.units) if settings["units"] is not None else None},
        "summary": _summary(judged, right),
        "notes": [*model.notes, *data.card.notes, *notes, *_notes(recording, settings, min_active),
                  *_heldout_notes(recording, heldout)],
    }  # fmt: skip


def item_word(data: ItemData) -> str:
    """What one item is called: image, pair, sentence or text."""
    if not isinstance(data, TextData):
        return "image"
    return "text" if data.level == "token" else data.level


def _kind(recording: Recording) -> str:
    data = recording.items.sets[0]
    if isinstance(data, TextData):
        return data.level
    return "pixel" if recording.spatial else "image"


def versions() -> dict[str, str]:
    """Versions of what the result depends on."""
    import torch

    return {
        "microtome": __version__, "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__,
    }  # fmt: skip


def _card(data: ItemData) -> dict[str, Any]:
    card = data.card
    return {
        "name": card.name, "reader": card.reader, "source": card.source, "fingerprint": data.fingerprint(),
        "images": len(data), "items": item_word(data), "notes": list(card.notes), "predicted": sorted(card.predicted),
        "spec": card.spec or None, "settings": dict(card.settings),
    }  # fmt: skip


def _summary(judged: list[Judged], right: np.ndarray) -> dict[str, Any]:
    named = [one for one in judged if one.named]
    scored = [one for one in judged if one.result.explanations]
    concepts = {leaf.name for one in named for leaf in leaves(one.result.explanations[one.result.chosen].formula)}
    longest = max((len(one.result.explanations) for one in scored), default=0)
    certificates = [[e.certificate for e in one.result.explanations if e.certificate] for one in scored]
    certified = [proofs[-1] for proofs in certificates if proofs]
    known = right[right >= 0]
    return {
        "units": len(judged),
        "named": len(named),
        "not_named": sum(one.status == "not named" for one in judged),
        "silent": sum(one.status == "silent" for one in judged),
        "skipped": sum(one.status == "skipped" for one in judged),
        "distinct_concepts": len(concepts),
        "mean_iou": _mean([measures.iou(*one.result.heldout[one.result.chosen]) for one in scored]),
        "mean_score": _mean([float(one.result.scores[0]) for one in scored]),
        "mean_chance": _mean([one.verdicts[0].chance for one in scored]),
        "accuracy": float(known.mean()) if len(known) else None,
        "by_length": [
            {
                "length": k + 1,
                "iou": _mean([_heldout_iou(one, k) for one in scored]),
                "score": _mean([float(one.result.scores[k + 1]) for one in scored]),
            }
            for k in range(longest)
        ],
        "beam": {
            "searched": len(certified),
            "beam_not_optimal_own": sum(_short_of(c.beam_best, c.own_best) for c in certified),
            "beam_not_optimal_full": sum(_short_of(c.beam_best, c.best) for c in certified),
        },
    }  # fmt: skip


def _heldout_iou(one: Judged, length_index: int) -> float:
    """IoU on held-out elements at a length; that of the longest where the search stopped before."""
    counts = one.result.heldout
    return measures.iou(*counts[min(length_index, len(counts) - 1)])


def _short_of(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] * other[1] < other[0] * one[1]


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else None


def _notes(recording: Recording, settings: Mapping[str, Any], min_active: int) -> list[str]:
    notes = [_element_note(recording)]
    word = item_word(recording.items.sets[0])
    if settings["ranges"]:
        notes.append("Ranges cover the positive activations; the lowest begins above 0.")
    elif recording.positive and settings["metric"] != "auroc":
        notes.append("A unit is active where its activation is above 0.")
    elif settings["metric"] != "auroc":
        notes.append(
            f"A unit is active above the threshold that {recording.settings.quantile:.3g} of its activations on the "
            f"searched {word}s exceed; thresholds are exact, of activations stored as {recording.settings.dtype}."
        )
    if min_active:
        notes.append(f"Units active on fewer than {min_active:,} elements were skipped (--min-active).")
    if not settings["permutations"]:
        notes.append("No chance baseline was run, so no unit is named.")
    elif settings["permutations"] < 20:
        notes.append(f"Only {settings['permutations']} re-pairings were drawn: too few to name one unit among many.")
    return notes


def _element_note(recording: Recording) -> str:
    rows, columns = recording.grid
    data = recording.items.sets[0]
    if isinstance(data, TextData) and data.level == "token":
        return f"An element is a token of the model's; a text is a window of at most {columns} of them."
    if isinstance(data, TextData):
        how = "" if recording.site.unit_axis == 1 else f"; a unit's tokens are pooled: {recording.settings.pool}"
        return f"An element is a whole {data.level}{how}."
    if recording.spatial:
        return (
            f"An element is one of {rows} x {columns} cells of an image; activation maps of "
            f"{recording.map_shape[0]} x {recording.map_shape[1]} are upsampled bilinearly (align_corners=False)."
        )
    return "An element is a whole image; a unit's activation is the maximum over its map."


def _heldout_notes(recording: Recording, heldout: ItemData | None) -> list[str]:
    """What the held-out images cannot confirm."""
    said = recording.items.sets[0].card.notes
    word = item_word(recording.items.sets[0])
    notes = [f"Held out: {note}" for note in (heldout.card.notes if heldout else ()) if note not in said]
    table = recording.searched
    outside = table.counts_under(recording.heldout_weight)
    lacking = [
        concept.name
        for concept, inside, held in zip(table.concepts, table.concept_counts, outside, strict=True)
        if inside and not held
    ]
    if lacking:
        shown = ", ".join(lacking[:8]) + (" ..." if len(lacking) > 8 else "")
        notes.append(f"{len(lacking)} of {len(table.concepts)} concepts never occur in held-out {word}s: {shown}.")
    return notes
