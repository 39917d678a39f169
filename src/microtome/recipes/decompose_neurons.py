"""Name the neurons of a layer by what they do through later heads, in text, and test the names.

load -> one pass of coefficients -> moments -> first directions -> sparse text codes -> ablations, prediction -> report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.errors import MicrotomeError
from microtome.data.base import ImageData
from microtome.data.pools.base import TextPool
from microtome.data.pools.read import open_pool
from microtome.models.model import Model
from microtome.models.texts import text_directions
from microtome.numerics.pursuit import SparseCodes
from microtome.recipes.answering import Answering, answering
from microtome.recipes.decompose_heads import class_notes, enough
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import LESS, Opened, heldout_half, open_both, plan_of
from microtome.recipes.neuron_effects import (
    Effects,
    ablated_outputs,
    coefficient_bytes,
    coefficient_pass,
    measure_effects,
    neurons_in,
)
from microtome.recipes.neuron_names import code_curve, code_neurons, image_concepts, most_varying, score_codes
from microtome.recipes.neuron_pictures import write_concept_pictures, write_neuron_pictures
from microtome.recipes.neuron_settings import NeuronSettings
from microtome.recipes.seen import by_caption, seen_by
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.proportions import wilson

Row = dict[str, Any]
_SETS = (0.01, 0.05, 0.2, 1.0)
_CONCEPT_IMAGES, _CONCEPTS = 12, 8


@dataclass(frozen=True, eq=False)
class NeuronRun:
    """What the tables of a run of neurons are made from."""

    opened: Opened
    stream: StreamPass
    heldout: Bool[np.ndarray, " image"]
    pool: TextPool
    directions: Float[np.ndarray, "text d_out"]
    effects: Effects
    listed: Int[np.ndarray, " listed"]
    codes: SparseCodes
    answers: Answering | None
    settings: NeuronSettings


def decompose_neurons(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "arranged",
    *,
    texts: TextPool | str | Path = "general",
    out: Path | str = "runs/neurons",
    settings: NeuronSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Name the neurons of a layer by their second-order effects.

    Parameters
    ----------
    model, data, texts, out, overwrite, command:
        As for `decompose_heads`.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    settings = settings or NeuronSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(opened.tower)
    layer = settings.chosen_layer(opened.tower)
    pool = texts if isinstance(texts, TextPool) else open_pool(texts)
    directions = text_directions(opened.model.texts, pool.texts, spec=opened.model.spec).double().cpu().numpy()
    answers = answering(opened.model, opened.data.classes, texts=settings.classes, template=settings.template)
    draft = RunDraft(Path(out), plan=plan_of(opened, "neurons", settings.images, {"layer": layer}), overwrite=overwrite)
    try:
        draft.need(coefficient_bytes(opened.tower, layer, len(opened.data)), less=LESS)
        stream = coefficient_pass(opened, layer, draft.cache, settings.images)
        stream.run(progress=progress)
        heldout = heldout_half(enough(stream), settings.images.seed)
        effects = measure_effects(opened, stream, heldout, layer, top_images=settings.top_images, progress=progress)
        listed = most_varying(effects.first.variance, settings.listed)
        codes = code_neurons(effects.first.directions[listed], directions, settings.texts, settings.method)
        run = NeuronRun(opened, stream, heldout, pool, directions, effects, listed, codes, answers, settings)
        tables = _tables(run, draft, progress)
        for name, rows in tables.items():
            draft.table(name, make_table(name, rows))
        draft.arrays("directions.safetensors", {
            "directions": effects.first.directions.astype(np.float32), "share": effects.first.share,
            "variance": effects.first.variance, "readers": effects.first.readers.astype(np.float32),
        })  # fmt: skip
        draft.manifest(_manifest(run, tables, command))
        from microtome.report.decompose.pages import write_decompose_report

        write_decompose_report(draft.folder)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _tables(run: NeuronRun, draft: RunDraft, progress: Progress) -> dict[str, list[Row]]:
    rebuilt = run.codes.rebuilt(run.directions)
    seen = seen_by(run.opened, run.stream)
    own = None if by_caption(run.opened) else run.effects.first.directions[run.listed]
    scores = score_codes(rebuilt, run.effects.along[run.heldout][:, run.listed], seen[run.heldout], own)
    progress("testing codes", 1, 1)
    return {
        "neurons": [_neuron_row(run, n, score) for n, score in enumerate(scores)],
        "neuron_texts": [row for n in range(len(run.listed)) for row in _text_rows(run, n)],
        "neuron_images": write_neuron_pictures(
            run.opened, run.stream, run.effects, run.listed, run.settings, draft.folder, progress=progress
        ),
        "codes": code_curve(run.effects.first.directions[run.listed], run.directions, seed=run.settings.images.seed),
        "effects": _effect_rows(run, rebuilt),
        "image_concepts": _concept_rows(run, draft.folder),
    }


def _neuron_row(run: NeuronRun, place: int, score: Any) -> Row:
    neuron, first = int(run.listed[place]), run.effects.first
    return {
        "layer": run.effects.layer, "neuron": neuron, "variance": float(first.variance[neuron]),
        "first_share": float(first.share[neuron]), "heldout_share": float(run.effects.heldout_share[neuron]),
        "cosine": float(run.codes.cosine[place, -1]), "score": score.r, "score_chance": score.chance,
        "score_p": score.p,
    }  # fmt: skip


def _text_rows(run: NeuronRun, place: int) -> list[Row]:
    rows: list[Row] = []
    order = np.argsort(-np.abs(run.codes.coefficients[place]), kind="stable").tolist()
    for step in order:
        text = int(run.codes.atoms[place, step])
        if text >= 0:
            rows.append({
                "layer": run.effects.layer, "neuron": int(run.listed[place]), "rank": len(rows),
                "text": run.pool.texts[text], "property": run.pool.properties[text] or None,
                "coefficient": float(run.codes.coefficients[place, step]),
                "cosine": float(run.directions[text] @ run.effects.first.directions[run.listed[place]]),
            })  # fmt: skip
    return rows


def _effect_rows(run: NeuronRun, rebuilt: Float[np.ndarray, "listed d_out"]) -> list[Row]:
    """Held-out accuracy without the effect of sets of neurons, and with it replaced; empty without classes."""
    labels = run.stream.labels()[run.heldout]
    if run.answers is None or not (labels >= 0).any():
        return []
    count = neurons_in(run.opened.tower, run.effects.layer)
    rng = np.random.default_rng(run.settings.images.seed)
    base = run.answers.accuracy(run.stream.whole("output").astype(np.float64)[run.heldout], labels)
    everyone = np.arange(count)
    first = run.effects.first
    sets: list[tuple[str, np.ndarray, np.ndarray | None]] = []
    for share in _SETS:
        most = max(1, round(share * count))
        sets.append(
            (f"the {most} neurons of largest effect set to their mean", most_varying(first.variance, most), None)
        )
        if share < 1.0:
            sets.append((f"{most} neurons at random set to their mean", np.sort(rng.permutation(count)[:most]), None))
    sets.append(("all, but for their first directions", everyone, first.directions))
    sets.append(("the listed neurons", run.listed, None))
    sets.append(("the listed, but for what their texts say", run.listed, rebuilt))
    rows: list[Row] = []
    for what, neurons, kept in sets:
        outputs = ablated_outputs(run.stream, run.effects, neurons, kept)[run.heldout]
        right = run.answers.right(outputs, labels)[labels >= 0]
        low, high = wilson(int(right.sum()), len(right))
        rows.append({
            "what": what, "neurons": len(neurons), "kind": "second-order", "probe": "zero-shot",
            "accuracy": float(right.mean()), "low": low, "high": high, "base": base, "images": len(right),
        })  # fmt: skip
    return rows


def _concept_rows(run: NeuronRun, folder: Path) -> list[Row]:
    """What the active neurons of some held-out images say of them."""
    spread = run.effects.along[~run.heldout][:, run.listed].std(axis=0)
    chosen = np.flatnonzero(run.heldout)[:_CONCEPT_IMAGES]
    tiles = write_concept_pictures(run.opened, run.stream, chosen, folder)
    rows: list[Row] = []
    for number, tile in zip(chosen.tolist(), tiles, strict=True):
        along = run.effects.along[number, run.listed] / np.maximum(spread, 1e-30)
        for rank, (text, weight) in enumerate(image_concepts(along, run.codes, _CONCEPTS)):
            rows.append({**tile, "rank": rank, "text": run.pool.texts[text], "weight": weight})
    return rows


def _manifest(run: NeuronRun, tables: dict[str, list[Row]], command: tuple[str, ...]) -> dict[str, Any]:
    neurons, outputs = tables["neurons"], run.stream.whole("output").astype(np.float64)
    above = sum(row["score"] > row["score_chance"] for row in neurons)
    summary = {
        "layer": run.effects.layer,
        "neurons": neurons_in(run.opened.tower, run.effects.layer),
        "listed": len(neurons),
        "predicted": above,
        "mean_first_share": float(run.effects.first.share.mean()),
        "mean_cosine": float(np.mean([row["cosine"] for row in neurons])),
        "images": len(outputs),
        "accuracy": None if run.answers is None else run.answers.accuracy(outputs, run.stream.labels()),
        "sentences": [
            f"Layer {run.effects.layer} has {neurons_in(run.opened.tower, run.effects.layer)} neurons; the "
            f"{len(neurons)} whose effect through later heads varies most are listed.",
            f"One direction holds {run.effects.first.share.mean():.0%} of a neuron's effect on average.",
            f"The texts of {above} of them predict their effect on held-out images better than 95 % of other neurons' "
            "texts do.",
        ],
    }
    return decompose_manifest(
        run.opened, "neurons", settings=asdict(run.settings), summary=summary, command=command,
        skipped=run.stream.problems(), pool=run.pool, answers=run.answers, notes=class_notes(run.opened, run.settings),
    )  # fmt: skip
