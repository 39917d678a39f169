"""What is audited, opened: units of an image model, heads or neurons of a CLIP-like model, units of a model of texts.

To add a kind of model is to write its `Parts` and its `Subject`, and a line in `open_subject`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from microtome.data.base import ItemData
from microtome.models.model import Model
from microtome.models.text import TextModel
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.nouns import ANY, Change, Parts
from microtome.recipes.audit.proving import Proof
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.settings import AuditSettings
from microtome.record.one_pass import Progress

Row = dict[str, Any]


@runtime_checkable
class Subject(Protocol):
    """A model and its data, and what is written about them beside the findings."""

    def parts(self, progress: Progress) -> Parts:
        """The model in parts; made once."""
        ...

    def plan(self) -> dict[str, Any]:
        """What decides the result: hashes of model and data, settings."""
        ...

    def accuracy(self) -> float:
        """Share of the labelled items answered rightly."""
        ...

    def described(self) -> Mapping[str, Any]:
        """`model`, `data` and `shift` of the manifest."""
        ...

    def summary(self) -> Mapping[str, Any]:
        """Further keys of the manifest's summary."""
        ...

    def notes(self) -> list[str]:
        """Sentences that a reader should know."""
        ...

    def tables(
        self, audited: Audited, findings: list[Row], folder: Path, progress: Progress
    ) -> tuple[dict[str, list[Row]], list[str]]:
        """Tables of cases, parts and classes, with their pictures written below `folder`; and notes. May complete
        `findings`."""
        ...

    def write_cases(self, audited: Audited, folder: Path) -> int:
        """Save the cases of proved faults as training data; returns how many."""
        ...

    def write_repair(self, change: Change, path: Path) -> str:
        """Write the repaired model; returns a sentence that says how to load it."""
        ...


def open_subject(
    model: Model | TextModel, layer: str | None, data: ItemData | str | Path, inputs: AuditInputs,
    settings: AuditSettings, *, out: Path, progress: Progress,
) -> Subject:  # fmt: skip
    """Open what a model of this kind needs.

    Raises
    ------
    MicrotomeError
        If the model, the data or what is given beside them cannot be used.
    """
    if isinstance(model, TextModel):
        from microtome.recipes.audit.text_subject import open_text_subject

        return open_text_subject(model, layer, data, inputs, settings, out=out, progress=progress)
    if model.texts is not None:
        from microtome.recipes.audit.term_subject import open_term_subject

        return open_term_subject(model, layer, data, inputs, settings, out=out, progress=progress)
    from microtome.recipes.audit.unit_subject import open_unit_subject

    return open_unit_subject(model, layer, data, inputs, settings, out=out, progress=progress)


_ALONE = ("--overwrite", "--json")
_WITH_VALUE = ("--out", "--write", "--write-cases", "--fail-on")


def command_of(proof: Proof, classes: Sequence[str], command: Sequence[str]) -> str:
    """The command that repeats one finding alone."""
    more = ["--concept", str(proof.suspect.concept), "--target", classes[proof.suspect.target]]
    if proof.source != ANY:
        more += ["--source", classes[proof.source]]
    return repeated(command, more)


def repeated(command: Sequence[str], more: Sequence[str]) -> str:
    """The command with further words, written for a shell; `--out` gets another folder, nothing else is written."""
    import shlex

    words, kept, out = list(command), [], "runs/audit"
    while words:
        word = words.pop(0)
        name, given, value = word.partition("=")
        if name in _ALONE:
            continue
        if name in _WITH_VALUE:
            value = value if given else (words.pop(0) if words else "")
            out = value if name == "--out" else out
            continue
        kept.append(word)
    return shlex.join([*kept, "--out", f"{out.rstrip('/')}-one", *more])
