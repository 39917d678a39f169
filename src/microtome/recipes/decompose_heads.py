"""Name the heads of a vision transformer in text, and test the names.

load -> one pass of exact terms -> moments -> texts for each head -> chance, label, prediction -> pictures -> report
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from microtome.core.errors import DataError, MicrotomeError
from microtome.data.attributes import attributes_of
from microtome.data.base import ImageData
from microtome.data.pools.base import TextPool
from microtome.data.pools.read import open_pool
from microtome.models.model import Model
from microtome.models.texts import text_directions
from microtome.recipes import head_tables
from microtome.recipes.answering import Answering, answering
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import LESS, Opened, bytes_needed, direct_pass, heldout_half, open_both, plan_of
from microtome.recipes.head_choice import occurring
from microtome.recipes.head_names import HeadName, name_heads, score_texts
from microtome.recipes.head_pictures import write_head_pictures
from microtome.recipes.head_properties import property_rows, told_by_heads
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.recipes.seen import by_caption, seen_by
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.store.run import RunDraft
from microtome.store.tables import make_table

_OTHERS = 200
FEWEST = 20


@dataclass(frozen=True, eq=False)
class HeadRun:
    """What the tables of a run of heads are made from."""

    opened: Opened
    stream: StreamPass
    heldout: Bool[np.ndarray, " image"]
    pool: TextPool
    directions: Float[np.ndarray, "text d_out"]
    named: list[HeadName]
    answers: Answering | None
    settings: HeadSettings


def decompose_heads(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "arranged",
    *,
    texts: TextPool | str | Path = "general",
    out: Path | str = "runs/heads",
    settings: HeadSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Name every attention head by the texts that explain what it writes.

    Parameters
    ----------
    model:
        A loaded CLIP-like model, or a spec that `load` takes.
    data:
        Images, or what `open_data` takes. Half of them are searched, half held out.
    texts:
        A pool of texts: `general`, `world`, or a file (one text a line, with its property after a tab).
    out:
        The run folder.
    overwrite:
        Replace a run that stands at `out`.
    command:
        Words that reproduce the run, for the report.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    settings = settings or HeadSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(len(opened.tower.layers))
    pool = texts if isinstance(texts, TextPool) else open_pool(texts)
    directions = text_directions(opened.model.texts, pool.texts, spec=opened.model.spec).double().cpu().numpy()
    answers = answering(opened.model, opened.data.classes, texts=settings.classes, template=settings.template)
    plan = plan_of(opened, "heads", settings.images, {})
    draft = RunDraft(Path(out), plan=plan, overwrite=overwrite)
    try:
        draft.need(bytes_needed(opened.tower, len(opened.data)), less=LESS)
        stream = direct_pass(opened, draft.cache, settings.images)
        stream.run(progress=progress)
        heldout = heldout_half(enough(stream), settings.images.seed)
        named = name_heads(stream, heldout, opened.tower, pool, directions, settings, progress)
        run = HeadRun(opened, stream, heldout, pool, directions, named, answers, settings)
        tables = _tables(run, draft, progress)
        for name, rows in tables.items():
            draft.table(name, make_table(name, rows))
        draft.manifest(_manifest(run, tables, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _tables(run: HeadRun, draft: RunDraft, progress: Progress) -> dict[str, list[dict[str, Any]]]:
    outputs, labels = run.stream.whole("output").astype(np.float64), run.stream.labels()
    accuracy = head_tables.accuracies(run.stream, run.named, run.answers, outputs, labels, run.heldout)
    others = np.random.default_rng(run.settings.images.seed).permutation(len(run.pool.texts))[:_OTHERS]
    captions = seen_by(run.opened, run.stream) if by_caption(run.opened) else None
    scores = {}
    for name, vectors in head_vectors(run.stream, run.named):
        seen = outputs - name.written(vectors) if captions is None else captions
        scores[name.layer, name.head] = score_texts(
            name, vectors[run.heldout], seen[run.heldout], run.directions, others=others,
            most=run.settings.shown_texts,
        )  # fmt: skip
        progress("predicting heads from their texts", len(scores), len(run.named))
    heads, texts = head_tables.head_rows(run.named, run.pool, scores, accuracy, fdr=run.settings.fdr)
    pictures = write_head_pictures(run.opened, run.stream, run.named, run.settings, draft.folder, progress=progress)
    return {
        "heads": heads, "head_texts": texts, "head_images": pictures, "properties": _properties(run, progress),
        "terms": head_tables.term_rows(run.stream, run.opened.tower),
    }  # fmt: skip


def _properties(run: HeadRun, progress: Progress) -> list[dict[str, Any]]:
    """Heads of each property that the data knows of; empty where it knows none."""
    found = attributes_of(run.opened.data, run.stream.index(), run.stream.labels()).values()
    # A property of which no two values occur twice on the searched half says nothing here.
    attributes = [one for one in found if occurring(one.of, ~run.heldout).max(initial=-1) >= 1]
    if not attributes:
        return []
    told = told_by_heads(run.stream, run.opened, attributes, ~run.heldout)
    settings = run.settings
    return property_rows(
        run.opened, told, run.named, run.pool, pairs=settings.pairs, seed=settings.images.seed, progress=progress
    )


def head_vectors(stream: StreamPass, named: list[HeadName]) -> Any:
    """Each head with its small vectors of all images, a layer of them in memory at a time."""
    for layer in dict.fromkeys(name.layer for name in named):
        vectors = np.concatenate([block.arrays["heads"] for block in stream.take(["heads"], layer=layer)])
        for name in named:
            if name.layer == layer:
                yield name, vectors[:, name.head].astype(np.float64)


def _manifest(run: HeadRun, tables: Mapping[str, list[dict[str, Any]]], command: tuple[str, ...]) -> dict[str, Any]:
    heads, labels = tables["heads"], run.stream.labels()
    outputs = run.stream.whole("output").astype(np.float64)
    summary = {
        "heads": len(heads),
        "above_chance": sum(row["fdr"] <= run.settings.fdr for row in heads),
        "labelled": sum(row["labelled"] for row in heads),
        "images": len(labels),
        "searched": int((~run.heldout).sum()),
        "accuracy": None if run.answers is None else run.answers.accuracy(outputs, labels),
        "accuracy_heldout": None
        if run.answers is None
        else run.answers.accuracy(outputs[run.heldout], labels[run.heldout]),
        "mean_explained_heldout": float(np.mean([row["explained_heldout"] for row in heads])),
    }
    return decompose_manifest(
        run.opened, "heads", settings=asdict(run.settings), summary=summary, command=command,
        skipped=run.stream.problems(), pool=run.pool, answers=run.answers, notes=class_notes(run.opened, run.settings),
    )  # fmt: skip


def enough(stream: StreamPass, fewest: int = FEWEST) -> int:
    """How many images were read. Raises DataError where they are too few to go on."""
    read = len(stream.index())
    if read < fewest:
        raise DataError(
            f"{read} of {len(stream.data)} images could be read: too few to go on.",
            expected=f"at least {fewest}",
        )
    return read


def class_notes(opened: Opened, settings: HeadSettings | NeuronSettings) -> tuple[str, ...]:
    """What to know where classes were put into words that nobody asks for."""
    if opened.data.classes or not (settings.classes or settings.template):
        return ()
    return ("The data have no classes, so --classes and --template say nothing here.",)


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
