"""Units of an image model, audited: their names from a dissection, and what the model does with each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from microtome.data.base import ItemData
from microtome.models.model import Model
from microtome.recipes.audit.detectors import units_of
from microtome.recipes.audit.effect_tables import Measured
from microtome.recipes.audit.image_opening import Images, card_of, image_notes, open_all, read_all
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.opening import the_run, without_classes
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.unit_extras import kind_tables, link_rows
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.audit.weighed import beside_units, keep_directions, weigh
from microtome.recipes.audit.writing import picture_rows, write_image_cases, write_unit_repair
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress

if TYPE_CHECKING:
    from microtome.recipes.audit.run import AuditInputs

Row = dict[str, Any]


@final
class UnitSubject:
    """See `subjects.Subject`."""

    def __init__(
        self, model: Model, run: Dissection, images: Images, inputs: AuditInputs, settings: AuditSettings
    ) -> None:
        self._model, self._run, self._images, self._inputs, self._settings = model, run, images, inputs, settings
        self._made: ImageParts | None = None
        self.layer = str(run.manifest["model"]["layer"])
        names, detectors = units_of(run)
        self.asked = UnitModel(model, self.layer, names, detectors, batch_size=settings.batch_size, seed=settings.seed)

    def parts(self, progress: Progress) -> ImageParts:
        """Everything read once."""
        if self._made is None:
            read = read_all(
                self._images, self._model, self._model.classes, self._inputs.classes, self._settings, progress
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
            "model": self._model.fingerprint(), "preprocess": repr(self._model.preprocess), "layer": self.layer,
            "run": self._run.manifest["created"], **self._images.fingerprints(),
            "classes": None if self._inputs.classes is None else list(self._inputs.classes),
        }  # fmt: skip

    def accuracy(self) -> float:
        return self._parts.accuracy()

    def described(self) -> Mapping[str, Any]:
        told = self._run.manifest["model"]
        shift = self._images.shift
        return {
            "model": {**told, "linear_tail": self.asked.tail is not None},
            "data": card_of(self._images.data), "shift": None if shift is None else card_of(shift),
            "hosts": None if self._images.hosts is self._images.data else card_of(self._images.hosts),
        }  # fmt: skip

    def summary(self) -> Mapping[str, Any]:
        return {"run": str(self._run.path), "images": len(self._parts.hosts)}

    def notes(self) -> list[str]:
        found = [*self._model.notes, *image_notes(self._images)]
        found.append(
            f"Units are named by the dissection {self._run.path}. A cut unit is set to its "
            + {"mean": "mean over the data.", "zero": "zero.", "resample": "value on another image."}[
                self._settings.ablate
            ]
        )
        return found

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        parts = self._parts
        pictures, inside = picture_rows(parts, audited, folder)
        for row in findings:
            if row["number"] in inside:
                row["heat_inside"], row["heat_area"] = inside[row["number"]]
        tables: dict[str, list[Row]] = {"finding_images": pictures}
        notes: list[str] = []
        kinds, kind_rows, note = kind_tables(self._run, self.asked, parts.held)
        tables["kind_shares"] = kind_rows
        notes.append(note)
        labelled = np.flatnonzero(parts.truth >= 0)
        measured = Measured(
            self.asked, self.asked.take(parts.held, labelled), [parts.hosts.pixels[row] for row in labelled],
            parts.truth[labelled], seed=self._settings.seed, cache=folder / "cache",
        )  # fmt: skip
        speaks = {target: self.asked.speaks(parts.held, parts.truth, target) for target in parts.targets}
        progress("weighing directions", 0, 1)
        weighing = weigh(self.asked, parts, audited, most=self._settings.directions, seed=self._settings.seed)
        keep_directions(weighing.found, folder)
        tables |= {"concept_directions": [*weighing.rows], "concept_direction_paths": [*weighing.paths]}
        beside = beside_units(self.asked, weighing.found, parts, measured)
        tables |= measured.tables(self._run, kinds, parts.classes, speaks, progress=progress, beside=beside)
        links, said = link_rows(self._model, self.asked, parts)
        tables["part_links"] = links
        return tables, [*notes, *weighing.notes, *said]

    def write_cases(self, audited: Audited, folder: Path) -> int:
        return write_image_cases(self._parts, audited, folder)

    def write_repair(self, change: Change, path: Path) -> str:
        return write_unit_repair(self.asked, change, path)


def open_unit_subject(
    model: Model, layer: str | None, data: ItemData | str | Path, inputs: AuditInputs, settings: AuditSettings, *,
    out: Path, progress: Progress,
) -> UnitSubject:  # fmt: skip
    """The model's units, with the dissection that names them: given, found beside the audit, or made."""
    images = open_all(data, inputs, settings)
    named_on = without_classes(images.data)
    run = the_run(inputs.run, model, layer, named_on, out=out, seed=settings.seed, overwrite=inputs.overwrite,
        progress=progress,
    )  # fmt: skip
    return UnitSubject(model, run, images, inputs, settings)
