"""Units of an image model, audited: their names from a dissection, and what the model does with each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from microtome.data.base import ItemData
from microtome.models.model import Model
from microtome.recipes.audit.detectors import units_of
from microtome.recipes.audit.effect_tables import Measured
from microtome.recipes.audit.image_opening import Images, image_notes, open_all
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.image_side import ImageSide
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.opening import the_run, without_classes
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.unit_extras import kind_tables, link_rows
from microtome.recipes.audit.unit_model import UnitModel
from microtome.recipes.audit.weighed import beside_units, keep_directions, weigh
from microtome.recipes.audit.writing import write_unit_repair
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress

Row = dict[str, Any]


@final
class UnitSubject:
    """See `subjects.Subject`."""

    def __init__(
        self, model: Model, run: Dissection, images: Images, inputs: AuditInputs, settings: AuditSettings
    ) -> None:
        self._run, self.layer = run, str(run.manifest["model"]["layer"])
        names, detectors = units_of(run)
        self.asked = UnitModel(model, self.layer, names, detectors, batch_size=settings.batch_size, seed=settings.seed)
        self._side = ImageSide(model, self.asked, (run.path, run.manifest), images, inputs, settings)

    def parts(self, progress: Progress) -> ImageParts:
        return self._side.read(progress)

    def plan(self) -> dict[str, Any]:
        return {**self._side.plan(), "layer": self.layer}

    def accuracy(self) -> float:
        return self._side.parts.accuracy()

    def described(self) -> Mapping[str, Any]:
        return self._side.described({"linear_tail": self.asked.tail is not None})

    def summary(self) -> Mapping[str, Any]:
        return self._side.summary()

    def notes(self) -> list[str]:
        side = self._side
        found = [*side.model.notes, *image_notes(side.images)]
        found.append(
            f"Units are named by the dissection {self._run.path}. A cut unit is set to its "
            + {"mean": "mean over the data.", "zero": "zero.", "resample": "value on another image."}[
                side.settings.ablate
            ]
        )
        return found

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        parts, settings = self._side.parts, self._side.settings
        tables: dict[str, list[Row]] = {"finding_images": self._side.pictures(audited, findings, folder)}
        notes: list[str] = []
        kinds, kind_rows, note = kind_tables(self._run, self.asked, parts.held)
        tables["kind_shares"] = kind_rows
        notes.append(note)
        labelled = np.flatnonzero(parts.truth >= 0)
        measured = Measured(
            self.asked, self.asked.take(parts.held, labelled), [parts.hosts.pixels[row] for row in labelled],
            parts.truth[labelled], seed=settings.seed, cache=folder / "cache",
        )  # fmt: skip
        speaks = {target: self.asked.speaks(parts.held, parts.truth, target) for target in parts.targets}
        progress("weighing directions", 0, 1)
        weighing = weigh(self.asked, parts, audited, most=settings.directions, seed=settings.seed)
        keep_directions(weighing.found, folder, self.asked.means)
        tables |= {"concept_directions": [*weighing.rows], "concept_direction_paths": [*weighing.paths]}
        beside = beside_units(self.asked, weighing.found, parts, measured)
        tables |= measured.tables(self._run, kinds, parts.classes, speaks, progress=progress, beside=beside)
        links, said = link_rows(self._side.model, self.asked, parts)
        tables["part_links"] = links
        return tables, [*notes, *weighing.notes, *said]

    def write_cases(self, audited: Audited, folder: Path) -> int:
        return self._side.write_cases(audited, folder)

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
