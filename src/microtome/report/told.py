"""What every run of `decompose`, `audit` and `explain` tells of itself, in the words of its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ToldRun:
    """A run as its pages read it.

    Attributes
    ----------
    folder:
        The run.
    kind:
        What was done: `heads`, `neurons`, `heatmap`, `audit`, `explain` ...
    manifest:
        Its manifest.
    tables:
        Rows by name of the table. Where a table is known, every column that it may have is a key.
    """

    folder: Path
    kind: str
    manifest: Row
    tables: Mapping[str, tuple[Row, ...]]

    @property
    def model(self) -> str:
        """The model, as the user typed it."""
        return str(self.manifest["model"].get("spec", "the model"))

    @property
    def summary(self) -> Row:
        """What the command found, in a few numbers."""
        return self.manifest["summary"]

    @property
    def settings(self) -> Row:
        """What the user chose."""
        return self.manifest["settings"]

    @property
    def command(self) -> str:
        """What reproduces the run; empty where it was made in Python."""
        return shlex.join(str(word) for word in self.manifest["command"])

    @property
    def fdr(self) -> float:
        """The share of claims that may be false."""
        return float(self.settings.get("fdr") or 0.05)

    def rows(self, name: str) -> tuple[Row, ...]:
        """The rows of a table; none where the run has no such table."""
        return self.tables.get(name, ())
