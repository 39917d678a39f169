"""Prove the names of a finished run by editing its texts, and make texts with a known label that fool the model.

run -> model and data as the run had them -> edits of each name -> adversarial pairs -> tables -> report
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microtome.core.errors import DataError, ModelError, OptionError, RunError
from microtome.core.parse import parse
from microtome.data.text.base import TextData
from microtome.data.text.edit_file import UserEdit, read_edits
from microtome.data.text.edited import Retold
from microtome.data.text.open import TextSettings, open_texts
from microtome.data.text.vectors import Vectors
from microtome.models.load import load_text
from microtome.models.text import TextModel
from microtome.recipes.adversarial import Fooling, fool
from microtome.recipes.asking import Asker
from microtome.recipes.edit_proof import LEAST, NamedUnit, Proof, Prover
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress, silent
from microtome.store.run import add_to_run
from microtome.store.tables import make_table

Row = dict[str, Any]


@dataclass(frozen=True)
class EditSettings:
    """How names are proved by editing.

    Attributes
    ----------
    top:
        How many of the best named units, by held-out score; 1 or more.
    units:
        Units to prove instead, named or not, so long as they have a formula. None: the top ones.
    pairs:
        Items wanted for each edit, and for each adversarial rule at the most five times as many; 10 or more. More
        makes intervals narrower and takes longer.
    edits:
        File of the user's own edits, see `edit_file`.
    seed:
        Decides which items, the control words, and resamples.
    """

    top: int = 10
    units: tuple[int, ...] | None = None
    pairs: int = 200
    edits: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        problems = [
            f"--{name} is {value}; expected {least} or more"
            for name, value, least in (("top", self.top, 1), ("pairs", self.pairs, LEAST), ("seed", self.seed, 0))
            if value < least
        ]
        if problems:
            raise OptionError("; ".join(problems), next_step="see microtome edit --help")


@dataclass(frozen=True)
class Edited:
    """What editing showed of a run: proofs of units, and adversarial rules. The run's tables hold the same."""

    run: Dissection
    proof: Proof
    fooling: Fooling


def edit_texts(
    run: Path | str,
    *,
    settings: EditSettings | None = None,
    model: TextModel | str | None = None,
    data: TextData | str | None = None,
    progress: Progress = silent,
) -> Edited:
    """Prove units of a run by editing texts, search adversarial pairs, and write both into the run and its report.

    Parameters
    ----------
    run:
        A finished run of sentence pairs or sentences.
    model, data:
        Where they are not found as the run names them; the model must be the one of the run.

    Returns
    -------
    The rows that were written, and the run.

    Raises
    ------
    MicrotomeError
        On anything that the user can mend; the run is then as it was.
    """
    settings = settings or EditSettings()
    done = Dissection(run)
    manifest = done.manifest
    _check_texts(done)
    named = _chosen(done, settings)
    loaded = _model_of(manifest, model)
    opened, text_settings = _data_of(manifest, loaded, data)
    if len(opened) < LEAST:
        raise OptionError(
            f"{opened.card.name} has {len(opened)} {opened.level}s, too few to prove anything.",
            expected=f"{LEAST} or more",
            next_step="name more of them with --data",
        )
    layer, how = manifest["model"]["layer"], manifest["settings"]
    asker = Asker(loaded, layer, [one.unit for one in named], pool=how["pool"], dtype=how["cache_dtype"])
    split = dict(zip(*(done.table("images")[name].to_pylist() for name in ("image", "split")), strict=True))
    prover = Prover(
        opened, Retold(opened, text_settings), asker, classes=loaded.classes, pairs=settings.pairs,
        first=[k for k in range(len(opened)) if split.get(opened.key(k)) != "search"], seed=settings.seed,
    )  # fmt: skip
    own = () if settings.edits is None else read_edits(Path(settings.edits), pairs=opened.level == "pair")
    _check_own(own, [one.unit for one in named])
    proof = Proof()
    for place, one in enumerate(named):
        progress("editing texts", place, len(named))
        prover.prove(one, place, [edit for edit in own if edit.unit in (None, one.unit)], proof)
    progress("editing texts", len(named), len(named))
    weights = done.table("class_weights").to_pylist() if "class_weights" in done.tables else []
    fooling = fool(
        opened, prover.book, prover.lexicon, asker, model=loaded, named=_all_named(done, named), weights=weights,
        most=5 * settings.pairs, seed=settings.seed, progress=progress,
    )  # fmt: skip
    _write(done, settings, proof, fooling)
    return Edited(Dissection(done.path), proof, fooling)


def load_for_editing(
    run: Path | str, spec: str | None = None, *, weights: Path | None = None, device: str = "auto"
) -> TextModel:
    """The model of a run of texts, or what a spec names in its place.

    Raises
    ------
    RunError
        If there is no such run, or it is not of sentence pairs or sentences.
    ModelError, OptionError
        If the model cannot be loaded, or is none of texts.
    """
    done = Dissection(run)
    _check_texts(done)
    return load_text(spec or done.manifest["model"]["spec"], weights=weights, device=device)


def _check_texts(run: Dissection) -> None:
    """Raise RunError unless the run is a dissection of sentence pairs or sentences."""
    kind = run.manifest.get("elements", {}).get("kind")
    if run.manifest.get("kind") != "dissect" or kind not in ("pair", "sentence"):
        shown = {"token": "tokens of running text", "pixel": "images", "image": "images"}.get(str(kind), str(kind))
        raise RunError(
            f"{run.path} is a run of {shown}, which are not edited.",
            expected="a run of sentence pairs or sentences",
            next_step="dissect a model of texts with --data pairs.jsonl, or with --level sentence",
        )


def _chosen(run: Dissection, settings: EditSettings) -> list[NamedUnit]:
    """The units to prove, best first. Raises OptionError or RunError where there is none."""
    rows = _explained(run)
    if settings.units is not None:
        wrong = [unit for unit in settings.units if unit not in rows]
        if wrong or not settings.units:
            raise OptionError(
                f"--units names {', '.join(map(str, wrong[:5])) or 'no unit'}; {run.path} has no formula for it.",
                expected="units that the run explained",
                next_step=f'see them with: microtome query {run.path} "select unit, formula from units"',
            )
        return [_named_unit(rows[unit]) for unit in dict.fromkeys(settings.units)]
    found = [row for row in rows.values() if row["named"]]
    found = sorted(found, key=lambda row: (-row["score_heldout"], row["unit"]))[: settings.top]
    if not found:
        raise RunError(
            f"{run.path} names no unit, so there is nothing to prove.",
            expected="a named unit",
            next_step="name units with --units all the same, or make a run on more data",
        )
    return [_named_unit(row) for row in found]


def _explained(run: Dissection) -> dict[int, Row]:
    """The row of each unit that has a formula; of a unit in ranges the highest, which an edit drives it into."""
    rows = sorted(run.units.to_pylist(), key=lambda row: row["range"])
    return {row["unit"]: row for row in rows if row["formula"] is not None}


def _named_unit(row: Row) -> NamedUnit:
    high = math.inf if row["high"] is None else row["high"]
    return NamedUnit(row["unit"], parse(row["formula"]), row["low"], high)


def _all_named(run: Dissection, proved: Sequence[NamedUnit]) -> list[NamedUnit]:
    """The units that are proved, and every other that is named: their words make adversarial rules."""
    known = {one.unit for one in proved}
    rest = [row for unit, row in _explained(run).items() if row["named"] and unit not in known]
    return [*proved, *map(_named_unit, rest)]


def _check_own(own: Sequence[UserEdit], units: Sequence[int]) -> None:
    lost = sorted({edit.unit for edit in own if edit.unit is not None and edit.unit not in units})
    if lost:
        raise OptionError(
            f"--edits has edits for {', '.join(map(str, lost[:5]))}, which are not among the units that are proved.",
            expected=f"units among {', '.join(map(str, units[:20]))}, or *",
            next_step="name the units with --units",
        )


def _model_of(manifest: dict[str, Any], model: TextModel | str | None) -> TextModel:
    """The model of the run. Raises ModelError where another one is there."""
    spec = manifest["model"]["spec"]
    loaded = model if isinstance(model, TextModel) else load_text(model or spec)
    if loaded.fingerprint() != manifest["model"]["sha256"]:
        raise ModelError(
            f"{loaded.spec} is not the model of this run: its weights are others.",
            expected=f"{spec} as it was when the run was made",
            next_step="name the model with --model and --weights, or make the run anew",
        )
    return loaded


def _data_of(manifest: dict[str, Any], model: TextModel, data: TextData | str | None) -> tuple[TextData, TextSettings]:
    """The texts of the run with the settings that they were opened with."""
    if isinstance(data, TextData):
        return data, settings_of(dict(data.card.settings))
    card = manifest["data"]
    told = dict(card.get("settings") or {})
    spec = data or card.get("spec")
    if not spec:
        raise RunError("The run does not say how its texts were opened.", next_step="name them with --data")
    settings, vectors = settings_of(told), _vectors_of(told.get("vectors"), model)
    opened = open_texts(spec, settings, pieces=model.pieces, piece_text=model.piece_text, vectors=vectors)
    if data is None and opened.fingerprint() != card["fingerprint"]:
        raise DataError(
            f"'{spec}' has changed since the run was made.",
            expected="the same texts",
            next_step="make the run anew, or name texts with --data",
        )
    if opened.level != manifest["elements"]["kind"]:
        raise OptionError(
            f"'{spec}' holds {opened.level}s.", expected=f"{manifest['elements']['kind']}s, as in the run"
        )
    return opened, settings


def settings_of(told: dict[str, Any]) -> TextSettings:
    """Settings from what a card or a manifest says of them."""
    known = {each.name for each in fields(TextSettings)}
    # JSON has no tuples.
    kept: dict[str, Any] = {name: _plain(value) for name, value in told.items() if name in known}
    return TextSettings(**kept)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _vectors_of(source: str | None, model: TextModel) -> Vectors | Path | None:
    """The word vectors that the run was made with: a file, or the model's own embedding."""
    if source is None:
        return None
    if Path(source).is_file():
        return Path(source)
    words, array = model.word_vectors()
    return Vectors(words, array, source)


def _write(run: Dissection, settings: EditSettings, proof: Proof, fooling: Fooling) -> None:
    from microtome.report.pages import write_report

    tables = {
        "edits": proof.rows, "edit_pairs": proof.examples,
        "adversarial": fooling.rows, "adversarial_pairs": fooling.examples,
    }  # fmt: skip
    told = {"settings": asdict(settings), "tried": proof.tried, "notes": [*proof.notes, *fooling.notes]}
    add_to_run(run.path, {name: make_table(name, rows) for name, rows in tables.items()}, noted={"edits": told})
    write_report(run.path)
