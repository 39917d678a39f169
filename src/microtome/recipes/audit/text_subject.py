"""Units of a model of texts, audited: named by a dissection, proved by editing, repaired by cutting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from microtome.core.errors import DataError, ModelError, OptionError, RunError
from microtome.data.base import ItemData
from microtome.data.text.base import TextData
from microtome.data.text.edited import Retold
from microtome.data.text.open import TextSettings, open_texts
from microtome.methods.edit.fold import affine_of
from microtome.models.repaired import write_repaired
from microtome.models.text import TextModel
from microtome.recipes.audit.detectors import units_of
from microtome.recipes.audit.effect_tables import Measured
from microtome.recipes.audit.image_opening import card_of, known_concepts
from microtome.recipes.audit.image_parts import output_map
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import Change
from microtome.recipes.audit.opening import Allowed, read_allowed, targets_of, the_run
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.text_model import TextUnits
from microtome.recipes.audit.text_parts import TextParts
from microtome.recipes.audit.unit_extras import kind_tables
from microtome.recipes.audit.writing import SHOWN, check_weights_name
from microtome.recipes.edit_text import settings_of
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress
from microtome.store.atomic import write_atomically

Row = dict[str, Any]


@final
class TextSubject:
    """See `subjects.Subject`."""

    def __init__(
        self, model: TextModel, run: Dissection, data: TextData, shift: TextData | None, allowed: Allowed,
        inputs: AuditInputs, settings: AuditSettings,
    ) -> None:  # fmt: skip
        self._model, self._run, self._data, self._shift = model, run, data, shift
        self._allowed, self._inputs, self._settings = allowed, inputs, settings
        self._made: TextParts | None = None
        self.layer = str(run.manifest["model"]["layer"])
        names, detectors = units_of(run)
        self.asked = TextUnits(
            model, self.layer, names, detectors, pool=run.manifest["settings"]["pool"],
            batch_size=settings.batch_size, seed=settings.seed,
        )  # fmt: skip

    def parts(self, progress: Progress) -> TextParts:
        """Everything read once."""
        if self._made is None:
            progress("reading texts", 0, 1)
            outputs = output_map(self._data.classes, self._model.classes)
            known = sorted({int(output) for output in outputs if output >= 0})
            place = {name.casefold(): number for number, name in enumerate(self._model.classes)}
            allowed = {
                place[name.casefold()]: names for name, names in self._allowed.classes.items()
                if name.casefold() in place
            }  # fmt: skip
            retold = Retold(self._data, settings_of(dict(self._data.card.settings)))
            self._made = TextParts(
                self.asked, self._data, retold, self._shift, outputs=outputs,
                targets=targets_of(self._inputs.classes, self._model.classes, known), settings=self._settings,
                allowed=allowed,
            )  # fmt: skip
            progress("reading texts", 1, 1)
        return self._made

    @property
    def _parts(self) -> TextParts:
        assert self._made is not None
        return self._made

    def plan(self) -> dict[str, Any]:
        return {
            "model": self._model.fingerprint(), "layer": self.layer, "run": self._run.manifest["created"],
            "data": self._data.fingerprint(), "shift": None if self._shift is None else self._shift.fingerprint(),
            "allow": {name: sorted(names) for name, names in self._allowed.classes.items()},
            "classes": None if self._inputs.classes is None else list(self._inputs.classes),
        }  # fmt: skip

    def accuracy(self) -> float:
        return self._parts.accuracy()

    def described(self) -> Mapping[str, Any]:
        told = self._run.manifest["model"]
        shift = None if self._shift is None else card_of(self._shift)
        return {
            "model": {**told, "linear_tail": self.asked.tail is not None}, "data": card_of(self._data), "shift": shift
        }  # fmt: skip

    def summary(self) -> Mapping[str, Any]:
        return {"run": str(self._run.path), "images": len(self._parts.rows)}

    def notes(self) -> list[str]:
        found = [*self._model.notes, *self._data.card.notes]
        found.append(
            "Suspects are terms over one side alone, or over how the sides overlap: what a label cannot rightly hang "
            "on."
        )
        if self._data.card.reader != "world":
            found.append(
                "An edit may change the true label too: a flip is a fault only where the label stays. The control is "
                "the same edit with another word."
            )
        return found

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        parts = self._parts
        kinds, kind_rows, note = kind_tables(self._run, self.asked, parts.held)
        tables: dict[str, list[Row]] = {"finding_texts": self._text_rows(audited), "kind_shares": kind_rows}
        if self.asked.tail is None:
            return tables, [note, "Units were not cut one by one: the model would have to run again for each."]
        labelled = np.flatnonzero(parts.truth >= 0)
        measured = Measured(
            self.asked, self.asked.take(parts.held, labelled), [], parts.truth[labelled], seed=self._settings.seed
        )
        speaks = {target: self.asked.speaks(parts.held, parts.truth, target) for target in parts.targets}
        more = measured.tables(self._run, kinds, parts.classes, speaks, progress=progress)
        return {**tables, **more}, [note]

    def _text_rows(self, audited: Audited) -> list[Row]:
        rows: list[Row] = []
        parts = self._parts
        for proof in audited.proofs:
            if proof.cases is None or not len(proof.cases):
                continue
            turned, rest = np.flatnonzero(proof.turned).tolist(), np.flatnonzero(~proof.turned).tolist()
            order = [*turned[: SHOWN - 2], *rest][:SHOWN]
            said = [
                parts.answer(parts.read([inputs[case] for case in order])).argmax(axis=1)
                for inputs in (proof.cases.before, proof.cases.after)
            ]
            for place, (case, shown) in enumerate(
                zip(order, parts.examples(proof.cases, order, proof.suspect), strict=True)
            ):
                rows.append({
                    "number": proof.suspect.number, "place": place, "image": proof.cases.keys[case],
                    "label": parts.classes[int(proof.cases.truth[case])], "before": parts.classes[int(said[0][place])],
                    "after": parts.classes[int(said[1][place])], "turned": bool(proof.turned[case]), **shown,
                })  # fmt: skip
        return rows

    def write_cases(self, audited: Audited, folder: Path) -> int:
        if folder.exists() and any(folder.iterdir()):
            raise RunError(f"{folder} is not empty.", expected="a new or empty folder for the cases")
        lines: list[str] = []
        for proof in audited.proofs:
            if proof.verdict != "proved" or proof.cases is None:
                continue
            for case, texts in enumerate(proof.cases.after):
                label = self._parts.classes[int(proof.cases.truth[case])]
                names = ("premise", "hypothesis") if len(texts) == 2 else ("text",)
                lines.append(json.dumps({
                    **dict(zip(names, texts, strict=True)), "label": label, "from": proof.cases.keys[case],
                    "concept": str(proof.suspect.concept), "fooled": bool(proof.turned[case]),
                    "answer_if_fooled": self._parts.classes[proof.suspect.target],
                }, ensure_ascii=False))  # fmt: skip
        if lines:
            folder.mkdir(parents=True, exist_ok=True)
            text = "\n".join(lines) + "\n"
            write_atomically(folder / "cases.jsonl", lambda path: path.write_text(text, encoding="utf-8"))
        return len(lines)

    def write_repair(self, change: Change, path: Path) -> str:
        check_weights_name(path)
        last = self.asked.last()
        if last is None:
            raise ModelError(
                f"The repair of {self._model.spec} cannot be written: no one layer alone reads '{self.layer}'.",
                next_step="carry it out with microtome.intervene while the model runs",
            )
        name, module = self.asked.classifier()
        weight, bias = last.weight, last.bias
        if change.last is not None:
            weight, bias = change.last.weight, change.last.bias
        else:
            gain, shift = affine_of(self.asked.interventions(change), self.asked.flat)
            bias = bias + weight @ shift.numpy()
            weight = weight @ gain.numpy()
        if module.bias is None and np.abs(bias).max() > 0:
            raise ModelError(f"The last layer '{name}' has no bias to hold the repair.")
        changed = {f"{name}.weight": torch.from_numpy(weight).to(module.weight.dtype)}
        if module.bias is not None:
            changed[f"{name}.bias"] = torch.from_numpy(bias).to(module.bias.dtype)
        write_repaired(path, self._model, changed=changed)
        return f"{path} holds the model with the repair folded into {name}."


def open_text_subject(
    model: TextModel, layer: str | None, data: ItemData | str | Path, inputs: AuditInputs, settings: AuditSettings, *,
    out: Path, progress: Progress,
) -> TextSubject:  # fmt: skip
    """The model's units, with the dissection that names them: given, found beside the audit, or made."""
    if inputs.hosts is not None:
        raise OptionError("--hosts is for images: texts are edited, nothing is pasted.", next_step="leave it out")
    if settings.ablate == "resample" and model.class_weights(layer or model.default_site().layer) is None:
        raise OptionError(
            "The classifier does not read this layer directly, and activations of texts of other lengths do not fit.",
            next_step="use --ablate mean or --ablate zero",
        )
    opened = _opened(data, model, None)
    shift = None
    if inputs.shift is not None:
        shift = _opened(inputs.shift, model, opened)
    elif opened.card.reader == "world" and not opened.key(0).startswith("shift"):
        shift = _opened(f"world:shift@{min(settings.images, max(len(opened), 200))}", model, opened)
    if opened.level not in ("pair", "sentence") or not opened.classes:
        raise DataError(
            f"{opened.card.name} holds no labelled pairs or sentences.",
            expected="sentence pairs, or sentences, with labels",
        )
    names = [concept.name for concept in opened.concepts]
    if settings.concept:
        known_concepts(settings.concept, names)
    allowed = read_allowed(inputs.allow, classes=list(opened.classes), concepts=names)
    run = the_run(inputs.run, model, layer, opened, out=out, seed=settings.seed, overwrite=inputs.overwrite,
        progress=progress,
    )  # fmt: skip
    return TextSubject(model, run, opened, shift, allowed, inputs, settings)


def _opened(data: ItemData | str | Path, model: TextModel, like: TextData | None) -> TextData:
    if isinstance(data, TextData):
        return data
    if isinstance(data, ItemData):
        raise OptionError("The model takes texts, and the data holds images.", expected="a model and data of one kind")
    return open_texts(str(data), TextSettings(), pieces=model.pieces, piece_text=model.piece_text, like=like)
