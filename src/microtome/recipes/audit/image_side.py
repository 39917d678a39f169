"""What audits of images have in common, whatever the parts are: the images, read once, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microtome.models.model import Model
from microtome.recipes.audit.asked import AskedModel
from microtome.recipes.audit.image_opening import Images, card_of, read_all
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.writing import picture_rows, write_image_cases
from microtome.record.one_pass import Progress

Row = dict[str, Any]


class ImageSide:
    """The images of an audit and the model in parts.

    Parameters
    ----------
    model, asked:
        The model, and in parts.
    run:
        Of the run that names them: its folder and its manifest.
    images:
        The data sets.
    """

    def __init__(
        self, model: Model, asked: AskedModel, run: tuple[Path, Mapping[str, Any]], images: Images, inputs: AuditInputs,
        settings: AuditSettings,
    ) -> None:  # fmt: skip
        self.model, self.asked, self.images, self.settings = model, asked, images, settings
        self.run, self.told = run
        self._inputs = inputs
        self._made: ImageParts | None = None

    def read(self, progress: Progress) -> ImageParts:
        """Everything read once."""
        if self._made is None:
            read = read_all(self.images, self.model, self.asked.classes, self._inputs.classes, self.settings, progress)
            self._made = ImageParts(
                self.asked, read.donors, read.hosts, read.shift, outputs=read.outputs, targets=read.targets,
                settings=self.settings, allowed=read.allowed,
            )  # fmt: skip
        return self._made

    @property
    def parts(self) -> ImageParts:
        """What was read."""
        assert self._made is not None
        return self._made

    def plan(self) -> dict[str, Any]:
        """What decides the result."""
        return {
            "model": self.model.fingerprint(), "preprocess": repr(self.model.preprocess), "run": self.told["created"],
            **self.images.fingerprints(),
            "classes": None if self._inputs.classes is None else list(self._inputs.classes),
        }  # fmt: skip

    def described(self, more: Mapping[str, Any]) -> Mapping[str, Any]:
        """`model` (with more keys), `data`, `shift` and `hosts` of the manifest."""
        shift, hosts = self.images.shift, self.images.hosts
        return {
            "model": {**self.told["model"], **more}, "data": card_of(self.images.data),
            "shift": None if shift is None else card_of(shift),
            "hosts": None if hosts is self.images.data else card_of(hosts),
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """Further keys of the manifest's summary."""
        return {"run": str(self.run), "run_created": self.told["created"], "images": len(self.parts.hosts)}

    def pictures(self, audited: Audited, findings: list[Row], folder: Path) -> list[Row]:
        """Rows of `finding_images`; the findings get their shares of heat."""
        pictures, inside = picture_rows(self.parts, audited, folder)
        for row in findings:
            if row["number"] in inside:
                row["heat_inside"], row["heat_area"] = inside[row["number"]]
        return pictures

    def write_cases(self, audited: Audited, folder: Path) -> int:
        """Save the cases of proved faults; returns how many."""
        return write_image_cases(self.parts, audited, folder)
