"""What a stopped audit has found so far: the same command goes on from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from microtome.recipes.audit.nouns import Suspect
from microtome.recipes.audit.proving import Tried, tried_on
from microtome.store.atomic import write_atomically

_FILE = "explored.json"


class Memory:
    """The exploring of each suspect, kept in the draft of a run.

    Parameters
    ----------
    folder:
        The draft's cache; None: nothing is kept.
    seed:
        Of the audit.
    """

    def __init__(self, folder: Path | None = None, *, seed: int = 0) -> None:
        self._seed = seed
        self._path = None if folder is None else folder / _FILE
        self._held: dict[str, Any] = {}
        if self._path is not None and self._path.is_file():
            try:
                self._held = json.loads(self._path.read_text(encoding="utf-8"))
            except ValueError:
                # Written whole or not at all; a file of another make is done again.
                self._held = {}

    def recall(self, suspect: Suspect) -> tuple[list[Tried], str] | None:
        """What exploring a suspect gave; None where it was not done."""
        entry = self._held.get(_key(suspect))
        if entry is None:
            return None
        tried = [
            tried_on(suspect, source, np.array(turned, bool), np.array(beside, bool), seed=self._seed)
            for source, turned, beside in entry["tried"]
        ]
        return tried, str(entry["problem"])

    def keep(self, suspect: Suspect, tried: list[Tried], problem: str) -> None:
        """Keep it."""
        rows = [[one.source, one.turned.tolist(), one.beside.tolist()] for one in tried]
        self._held[_key(suspect)] = {"tried": rows, "problem": problem}
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self._held)
            write_atomically(self._path, lambda path: path.write_text(text, encoding="utf-8"))


def _key(suspect: Suspect) -> str:
    return f"{suspect.target} {suspect.concept}"
