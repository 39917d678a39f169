"""From a run of `decompose` to its pages."""

from __future__ import annotations

from pathlib import Path


def write_decompose_report(run: Path) -> Path:
    """Write the pages of a run of `microtome decompose`."""
    return run / "index.html"
