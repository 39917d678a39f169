"""A static site in a run folder: written beside the old one, then swapped in; the templates it is made from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from microtome.core.errors import RunError
from microtome.report import words


def write_site(run: Path, write: Callable[[Path], None]) -> Path:
    """Put `index.html` and the folder `report` into a run, so that a reader never meets half of them.

    Parameters
    ----------
    run:
        The run folder.
    write:
        Writes `index.html` and the pages below `report` into the folder that it is given; `report/static` is there.

    Returns
    -------
    The path of `index.html`.

    Raises
    ------
    RunError
        If the folder cannot be written.
    """
    try:
        fresh = Path(tempfile.mkdtemp(prefix=".report-", dir=run))
        try:
            (fresh / "report").mkdir()
            _copy_static(fresh / "report" / "static")
            write(fresh)
            _swap_in(fresh, run)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"The report of '{run}' could not be written: {error}.",
            expected="a folder with room, that may be written",
            next_step="free some space or mend the folder's permissions, then run the same command again",
        ) from error
    return run / "index.html"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates, with everything escaped and every unknown name an error."""
    found = Environment(
        loader=PackageLoader("microtome.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        score=words.number,
        share=words.share,
        probability=words.probability,
        thousands=words.count,
        signed=words.signed,
        activation=words.activation,
        plural=words.plural,
        percent_of=_percent_of,
    )
    return found


def _percent_of(value: words.Number, whole: words.Number, floor: words.Number = 0) -> str:
    """How far along a bar from `floor` to `whole` a value lies."""
    return f"{100 * min(max((value - floor) / (whole - floor), 0.0), 1.0):.2f}%"


def _copy_static(folder: Path) -> None:
    folder.mkdir()
    for item in resources.files("microtome.report").joinpath("static").iterdir():
        if item.name.endswith((".css", ".js")):
            (folder / item.name).write_bytes(item.read_bytes())


def _swap_in(fresh: Path, run: Path) -> None:
    """Put the new pages in the old ones' place; the index comes last, since it is what people open."""
    report, old = run / "report", fresh / "old"
    if report.exists():
        os.replace(report, old)
    try:
        os.replace(fresh / "report", report)
    except OSError:
        if old.exists():
            os.replace(old, report)
        raise
    os.replace(fresh / "index.html", run / "index.html")
