"""Ablate the terms of a vision transformer and see what its answers lose, directly and in total.

load -> one pass of exact terms -> means of the searched half -> curves on the held-out half -> the same in the model
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from microtome.core.errors import MicrotomeError, OptionError
from microtome.data.base import ImageData
from microtome.models.model import Model
from microtome.models.towers.base import Tower
from microtome.recipes.ablation_curves import (
    PROBE,
    RETRAINED,
    ZERO_SHOT,
    Direct,
    Reads,
    Row,
    Step,
    direct_rows,
    retrained_rows,
    steps_of,
    total_rows,
)
from microtome.recipes.decompose_heads import enough
from microtome.recipes.decompose_manifest import decompose_manifest
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import (
    LESS,
    Opened,
    PassSettings,
    bytes_needed,
    direct_pass,
    heldout_half,
    open_both,
    plan_of,
)
from microtome.recipes.head_choice import Head, checked_heads, telling, words_of
from microtome.recipes.property_texts import Question, question_of
from microtome.recipes.total_effect import Sample, can_hold_heads, position_means
from microtome.record.one_pass import Progress, silent
from microtome.record.stream import StreamPass
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.linear_probe import train_probe

FEWEST = 40
CHOSEN = 4
_OWN = "own classes"


@dataclass(frozen=True)
class AblateSettings:
    """What is ablated and how accuracy is measured.

    Attributes
    ----------
    by:
        The property that is to be answered; empty: the class, or where there is none the first property known.
    heads:
        The heads of the curve `heads`; None: the four that tell the property most on the searched half.
    total_images:
        Held-out images on which the total effect is measured, and as many searched ones for its means; kept in memory.
        0: direct effects alone. Time grows with it times the number of layers.
    retrained:
        Also train a probe anew on the ablated outputs of every step.
    classes, template:
        How the values are put into words; empty: the wording of the property, or the model's own template.
    images:
        How images go through the model.
    """

    by: str = ""
    heads: tuple[Head, ...] | None = None
    total_images: int = 256
    retrained: bool = False
    classes: tuple[str, ...] = ()
    template: str = ""
    images: PassSettings = field(default_factory=PassSettings)

    def checked(self, tower: Tower) -> AblateSettings:
        """These settings, once they fit a model. Raises OptionError for a value out of its range."""
        if not 0 <= self.total_images <= 100_000:
            raise OptionError(f"The setting total_images is {self.total_images}.", expected="0 to 100000")
        checked_heads(self.heads, tower)
        return self


def ablate_terms(
    model: Model | str = "world:clip",
    data: ImageData | str | Path = "arranged",
    *,
    out: Path | str = "runs/ablate",
    settings: AblateSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Decomposition:
    """Measure accuracy without MLPs, attention layers, heads or the embedding: their direct and their total effect.

    Parameters
    ----------
    model:
        A loaded vision transformer, or a spec that `load` takes. One without texts answers with its own classes, and
        in any case a linear probe answers.
    data:
        Images of which a class or a property is known, or what `open_data` takes. Half of them give the means and
        train the probe, the other half are answered.
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
    settings = settings or AblateSettings()
    opened = open_both(model, data, settings.images)
    settings = settings.checked(opened.tower)
    if len(opened.data) < FEWEST:
        raise OptionError(f"{len(opened.data)} images are too few to ablate with.", expected=f"at least {FEWEST}")
    draft = RunDraft(Path(out), plan=plan_of(opened, "ablate", settings.images, {}), overwrite=overwrite)
    try:
        draft.need(bytes_needed(opened.tower, len(opened.data)), less=LESS)
        stream = direct_pass(opened, draft.cache, settings.images)
        stream.run(progress=progress)
        enough(stream, FEWEST)
        heldout = heldout_half(len(stream.index()), settings.images.seed)
        question = question_of(
            opened, stream, settings.by, texts=settings.classes, template=settings.template
        )  # fmt: skip
        heads = checked_heads(settings.heads, opened.tower) or _most_telling(stream, opened.tower, question, heldout)
        rows = _curves(opened, stream, heldout, question, heads, settings, progress)
        draft.table("curves", make_table("curves", rows))
        draft.manifest(_manifest(opened, stream, heldout, question, heads, rows, settings, command))
        _report(draft)
        return Decomposition(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _most_telling(
    stream: StreamPass, tower: Tower, question: Question, heldout: Bool[np.ndarray, " image"]
) -> tuple[Head, ...]:
    """The heads in which the property explains most variance of the output, on the searched half."""
    share, variance = telling(stream, tower, question.labels, ~heldout)
    first = np.argsort(-share * variance, kind="stable")[:CHOSEN]
    return tuple(sorted((int(n) // tower.heads, int(n) % tower.heads) for n in first))


def _curves(
    opened: Opened, stream: StreamPass, heldout: Bool[np.ndarray, " image"], question: Question,
    heads: Sequence[Head], settings: AblateSettings, progress: Progress,
) -> list[Row]:  # fmt: skip
    labels = question.labels
    seen, asked = ~heldout & (labels >= 0), heldout & (labels >= 0)
    if not asked.any():
        raise OptionError(f"No held-out image has a known {question.attribute.name}.", expected="more images")
    outputs = stream.whole("output").astype(np.float64)
    reads: Reads = {}
    if question.answers is not None:
        reads[ZERO_SHOT if question.answers.cosine else _OWN] = question.answers.answers
    reads[PROBE] = train_probe(outputs[seen], labels[seen]).answers
    steps = steps_of(len(opened.tower.layers), heads)
    direct = Direct.of(opened, stream, ~heldout)
    rows = direct_rows(direct, steps, reads, labels, heldout, progress)
    if settings.retrained:
        rows += retrained_rows(direct, steps, labels, heldout, progress)
    if settings.total_images:
        rows += _totals(opened, stream, steps, reads, question, heldout, settings, progress)
    return rows


def _totals(
    opened: Opened, stream: StreamPass, steps: list[Step], reads: Reads, question: Question,
    heldout: Bool[np.ndarray, " image"], settings: AblateSettings, progress: Progress,
) -> list[Row]:  # fmt: skip
    rng = np.random.default_rng([settings.images.seed, 3])
    index, labels = stream.index(), question.labels
    searched = np.sort(rng.permutation(np.flatnonzero(~heldout))[: settings.total_images])
    asked = np.sort(rng.permutation(np.flatnonzero(heldout & (labels >= 0)))[: settings.total_images])
    means = position_means(opened, Sample.of(opened, index[searched], settings.images.batch_size))
    sample = Sample.of(opened, index[asked], settings.images.batch_size)
    return total_rows(opened, steps, reads, labels[asked], sample=sample, means=means, progress=progress)


def _manifest(
    opened: Opened, stream: StreamPass, heldout: Bool[np.ndarray, " image"], question: Question,
    heads: Sequence[Head], rows: Sequence[Row], settings: AblateSettings, command: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    labels = question.labels
    asked = labels[heldout & (labels >= 0)]
    summary = {
        "by": question.attribute.name,
        "values": list(question.attribute.values),
        "images": len(labels),
        "heldout": len(asked),
        "total_images": max((row["images"] for row in rows if row["kind"] == "total"), default=0),
        "heads": [list(head) for head in heads],
        "heads_given": settings.heads is not None,
        "chance": float(np.bincount(asked).max() / len(asked)),
        "base": {row["probe"]: row["base"] for row in rows if row["kind"] == "direct"},
        "sentences": sentences(rows),
    }
    notes = [
        "The means come from the searched half, accuracy from the held-out half. The linear probe is trained once, on "
        "the searched half's whole outputs, and reads the ablated ones as it is.",
        "Direct effect: what a part writes straight into the output. Total effect: the part is held at its mean (by "
        "token position) in the model itself, so the layers after it see it.",
    ]
    if settings.heads is None:
        notes.append(
            f"Heads {words_of(heads)}: those in which {question.attribute.name} explains most variance of the output, "
            "on the searched half."
        )
    if settings.total_images and not can_hold_heads(opened.tower):
        notes.append(
            f"The total effect of single heads is not available: {opened.tower.family} has no module that takes its "
            "heads side by side."
        )
    return decompose_manifest(
        opened, "ablate", settings=asdict(settings), summary=summary, command=command, skipped=stream.problems(),
        answers=question.answers, notes=notes,
    )  # fmt: skip


def sentences(rows: Sequence[Row]) -> list[str]:
    """What the ends of the curves say, in words: one sentence for each way of answering and each set of parts."""
    found: list[str] = []
    for probe in dict.fromkeys(row["probe"] for row in rows if row["probe"] != RETRAINED):
        for curve, words in (
            ("mlps", "all MLPs"), ("attention", "all attention layers"), ("heads", ""), ("embedding", "the embedding")
        ):  # fmt: skip
            own = [row for row in rows if (row["probe"], row["curve"]) == (probe, curve)]
            direct = [row for row in own if row["kind"] == "direct"]
            if not direct:
                continue
            last = direct[0] if curve == "heads" else max(direct, key=lambda row: row["step"])
            total = [row for row in own if row["kind"] == "total" and row["step"] == last["step"]]
            found.append(_sentence(words or last["terms"], probe, last, total[0] if total else None))
    return found


def _sentence(words: str, probe: str, direct: Row, total: Row | None) -> str:
    by = "the linear probe's accuracy" if probe == PROBE else f"{probe} accuracy"
    said = f"Without the direct effect of {words}, {by} {_goes(direct)}"
    if total is None:
        return f"{said}."
    where = f"ablated in the model itself, to {_share(total['accuracy'])}"
    if abs(total["base"] - direct["base"]) >= 0.005:
        where += f" (of {_share(total['base'])} on that sample)"
    return f"{said}; {where}."


def _goes(row: Row) -> str:
    before, after = _share(row["base"]), _share(row["accuracy"])
    if before == after:
        return f"stays at {before}"
    return f"{'falls' if row['accuracy'] < row['base'] else 'rises'} from {before} to {after}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _report(draft: RunDraft) -> None:
    from microtome.report.decompose.pages import write_decompose_report

    write_decompose_report(draft.folder)
