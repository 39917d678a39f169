"""Heads or neurons of a CLIP-like model, audited: their names in text, and what it answers without each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError
from microtome.data.base import ItemData
from microtome.data.restrict import Subset
from microtome.models.model import Model
from microtome.models.output_repair import pack_output
from microtome.models.repaired import write_repaired
from microtome.models.towers.find import tower_of
from microtome.recipes.answering import Answering, answering
from microtome.recipes.audit.effect_tables import class_rows, curve_rows, effects_by_cut, group_rows
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.image_opening import Images, image_notes, open_all
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.image_side import ImageSide
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.opening import without_classes
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.term_model import HeldTerms, TermModel
from microtome.recipes.audit.term_runs import layer_number, open_terms, term_run
from microtome.recipes.audit.writing import check_weights_name
from microtome.recipes.decomposition import Decomposition
from microtome.record.one_pass import Progress

Row = dict[str, Any]
MOST_IMAGES = 600
"""Images on which the effect of each part is measured."""
STRONGEST = {"heads": 4, "neurons": 16}
"""Parts of a class that are cut together."""


@final
class TermSubject:
    """See `subjects.Subject`."""

    def __init__(
        self, model: Model, answers: Answering, run: Decomposition, images: Images, inputs: AuditInputs,
        settings: AuditSettings,
    ) -> None:  # fmt: skip
        named = open_terms(model, run, without_classes(images.data).concepts)
        self.asked = TermModel(
            model, named.source, answers, named.names, named.detectors, batch_size=min(settings.batch_size, 64),
            seed=settings.seed,
        )  # fmt: skip
        self._side = ImageSide(model, self.asked, (run.path, run.manifest), images, inputs, settings)

    def parts(self, progress: Progress) -> ImageParts:
        return self._side.read(progress)

    def plan(self) -> dict[str, Any]:
        return {**self._side.plan(), "texts": self.asked.answers.how}

    def accuracy(self) -> float:
        return self._side.parts.accuracy()

    def described(self) -> Mapping[str, Any]:
        layer = {} if self.asked.kind == "heads" else {"layer": f"layer {self._side.told['summary']['layer']}"}
        return self._side.described({"units": self.asked.parts, **layer})

    def summary(self) -> Mapping[str, Any]:
        return {**self._side.summary(), "texts": self.asked.answers.how}

    def notes(self) -> list[str]:
        how = {"mean": "its mean over the data", "zero": "zero", "resample": "what it is on another image"}
        side, lent = self._side, how[self._side.settings.ablate]
        found = [
            *side.model.notes, *image_notes(side.images),
            f"Classes are asked for as texts: {self.asked.answers.how}.",
        ]  # fmt: skip
        if self.asked.kind == "heads":
            return [
                *found,
                f"Heads are named by the texts of the run {side.run}. A cut head's term of the output is set to "
                f"{lent}; what it wrote is still read by the layers after it: its direct effect is taken, not its "
                "total.",
                "Heads write in spaces of their own, so no direction over heads is taken out.",
            ]
        summary = side.told["summary"]
        return [
            *found,
            f"Neurons of layer {summary['layer']} are named by the texts of the run {side.run}, the "
            f"{summary['listed']} of largest effect. A neuron's effect is what later heads read of it into the output, "
            f"along its first direction (of its variance {summary['mean_first_share']:.0%} on average). Cutting a "
            f"neuron sets this effect to {lent}; whatever else the layers after it make of it stays.",
        ]

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        measured = MeasuredTerms(self.asked, self._side.parts, seed=self._side.settings.seed)
        return {"finding_images": self._side.pictures(audited, findings, folder), **measured.tables(progress)}, []

    def write_cases(self, audited: Audited, folder: Path) -> int:
        return self._side.write_cases(audited, folder)

    def write_repair(self, change: Change, path: Path) -> str:
        check_weights_name(path)
        repair = self.asked.repair(change)
        write_repaired(path, self._side.model, changed=pack_output(repair))
        if repair.weight is not None:
            return (
                f"{path} holds the model with a last layer in place of its class texts, trained anew: load it with "
                "microtome (--weights); it then answers with these classes and takes no texts."
            )
        return (
            f"{path} holds the model's weights, and beside them how the effect of {repair.words} on the output is "
            f"{repair.done}: load it with microtome (--weights), which does so in every pass."
        )


class MeasuredTerms:
    """What is lost without each part's effect on the output, on labelled images.

    Parameters
    ----------
    asked:
        The model.
    parts:
        Its images, read.
    seed:
        Decides draws.
    """

    def __init__(self, asked: TermModel, parts: ImageParts, *, seed: int) -> None:
        labelled = np.flatnonzero(parts.truth >= 0)
        order = np.random.default_rng([seed, 73]).permutation(len(labelled))[:MOST_IMAGES]
        rows = labelled[np.sort(order)]
        self.asked, self.parts, self.seed = asked, parts, seed
        self.held: HeldTerms = asked.take(parts.held, rows)
        self.truth: Int[np.ndarray, " item"] = parts.truth[rows]
        self.before = asked.answer(self.held)
        self.mass = asked.mass(self.held)

    def each(self, how: str) -> Iterator[tuple[int, Float[np.ndarray, "item klass"]]]:
        """(part, logits without it)."""
        for part in self.asked.names:
            yield part, self.asked.answer(self.held, Change(parts=(part,), how=how))

    def together(self, parts: tuple[int, ...]) -> Float[np.ndarray, "item klass"]:
        """Logits with parts set to their mean."""
        return self.asked.answer(self.held, Change(parts=parts)) if parts else self.before

    def tables(self, progress: Progress) -> dict[str, list[Row]]:
        """`part_effects`, `class_parts`, `effect_curves`, `effect_groups`."""
        asked, classes, targets = self.asked, self.asked.classes, self.parts.targets
        found, columns = effects_by_cut(
            self.each, self.before, self.truth, self.mass, classes, seed=self.seed, word=asked.source.word,
            progress=progress,
        )  # fmt: skip
        speaks = {target: asked.speaks(self.parts.held, self.parts.truth, target) for target in targets}
        by_class = {part: own.by_class for part, own in found.items()}
        adds = {target: dict(enumerate(own.tolist())) for target, own in speaks.items()}
        return {
            "part_effects": [{**part_columns(named), **columns[part]} for part, named in asked.names.items()],
            "class_parts": class_rows(asked.names, classes, adds, by_class, None),
            "effect_curves": curve_rows(self.each, self.together, self.before, self.truth, seed=self.seed),
            "effect_groups": group_rows(
                self.together, self.before, self.truth, self.mass, classes, speaks, asked.title,
                strongest=STRONGEST[asked.kind], seed=self.seed,
            ),
        }  # fmt: skip


def open_term_subject(
    model: Model, layer: str | None, data: ItemData | str | Path, inputs: AuditInputs, settings: AuditSettings, *,
    out: Path, progress: Progress,
) -> TermSubject:  # fmt: skip
    """The model's heads, or the neurons of a layer, with the run that names them: given, found beside, or made.

    Raises
    ------
    MicrotomeError
        If the model cannot be taken apart, or the data or the run cannot be used.
    """
    number = None if layer is None else layer_number(layer, tower_of(model))
    images = open_all(data, inputs, settings)
    answers = answering(model, images.hosts.classes)
    if answers is None:
        raise DataError(f"{model.spec} cannot be asked for the classes of {images.hosts.card.name}.")
    named_on = images.data
    if len(named_on) > settings.images:
        named_on = Subset(named_on, count=settings.images, seed=settings.seed)
    run = term_run(model, number, named_on, inputs.run, out=out, seed=settings.seed, overwrite=inputs.overwrite,
        progress=progress,
    )  # fmt: skip
    return TermSubject(model, answers, run, images, inputs, settings)
