"""Take a spurious cue from a model's answers: ablate the direct effect of the heads that tell it.

load -> pass over the selection set -> heads that tell the nuisance -> how many -> the same on the test set -> control
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from microtome.core.errors import DataError, MicrotomeError, OptionError
from microtome.data.base import ImageData
from microtome.data.groups import WorldBirds
from microtome.data.restrict import Subset
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.recipes.answering import Answering
from microtome.recipes.debias_heads import (
    Choice,
    Grouping,
    LayerMeans,
    choose_heads,
    look_at,
    ordered,
    random_sets,
    right_without,
    score_of,
)
from microtome.recipes.debias_settings import MOST, DebiasSettings
from microtome.recipes.debias_tables import Tested, chosen_rows, control_rows, group_rows, summary_of
from microtome.recipes.decompose_heads import enough
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import LESS, Opened, bytes_needed, direct_pass, heldout_half, open_both, plan_of
from microtome.recipes.head_choice import Head, checked_heads
from microtome.recipes.property_texts import attribute_named, known_attributes, question_of
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.store.run import RunDraft, read_manifest, read_table
from microtome.store.tables import make_table

FEWEST = 40
_PLACE = "place"


def debias(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "birds",
    *,
    test: ImageData | str | Path | None = None,
    out: Path | str = "runs/debias",
    settings: DebiasSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Mean-ablate the direct effect of the heads that tell a nuisance, and compare groups before and after.

    Parameters
    ----------
    model:
        A loaded vision transformer, or a spec that `load` takes. It must answer with the data's classes: in texts, or
        as classes of its own.
    data:
        The selection set: images in groups (the planted world's birds, a waterbirds folder), or with any two known
        properties. Heads, their number and their means come from it alone.
    test:
        The images that count. Default: of the planted world's birds the split `shift`, of anything else the half of
        `data` that is then held out.
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
    settings = settings or DebiasSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(opened.tower)
    given = _given(opened, settings)
    tested = _test_data(opened, test, settings)
    both = {"test": None if tested is None else tested.data.fingerprint()}
    if len(opened.data) < FEWEST:
        raise OptionError(f"{len(opened.data)} images are too few to choose heads.", expected=f"at least {FEWEST}")
    draft = RunDraft(Path(out), plan=plan_of(opened, "debias", settings.images, both), overwrite=overwrite)
    try:
        images = len(opened.data) + (0 if tested is None else len(tested.data))
        draft.need(bytes_needed(opened.tower, images), less=LESS)
        stream = direct_pass(opened, draft.cache, settings.images)
        stream.run(progress=progress)
        enough(stream, FEWEST)
        other = stream
        if tested is not None:
            other = direct_pass(tested, draft.cache / "test", settings.images)
            other.run(progress=progress, stage="reading the test images")
        found = _found(opened, stream, other, given, settings)
        for name, rows in (
            ("groups", group_rows(found)), ("chosen", chosen_rows(found.choice, opened.tower)),
            ("control", control_rows(found)),
        ):  # fmt: skip
            draft.table(name, make_table(name, rows))
        draft.manifest(_manifest(opened, stream, other, found, settings, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _test_data(opened: Opened, test: ImageData | str | Path | None, settings: DebiasSettings) -> Opened | None:
    """The test set; None: half of the data."""
    if test is not None:
        return open_both(opened.model, test, settings.images)
    inner = opened.data
    while isinstance(inner, Subset):
        inner = inner.whole
    if isinstance(inner, WorldBirds) and inner.split != "shift":
        birds = WorldBirds("shift", count=len(opened.data), size=inner.size, seed=inner.seed)
        return Opened(opened.model, opened.tower, birds)
    return None


def _given(opened: Opened, settings: DebiasSettings) -> tuple[Head, ...] | None:
    """The heads that were given by number or by label; None where they are to be chosen."""
    if not settings.label:
        return checked_heads(settings.heads, opened.tower)
    run = Path(settings.run)
    manifest = read_manifest(run)
    if manifest.get("kind") != "decompose heads" or manifest["model"]["sha256"] != opened.model.fingerprint():
        raise OptionError(
            f"{run} is no run of `microtome decompose heads` on this model.",
            expected="one on the same weights",
            next_step="name the model's heads anew",
        )
    rows = [row for row in read_table(run, "heads").to_pylist() if row["labelled"]]
    own = sorted((row for row in rows if row["label"] == settings.label), key=lambda row: -row["variance"])
    if not own:
        labels = sorted({row["label"] for row in rows})
        raise OptionError(
            f"No head of {run} is labelled '{settings.label}'.",
            expected=f"one of {', '.join(labels)}" if labels else "a run with labels: a pool that has properties",
        )
    return tuple((int(row["layer"]), int(row["head"])) for row in own[: settings.top])


def _grouping(stream: StreamPass, settings: DebiasSettings) -> Grouping:
    known = known_attributes(stream)
    label = attribute_named(known, settings.by or "class", "--by")
    if not settings.nuisance and _PLACE not in known:
        raise OptionError(
            "No nuisance is named, and the images are in no groups.",
            expected=f"--nuisance with one of {', '.join(name for name in known if name != label.name) or 'nothing'}",
            next_step="use birds:heldout@1000, a waterbirds folder, or images with two properties",
        )
    nuisance = attribute_named(known, settings.nuisance or _PLACE, "--nuisance")
    if nuisance.name == label.name:
        raise OptionError(f"{label.name} is to be answered and is the nuisance.", expected="two properties")
    return Grouping(stream, label, nuisance)


def _found(
    opened: Opened, stream: StreamPass, other: StreamPass, given: tuple[Head, ...] | None, settings: DebiasSettings
) -> Tested:
    selection, test = _grouping(stream, settings), _grouping(other, settings)
    if (selection.label.values, selection.nuisance.values) != (test.label.values, test.nuisance.values):
        raise DataError(
            "The test images have other classes or another nuisance than the selection set.",
            expected=f"{', '.join(selection.label.values)}; {', '.join(selection.nuisance.values)}",
        )
    question = question_of(
        opened, stream, selection.label.name, texts=settings.classes, template=settings.template
    )  # fmt: skip
    if question.answers is None:
        raise OptionError(
            f"{opened.model.spec} cannot be asked for {selection.label.name}: it has no texts, and not all of these "
            "classes are its own.",
            expected=f"a CLIP-like model, or classes named {', '.join(selection.label.values)}",
        )
    seed = settings.images.seed
    if other is stream:
        held = heldout_half(len(selection.known), seed)
        used, asked = selection.known & ~held, selection.known & held
    else:
        used, asked = selection.known, test.known
    if not asked.any():
        raise DataError("No test image has a known class and nuisance.", expected="at least one")
    tower = opened.tower
    choice, means = _choice(selection, tower, question.answers, used, given, settings)
    return _tested(test, tower, question.answers, asked, choice, means, settings)


def _choice(
    selection: Grouping, tower: Tower, answers: Answering, used: Bool[np.ndarray, " image"],
    given: tuple[Head, ...] | None, settings: DebiasSettings,
) -> tuple[Choice, LayerMeans]:  # fmt: skip
    if given is None:
        most = min(MOST, len(tower.layers) * tower.heads)
        return choose_heads(
            selection, tower, answers, used, most=most, top=settings.top, seed=settings.images.seed
        )  # fmt: skip
    shares, means = look_at(selection, tower, used)
    return Choice(shares, score_of(shares), ordered(score_of(shares), tower.heads), given), means


def _tested(
    test: Grouping, tower: Tower, answers: Answering, asked: Bool[np.ndarray, " image"], choice: Choice,
    means: LayerMeans, settings: DebiasSettings,
) -> Tested:  # fmt: skip
    draws = random_sets(
        tower.heads, len(tower.layers), len(choice.heads), settings.control_draws if choice.heads else 0,
        settings.images.seed,
    )  # fmt: skip
    right = right_without(test, tower, answers, asked, means, [(), choice.heads, *draws])
    return Tested(
        choice, answers, test.label.values, test.nuisance.values, test.label.of[asked], test.nuisance.of[asked],
        right[0], right[1], right[2:], tuple(draws), settings.images.seed,
    )  # fmt: skip


def _manifest(
    opened: Opened, stream: StreamPass, other: StreamPass, found: Tested, settings: DebiasSettings,
    command: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    selection = _grouping(stream, settings)
    test = {"name": other.data.card.name, "images": len(found.right_before), "own": other is stream}
    summary = {
        "by": selection.label.name, "nuisance": selection.nuisance.name, "test": test, **summary_of(found),
        "heads_given": settings.heads is not None or bool(settings.label),
    }  # fmt: skip
    notes = [
        "Heads, their number and their means come from the selection set alone; accuracy is that of the test set. The "
        "means give every group the same weight.",
        "What the heads wrote is still read by the layers after them: their direct effect is taken, not their total.",
        f"Test set: {other.data.card.name}{', the half held out' if other is stream else ''}.",
    ]
    skipped = stream.problems() + ([] if other is stream else other.problems())
    return decompose_manifest(
        opened, "debias", settings=asdict(settings), summary=summary, command=command, skipped=skipped,
        answers=found.answers, notes=notes,
    )  # fmt: skip


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
