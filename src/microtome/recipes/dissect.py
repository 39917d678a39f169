"""Dissect a layer: record, search on one half, score on the other, compare with chance, write the run.

load -> record -> search -> judge -> tables and pictures -> report
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from microtome.core.errors import DataError, MicrotomeError
from microtome.core.site import Site
from microtome.data.base import ItemData
from microtome.data.open import open_data
from microtome.data.text.base import TextData
from microtome.data.text.open import TextSettings, open_texts
from microtome.methods.dissect.registry import SearchSettings, make_method
from microtome.models.load import load_any
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes import counts, label_tables, manifest, passages, pictures, unit_tables
from microtome.recipes.dissect_settings import DissectSettings, check, completed, min_active_of, record_settings
from microtome.recipes.result import Dissection
from microtome.recipes.search_units import UnitSearch, search_slots, searched_rows
from microtome.recipes.slots import make_slots
from microtome.recipes.verdicts import Judged, judge_slots
from microtome.record.items import beside, halve
from microtome.record.one_pass import Pass, Progress, silent
from microtome.record.recording import Recording
from microtome.record.settings import bytes_needed
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.chance import ChanceSettings


def dissect(
    model: Model | TextModel | str = "world:scenes",
    layer: str | None = None,
    data: ItemData | str | Path = "world",
    *,
    out: Path | str = "runs/dissect",
    heldout: ItemData | str | Path | None = None,
    settings: DissectSettings | None = None,
    overwrite: bool = False,
    keep_cache: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Dissection:
    """Name every unit of a layer by a formula of concepts, and test every name.

    Parameters
    ----------
    model:
        A loaded model or a spec that `load_any` takes.
    layer:
        Layer name; None: the model's own default, of an image model the last one with a spatial map.
    data:
        Images or texts with concepts, or what `open_data` (of a text model `open_texts`) takes.
    out:
        The run folder.
    heldout:
        Items to score on; None: a random half of `data`.
    overwrite:
        Replace a run that stands at `out`.
    keep_cache:
        Keep the activations with the run.
    command:
        Words that reproduce the run, for the report.

    Returns
    -------
    The finished run: its tables (Arrow), a notebook view, and the path of its report.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    model = load_any(model) if isinstance(model, str) else model
    data = _opened(data, model)
    other = None if heldout is None else _opened(heldout, model, like=data)
    settings = completed(settings or DissectSettings(), data)
    assert settings.max_length is not None
    assert settings.exact_length is not None
    site = model.site(layer) if layer else model.default_site()
    recording_settings = record_settings(settings, site, data)
    method = make_method(settings.method, SearchSettings(
        settings.metric, settings.max_length, settings.beam, settings.penalty, settings.exact_length
    ))  # fmt: skip
    check(settings, site, recording_settings, data)
    items = beside(data, other) if other is not None else halve(data, seed=settings.seed)
    plan = manifest.plan_of(model, items, recording_settings, asdict(settings))
    draft = RunDraft(Path(out), plan=plan, overwrite=overwrite)
    try:
        classes = manifest.class_map(model, items.classes)
        step = Pass(model, items, recording_settings, folder=draft.cache, classify=classes is not None)
        cells = step.map_shape[0] * step.map_shape[1]
        needed = bytes_needed(recording_settings, images=len(items), units=len(step.units), cells=cells)
        free = draft.need(needed)
        progress(f"cache needs {needed / 2**20:.0f} MiB of {free / 2**20:.0f} MiB free", 0, len(items))
        recording = step.recording(step.run(progress=progress))
        _check_annotated(recording)
        longest = 1 if settings.method == "netdissect" else settings.max_length
        search = UnitSearch(
            recording, method.prepare(searched_rows(recording)), metric=settings.metric, longest=longest,
            min_active=min_active_of(settings, recording),
        )  # fmt: skip
        chance = ChanceSettings(settings.permutations, settings.fdr, settings.seed)
        slots = make_slots(recording, ranges=settings.ranges, rule=settings.range_rule)
        judged = judge_slots(search_slots(search, slots, chance, progress=progress), chance, routes=search.routes)
        right = manifest.answers_right(recording, classes)
        _write(draft, model, search, judged, settings, right=right, site=site, progress=progress)
        draft.manifest(manifest.manifest_of(
            model, data, other, recording, judged, settings=asdict(settings), right=right, command=command,
            notes=[*step.feed.batches.notes, *manifest.class_notes(model, items.classes, classes)],
            elements=search.heldout.total, min_active=search.min_active,
        ))  # fmt: skip
        _report(draft)
        return Dissection(draft.finish(keep_cache=keep_cache))
    except MicrotomeError:
        draft.discard()
        raise


def _check_annotated(recording: Recording) -> None:
    halves = {"searched": recording.searched.total, "held-out": int(recording.heldout_weight.sum())}
    bare = [half for half, elements in halves.items() if not elements]
    if bare:
        raise DataError(
            f"The {' and the '.join(bare)} items have no annotated element: all of their pixels are void.",
            expected="labels on some pixels",
            next_step="see what the labels hold with `microtome data check`",
        )


def _opened(data: ItemData | str | Path, model: Model | TextModel, *, like: ItemData | None = None) -> ItemData:
    """Data by its spec: texts for a text model, with the concepts of `like` where they are held out."""
    if isinstance(data, ItemData):
        return data
    if isinstance(model, TextModel):
        known = like if isinstance(like, TextData) else None
        return open_texts(str(data), TextSettings(), pieces=model.pieces, piece_text=model.piece_text, like=known)
    return open_data(data)


def _write(
    draft: RunDraft, model: Model | TextModel, search: UnitSearch, judged: list[Judged], settings: DissectSettings, *,
    right: np.ndarray, site: Site, progress: Progress,
) -> None:  # fmt: skip
    """All tables and pictures."""
    recording: Recording = search.recording
    data, classes = recording.items.sets[0], recording.items.classes
    answers = pictures.Answers(classes, model.classes, right)
    tables = {
        "explanations": unit_tables.explanation_rows(search, judged, method=settings.method),
        "units": unit_tables.unit_rows(search, judged, classes=classes, right=right),
        "concepts": unit_tables.concept_rows(search, predicted=data.card.predicted),
        "images": unit_tables.image_rows(recording, classes=classes, answers=model.classes, right=right),
        "histogram": unit_tables.histogram_rows(recording),
        "chance": unit_tables.chance_rows(recording, judged),
        "correlations": label_tables.correlation_rows(search, judged, right=right, seed=settings.seed),
        **unit_tables.overlap_rows(search, judged),
    }
    if isinstance(model, TextModel):
        tables |= passages.passage_rows(search, judged, answers=answers, progress=progress)
        weights = model.class_weights(site.layer)
        tables["class_weights"] = label_tables.weight_rows(
            recording, None if weights is None else weights.numpy(), model.classes
        )
        if recording.elements == 1 and classes:
            tables["artefacts"] = label_tables.artefact_rows(recording, answers=model.classes)
    else:
        tables["exemplars"] = pictures.write_pictures(search, judged, draft.folder, answers=answers, progress=progress)
    draft.arrays(counts.FILE, counts.count_arrays(recording, [one.result for one in judged]))
    for name, rows in tables.items():
        draft.table(name, make_table(name, rows))


def _report(draft: RunDraft) -> None:
    from microtome.report.pages import write_report

    write_report(draft.folder)
