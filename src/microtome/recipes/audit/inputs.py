"""What an audit is given beside model and data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from microtome.data.base import ItemData


@dataclass(frozen=True)
class AuditInputs:
    """What an audit is given beside model and data.

    Attributes
    ----------
    shift:
        Items on which misleading cues tell nothing of the class. None: of the planted world its own; else none.
    hosts:
        Labelled images to paste into, where the data's own images are not to be. None: the data.
    run:
        A dissection of the same model and layer, or of a CLIP-like model a decomposition of its heads or of the layer's
        neurons. None: made, or that of an audit begun before.
    allow:
        A TOML file with the concepts that may make each class what it is.
    classes:
        Names of the classes to audit. None: all of the data.
    also:
        Other models, by spec, that are shown the same inputs.
    write:
        Where the repaired weights go (.safetensors).
    write_cases:
        A folder for the cases of proved faults, as training data.
    overwrite:
        Replace a dissection of another model or data that stands beside the audit; `audit` sets it.
    """

    shift: ItemData | str | Path | None = None
    hosts: ItemData | str | Path | None = None
    run: Path | str | None = None
    allow: Path | None = None
    classes: tuple[str, ...] | None = None
    also: tuple[str, ...] = ()
    write: Path | None = None
    write_cases: Path | None = None
    overwrite: bool = False
