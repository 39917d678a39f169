"""Heads of a CLIP-like model, audited: their names in text, and what the model answers without each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float, Int

from microtome.core.errors import DataError, RunError
from microtome.data.base import ImageData, ItemData
from microtome.data.groups import WorldBirds
from microtome.data.restrict import Subset
from microtome.data.world.arrangements import Arrangements
from microtome.data.world.dataset import World
from microtome.models.model import Model
from microtome.models.repaired import write_repaired
from microtome.models.repaired_heads import pack_heads
from microtome.recipes.answering import Answering, answering
from microtome.recipes.audit.detectors import heads_of
from microtome.recipes.audit.effect_tables import class_rows, curve_rows, group_rows
from microtome.recipes.audit.effects import effects_of_each, like_mass
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.head_model import HeadModel, HeldHeads
from microtome.recipes.audit.image_opening import Images, card_of, image_notes, open_all, read_all
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.opening import without_classes
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.writing import check_weights_name, picture_rows, write_image_cases
from microtome.recipes.decompose_heads import decompose_heads
from microtome.recipes.decompose_settings import HeadSettings
from microtome.recipes.decomposition import Decomposition
from microtome.recipes.direct_pass import PassSettings
from microtome.record.one_pass import Progress

if TYPE_CHECKING:
    from microtome.recipes.audit.run import AuditInputs

Row = dict[str, Any]
HEADS_FOLDER = "heads"
"""Beside an audit's folder stands the run that names the heads."""
NAMED_BY = 10
"""Texts of each head in a run that the audit makes itself."""
MOST_IMAGES = 600
"""Images on which the effect of each head is measured."""
STRONGEST = 4
"""Heads of a class that are cut together."""
HOWS = ("mean", "zero", "resample")


@final
class HeadSubject:
    """See `subjects.Subject`."""

    def __init__(
        self, model: Model, answers: Answering, run: Decomposition, images: Images, inputs: AuditInputs,
        settings: AuditSettings,
    ) -> None:  # fmt: skip
        self._model, self._run, self._images, self._inputs, self._settings = model, run, images, inputs, settings
        self._made: ImageParts | None = None
        names, detectors = heads_of(run, without_classes(images.data).concepts)
        self.asked = HeadModel(
            model, answers, names, detectors, batch_size=min(settings.batch_size, 64), seed=settings.seed
        )

    def parts(self, progress: Progress) -> ImageParts:
        """Everything read once."""
        if self._made is None:
            read = read_all(
                self._images, self._model, self.asked.classes, self._inputs.classes, self._settings, progress
            )
            self._made = ImageParts(
                self.asked, read.donors, read.hosts, read.shift, outputs=read.outputs, targets=read.targets,
                settings=self._settings, allowed=read.allowed,
            )  # fmt: skip
        return self._made

    @property
    def _parts(self) -> ImageParts:
        assert self._made is not None
        return self._made

    def plan(self) -> dict[str, Any]:
        return {
            "model": self._model.fingerprint(), "preprocess": repr(self._model.preprocess),
            "run": self._run.manifest["created"], **self._images.fingerprints(), "texts": self.asked.answers.how,
            "classes": None if self._inputs.classes is None else list(self._inputs.classes),
        }  # fmt: skip

    def accuracy(self) -> float:
        return self._parts.accuracy()

    def described(self) -> Mapping[str, Any]:
        shift = self._images.shift
        return {
            "model": {**self._run.manifest["model"], "units": self.asked.parts},
            "data": card_of(self._images.data), "shift": None if shift is None else card_of(shift),
            "hosts": None if self._images.hosts is self._images.data else card_of(self._images.hosts),
        }  # fmt: skip

    def summary(self) -> Mapping[str, Any]:
        return {"run": str(self._run.path), "images": len(self._parts.hosts), "texts": self.asked.answers.how}

    def notes(self) -> list[str]:
        how = {"mean": "its mean over the data", "zero": "zero", "resample": "what it is on another image"}
        return [
            *self._model.notes, *image_notes(self._images),
            f"Classes are asked for as texts: {self.asked.answers.how}.",
            f"Heads are named by the texts of the run {self._run.path}. A cut head's term of the output is set to "
            f"{how[self._settings.ablate]}; what it wrote is still read by the layers after it: its direct effect is "
            "taken, not its total.",
            "Heads write in spaces of their own, so no direction over heads is taken out.",
        ]  # fmt: skip

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        parts = self._parts
        pictures, inside = picture_rows(parts, audited, folder)
        for row in findings:
            if row["number"] in inside:
                row["heat_inside"], row["heat_area"] = inside[row["number"]]
        measured = MeasuredHeads(self.asked, parts, seed=self._settings.seed)
        return {"finding_images": pictures, **measured.tables(progress)}, []

    def write_cases(self, audited: Audited, folder: Path) -> int:
        return write_image_cases(self._parts, audited, folder)

    def write_repair(self, change: Change, path: Path) -> str:
        check_weights_name(path)
        repair = self.asked.repair(change)
        write_repaired(path, self._model, changed=pack_heads(repair))
        if repair.weight is not None:
            return (
                f"{path} holds the model with a last layer in place of its class texts, trained anew: load it with "
                "microtome (--weights); it then answers with these classes and takes no texts."
            )
        listed = ", ".join(f"{layer}.{head}" for layer, head in repair.heads)
        return (
            f"{path} holds the model's weights and beside them the mean terms of heads {listed}: load it with "
            "microtome (--weights), which cuts the heads' direct effect in every pass."
        )


class MeasuredHeads:
    """What is lost without each head's direct effect, on labelled images.

    Parameters
    ----------
    asked:
        The model.
    parts:
        Its images, read.
    seed:
        Decides draws.
    """

    def __init__(self, asked: HeadModel, parts: ImageParts, *, seed: int) -> None:
        labelled = np.flatnonzero(parts.truth >= 0)
        order = np.random.default_rng([seed, 73]).permutation(len(labelled))[:MOST_IMAGES]
        rows = labelled[np.sort(order)]
        self.asked, self.parts, self.seed = asked, parts, seed
        self.held: HeldHeads = asked.take(parts.held, rows)
        self.truth: Int[np.ndarray, " item"] = parts.truth[rows]
        self.before = asked.answer(self.held)
        self.mass = asked.mass(self.held)

    def each(self, how: str) -> Iterator[tuple[int, Float[np.ndarray, "item klass"]]]:
        """(head, logits without it)."""
        for part in self.asked.names:
            yield part, self.asked.answer(self.held, Change(parts=(part,), how=how))

    def together(self, parts: tuple[int, ...]) -> Float[np.ndarray, "item klass"]:
        """Logits with heads set to their mean."""
        return self.asked.answer(self.held, Change(parts=parts)) if parts else self.before

    def tables(self, progress: Progress) -> dict[str, list[Row]]:
        """`part_effects`, `class_parts`, `effect_curves`, `effect_groups`."""
        found = {}
        for done, how in enumerate(HOWS):
            progress("cutting heads", done, len(HOWS))
            found[how] = effects_of_each(self.each, self.before, self.truth, seed=self.seed, how=how)
        progress("cutting heads", len(HOWS), len(HOWS))
        control, classes = like_mass(found["mean"], self.mass), self.asked.classes
        rows: list[Row] = []
        for part, named in self.asked.names.items():
            own = found["mean"][part]
            worst = int(np.nanargmin(own.by_class))
            rows.append({
                **part_columns(named), "mass": self.mass[part], "loss": own.loss, "loss_low": own.low,
                "loss_high": own.high, "accuracy": own.accuracy, "loss_zero": found["zero"][part].loss,
                "loss_resample": found["resample"][part].loss, "loss_random": control[part],
                "worst_class": classes[worst], "worst_class_change": own.by_class[worst],
            })  # fmt: skip
        speaks = {target: self.asked.speaks(self.parts.held, self.parts.truth, target) for target in self.parts.targets}
        by_class = {part: own.by_class for part, own in found["mean"].items()}
        return {
            "part_effects": rows,
            "class_parts": class_rows(self.asked, classes, self.parts.targets, speaks, by_class),
            "effect_curves": curve_rows(self.each, self.together, self.before, self.truth, seed=self.seed),
            "effect_groups": group_rows(
                self.together,
                self.before,
                self.truth,
                self.mass,
                classes,
                speaks,
                self.asked.title,
                strongest=STRONGEST,
                seed=self.seed,
            ),
        }


def open_head_subject(
    model: Model, data: ItemData | str | Path, inputs: AuditInputs, settings: AuditSettings, *, out: Path,
    progress: Progress,
) -> HeadSubject:  # fmt: skip
    """The model's heads, with the run that names them: given, found beside the audit, or made.

    Raises
    ------
    MicrotomeError
        If the model cannot be taken apart, or the data or the run cannot be used.
    """
    images = open_all(data, inputs, settings)
    answers = answering(model, images.hosts.classes)
    if answers is None:
        raise DataError(f"{model.spec} cannot be asked for the classes of {images.hosts.card.name}.")
    named_on = images.data
    if len(named_on) > settings.images:
        named_on = Subset(named_on, count=settings.images, seed=settings.seed)
    run = _the_run(model, named_on, inputs, out=out, seed=settings.seed, progress=progress)
    return HeadSubject(model, answers, run, images, inputs, settings)


def _the_run(
    model: Model, data: ImageData, inputs: AuditInputs, *, out: Path, seed: int, progress: Progress
) -> Decomposition:
    """A run of `decompose heads` on this model.

    Raises
    ------
    RunError
        If the given run is another.
    """
    if inputs.run is not None:
        found = Decomposition(inputs.run)
        if not _of_heads(found, model):
            raise RunError(
                f"{inputs.run} names no heads of {model.spec} as it is now.",
                expected="a run of `microtome decompose heads` on the same weights",
                next_step="leave --run out to make one",
            )
        return found
    place, pool = out.with_name(f"{out.name}-{HEADS_FOLDER}"), "world" if _is_planted(data) else "general"
    if place.exists():
        found = Decomposition(place)
        told = found.manifest
        same = told["data"]["fingerprint"] == data.fingerprint() and told["seed"] == seed if "seed" in told else False
        if _of_heads(found, model) and same and told["texts"]["name"] == pool:
            return found
    passes = PassSettings(batch_size=64, seed=seed)
    return decompose_heads(
        model, data, texts=pool, out=place, overwrite=True, progress=progress,
        settings=HeadSettings(texts=NAMED_BY, pairs=0, shown_images=2, shown_texts=1, images=passes),
        command=(
            "microtome", "decompose", "heads", model.spec, "--data", data.card.spec or data.card.name, "--texts", pool,
            "--count", str(NAMED_BY), "--pairs", "0",
        ),
    )  # fmt: skip


def _of_heads(run: Decomposition, model: Model) -> bool:
    told = run.manifest
    return told.get("kind") == "decompose heads" and told["model"]["sha256"] == model.fingerprint()


def _is_planted(data: ImageData) -> bool:
    """Whether the images are of the planted world, whose captions use its words."""
    inner: Any = data
    while isinstance(inner, Subset):
        inner = inner.whole
    return isinstance(inner, World | WorldBirds | Arrangements)
