"""Audit a model: suspects, proofs, repairs, and a report whose first page is a list of findings.

open -> dissect (or reuse) -> suspects -> proofs -> repairs -> effects of units -> tables and pictures -> report
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from microtome._version import __version__
from microtome.core.errors import MicrotomeError, ModelError, OptionError, RunError
from microtome.data.base import ItemData
from microtome.models.load import load_any
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes.audit import findings
from microtome.recipes.audit.image_parts import number_of
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.memory import Memory
from microtome.recipes.audit.nouns import Parts
from microtome.recipes.audit.opening import targets_of
from microtome.recipes.audit.others import Other, other_model
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run_parts import Audited, audit_parts
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.audit.subjects import Subject, command_of, open_subject
from microtome.recipes.audit.writing import check_weights_name, chosen_repair
from microtome.recipes.manifest import versions
from microtome.record.one_pass import Progress, silent
from microtome.store.run import RunDraft
from microtome.store.tables import make_table
from microtome.verify.flips import BAR

Row = dict[str, Any]


def audit(
    model: Model | TextModel | str = "world:scenes",
    layer: str | None = None,
    data: ItemData | str | Path = "world",
    *,
    out: Path | str = "runs/audit",
    inputs: AuditInputs | None = None,
    settings: AuditSettings | None = None,
    overwrite: bool = False,
    command: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Audit:
    """Find what a model leans on and should not, prove it by changing inputs and cutting parts, and repair it.

    Parameters
    ----------
    model:
        A loaded model, or a spec: an image classifier, a CLIP-like model, or a classifier of texts.
    layer:
        Whose units; None: the model's own default. Of a CLIP-like model the number of a layer, whose neurons are then
        the parts; None: its heads.
    data:
        Labelled items with concepts.
    out:
        The run folder.
    inputs:
        Whatever else is given; see `AuditInputs`.
    settings:
        See `AuditSettings`.
    overwrite:
        Replace a run that stands at `out`.
    command:
        Words that reproduce the run, for the report.

    Returns
    -------
    The finished run: its findings and their verdicts.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; nothing is left at `out`.
    """
    inputs, settings = inputs or AuditInputs(), settings or AuditSettings()
    if inputs.write is not None:
        check_weights_name(inputs.write)
        if not settings.repair:
            raise OptionError(
                "--write is for the repaired weights, and --no-repair makes none.", next_step="leave one of them out"
            )
        if settings.ablate == "resample":
            raise OptionError(
                "A repair that gives units the values of other items cannot be written: it is drawn anew each time.",
                next_step="use --ablate mean or --ablate zero with --write",
            )
    loaded = load_any(model) if isinstance(model, str) else model
    if not loaded.classes and getattr(loaded, "texts", None) is None:
        raise OptionError(
            f"{loaded.spec} has no classes, so there is no answer to audit.",
            expected="a classifier, or a CLIP-like model",
        )
    _check_names(loaded.classes, inputs, settings)
    _check_places(Path(out), inputs, overwrite=overwrite)
    inputs = replace(inputs, overwrite=overwrite)
    beside = [load_any(spec) for spec in inputs.also]
    subject = open_subject(loaded, layer, data, inputs, settings, out=Path(out), progress=progress)
    draft = RunDraft(Path(out), plan=_plan(subject, settings), overwrite=overwrite)
    try:
        parts = subject.parts(progress)
        others = [other_model(each, parts.classes) for each in beside]
        hashes = [f"{each.spec} {each.fingerprint()}" for each in beside]
        memory = Memory(draft.cache, seed=settings.seed, others=hashes)
        audited = audit_parts(parts, settings, others=others, memory=memory, progress=progress)
        tables, more = _tables(subject, parts, audited, settings, draft, command, progress)
        for name, rows in tables.items():
            draft.table(name, make_table(name, rows))
        notes = _written(subject, audited, inputs, settings)
        draft.manifest(_manifest(subject, parts, audited, others, settings, command, [*notes, *more]))
        _report(draft)
        return Audit(draft.finish())
    except MicrotomeError:
        draft.discard()
        raise


def _check_names(classes: Sequence[str], inputs: AuditInputs, settings: AuditSettings) -> None:
    """Raise OptionError for a class that the model does not answer with, before anything is read."""
    if not classes:
        return
    if inputs.classes is not None:
        targets_of(inputs.classes, classes, ())
    for option, name in (("--target", settings.target), ("--source", settings.source)):
        if name:
            number_of(name, classes, option)


def _check_places(out: Path, inputs: AuditInputs, *, overwrite: bool) -> None:
    """Raise RunError where a folder that is to be written is taken, before anything is made."""
    if not overwrite and (out / "manifest.json").exists():
        raise RunError(
            f"{out} holds a run already.",
            expected="a new folder",
            next_step="choose another --out, or add --overwrite to replace it",
        )
    folder = inputs.write_cases
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise RunError(
            f"{folder} is not empty.", expected="a new or empty folder for the cases", next_step="name another"
        )


def _plan(subject: Subject, settings: AuditSettings) -> dict[str, Any]:
    return {"microtome": __version__, "kind": "audit", **subject.plan(), "settings": asdict(settings)}


def _tables(
    subject: Subject, parts: Parts, audited: Audited, settings: AuditSettings, draft: RunDraft,
    command: Sequence[str], progress: Progress,
) -> tuple[dict[str, list[Row]], list[str]]:  # fmt: skip
    commands = {
        proof.suspect.number: command_of(proof, parts.classes, command) for proof in audited.proofs
    } if command else {}  # fmt: skip
    rows = findings.finding_rows(parts, audited, commands, settings.price)
    repairs, groups = findings.repair_rows(audited, settings.price)
    tables = {
        "findings": rows, "finding_parts": findings.path_rows(parts, audited),
        "confusions": findings.confusion_rows(parts, audited.tried), "repairs": repairs, "repair_groups": groups,
    }  # fmt: skip
    if transfer := findings.transfer_rows(audited):
        tables["transfer"] = transfer
    more, notes = subject.tables(audited, rows, draft.folder, progress)
    return {**tables, **more}, notes


def _written(subject: Subject, audited: Audited, inputs: AuditInputs, settings: AuditSettings) -> list[str]:
    notes: list[str] = []
    if inputs.write_cases is not None:
        count = subject.write_cases(audited, inputs.write_cases)
        notes.append(
            f"{count} cases with their true labels were written to {inputs.write_cases}." if count
            else "No case was written: no fault was proved."
        )  # fmt: skip
    if inputs.write is not None:
        chosen = chosen_repair(audited, settings.price)
        if chosen is None:
            notes.append("No weights were written: no repair helps within the price.")
        else:
            proof, change = chosen
            try:
                said = subject.write_repair(change, inputs.write)
                notes.append(f"{said} It mends: {proof.suspect.words}.")
            except ModelError as error:
                # What was found is worth more than the file.
                notes.append(f"No weights were written: {error.what}")
    return notes


def _manifest(
    subject: Subject, parts: Parts, audited: Audited, others: Sequence[Other], settings: AuditSettings,
    command: Sequence[str], notes: Sequence[str],
) -> Mapping[str, Any]:  # fmt: skip
    counts = {
        name: sum(proof.verdict == name for proof in audited.proofs) for name in ("proved", "not proved", "refuted")
    }
    helped = [made for made in audited.repairs.values() if made.best.helps(settings.price)]
    summary = {
        "suspects": len(audited.proofs), "proved": counts["proved"], "not_proved": counts["not proved"],
        "refuted": counts["refuted"], "repaired": len(helped), "accuracy": subject.accuracy(),
        "part": findings.part_word(parts), "item": parts.item,
        "sentences": _summary_sentences(parts, audited, counts, len(helped)), **subject.summary(),
        "also": [other.name for other in others],
    }  # fmt: skip
    return {
        "kind": "audit", "command": list(command), "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "seed": settings.seed, **subject.described(),
        "settings": {**asdict(settings), "bar": BAR},
        "summary": summary, "notes": list(dict.fromkeys([*subject.notes(), *parts.notes, *notes])),
    }  # fmt: skip


def _summary_sentences(parts: Parts, audited: Audited, counts: Mapping[str, int], helped: int) -> list[str]:
    total = len(audited.proofs)
    if not total:
        return [
            "No suspect was found: no concept that the parts of a class detect stands out, or all of them are allowed."
        ]
    said = [
        f"Of {total} suspects {counts['proved']} {'is' if counts['proved'] == 1 else 'are'} proved, "
        f"{counts['not proved']} not proved, {counts['refuted']} refuted."
    ]
    proved = [proof for proof in audited.proofs if proof.verdict == "proved"]
    said += [findings.sentence_of(parts, proof) for proof in proved[:3]]
    if proved and audited.repairs:
        said.append(f"{helped} of {len(audited.repairs)} that could be tested are mended within the price.")
    return said


def _report(draft: RunDraft) -> None:
    from microtome.report.pages import write_report

    write_report(draft.folder)
