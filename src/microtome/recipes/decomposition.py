"""A finished run of `decompose`: its tables and its report."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from microtome.store.query import query
from microtome.store.run import read_manifest, read_table


class Decomposition:
    """A run folder of `microtome decompose`.

    Parameters
    ----------
    path:
        The folder.

    Raises
    ------
    RunError
        If it is no run.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest: dict[str, Any] = read_manifest(self.path)

    @property
    def report(self) -> Path:
        """The first page of its report."""
        return self.path / "index.html"

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of its tables."""
        return tuple(sorted(path.stem for path in self.path.glob("*.parquet")))

    def table(self, name: str) -> pa.Table:
        """One of its tables. Raises RunError if there is none of that name."""
        return read_table(self.path, name)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table."""
        return self.table(name).to_pylist()

    def query(self, sql: str) -> pa.Table:
        """The answer of one SELECT over the tables."""
        return query(self.path, sql)

    def _repr_html_(self) -> str:
        from microtome.report.decompose.notebook import decompose_notebook_view

        return decompose_notebook_view(self.path)

    def __repr__(self) -> str:
        return f"Decomposition({str(self.path)!r}, {self.manifest['kind']!r})"
