"""A finished run in Python: its tables, its report, a view for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from microtome.core.signatures import Activity, SignatureTable
from microtome.recipes.counts import read_counts
from microtome.store.query import query, table_names
from microtome.store.run import read_manifest, read_table


class Dissection:
    """A run folder; everything is read from it when asked for.

    Parameters
    ----------
    path:
        The run folder.

    Examples
    --------
    >>> result = microtome.dissect("world:scenes", out="runs/demo")
    >>> result.units.num_rows
    128
    >>> result.query("select unit, formula, iou_heldout from units where named order by iou_heldout desc limit 3")
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest: dict[str, Any] = read_manifest(self.path)

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.path / "index.html"

    @property
    def units(self) -> pa.Table:
        """A row per unit and range."""
        return self.table("units")

    @property
    def explanations(self) -> pa.Table:
        """A row per unit, range and length."""
        return self.table("explanations")

    @property
    def tables(self) -> list[str]:
        """Names of all tables."""
        return table_names(self.path)

    def table(self, name: str) -> pa.Table:
        """One table. Raises RunError if there is none of that name."""
        return read_table(self.path, name)

    def signatures(self, half: str = "search") -> tuple[SignatureTable, Activity]:
        """The table of signatures of a half (`search` or `heldout`) and every unit's counts on it.

        Enough to search again, with any method, without the model or the images; slot i is row i of `units`.
        """
        return read_counts(self.path, half)

    def query(self, sql: str) -> pa.Table:
        """The answer of one SELECT over the tables."""
        return query(self.path, sql)

    def __repr__(self) -> str:
        summary = self.manifest["summary"]
        return f"Dissection({str(self.path)!r}: {summary['named']} of {summary['units']} units named)"

    def _repr_html_(self) -> str:
        from microtome.report.notebook import notebook_view

        return notebook_view(self.path)
