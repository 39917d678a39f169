"""A finished audit in Python: its findings, their verdicts, its report."""

from __future__ import annotations

from typing import Any

from microtome.recipes.decomposition import Decomposition


class Audit(Decomposition):
    """A run folder of `microtome audit`; see `Decomposition` for tables and queries.

    Examples
    --------
    >>> found = microtome.audit("world:scenes", data="world@600", out="runs/audit")
    >>> [finding["sentence"] for finding in found.proved]
    """

    @property
    def findings(self) -> list[dict[str, Any]]:
        """A row a suspect, proved ones first."""
        return self.rows("findings")

    @property
    def proved(self) -> list[dict[str, Any]]:
        """Proved faults, worst first."""
        return [row for row in self.findings if row["verdict"] == "proved"]

    def __repr__(self) -> str:
        summary = self.manifest["summary"]
        return f"Audit({str(self.path)!r}: {summary['proved']} of {summary['suspects']} suspects proved)"
