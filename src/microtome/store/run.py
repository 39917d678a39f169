"""A run folder: built under another name, put in place whole when all of it is there.

`RUN.partial` holds the cache of the pass while it runs. A run that fails on bad input removes it; one that is killed
leaves it, and the same command goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from microtome.core.errors import RunError
from microtome.store.atomic import disk_error, write_arrays, write_atomically, write_json
from microtome.store.lock import lock_folder, unlock_folder

FORMAT = 1


class RunDraft:
    """A run while it is being made.

    Parameters
    ----------
    out:
        Where the run will stand.
    plan:
        What decides the result (settings, hashes): a draft with the same plan is taken up, another is discarded.
    overwrite:
        Replace a run that stands at `out`.

    Raises
    ------
    RunError
        If something stands at `out` and may not be replaced, the folder cannot be written, or another process is
        writing this run.
    """

    def __init__(self, out: Path, *, plan: Mapping[str, Any], overwrite: bool = False) -> None:
        self.out = _place(out)
        self.folder = self.out.with_name(f"{self.out.name}.partial")
        text = json.dumps(plan, sort_keys=True)
        try:
            self._check(overwrite)
            self.resumed = self._take(text)
            if not self.resumed:
                self._note(text)
        except OSError as error:
            unlock_folder(self.folder)
            raise disk_error(self.folder, error) from error
        except RunError:
            unlock_folder(self.folder)
            raise

    def _take(self, text: str) -> bool:
        """Make the folder of the draft, locked, or take up the one that is there. Returns whether it is of this plan.

        The lock keeps out other processes; this one may begin the same draft again, say after an interrupt.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock_folder(self.folder)
        note = self.folder / "plan.json"
        if note.exists() and note.read_text(encoding="utf-8") == text:
            self._clear()
            return True
        names = [path.name for path in self.folder.iterdir()]
        # A killed process may have left the plan half written under its temporary name.
        if not note.exists() and not all(name.startswith(".plan.json.") for name in names):
            raise RunError(
                f"{self.folder} is in the way: it is no unfinished run of microtome.",
                expected="a free name for the unfinished run",
                next_step="move it, or choose another --out",
            )
        if names:
            _remove(self.folder)
            self.folder.mkdir()
            lock_folder(self.folder)
        return False

    def _note(self, text: str) -> None:
        try:
            write_atomically(self.folder / "plan.json", lambda path: path.write_text(text, encoding="utf-8"))
        except RunError:
            self.folder.rmdir()
            raise

    def _clear(self) -> None:
        """Leave of a draft what the pass wrote: everything after it is made anew, maybe with other settings."""
        for path in self.folder.iterdir():
            if path.is_dir() and path != self.cache:
                shutil.rmtree(path)
            elif path.is_file() and path.name != "plan.json":
                path.unlink()
        if self.cache.exists():
            for temporary in self.cache.rglob(".*.tmp"):
                temporary.unlink()

    def _check(self, overwrite: bool) -> None:
        if not self.out.exists():
            return
        if not self.out.is_dir() or (any(self.out.iterdir()) and not (self.out / "manifest.json").exists()):
            raise RunError(
                f"{self.out} is there already and is no run of microtome.",
                expected="a new folder",
                next_step="choose another --out",
            )
        if any(self.out.iterdir()) and not overwrite:
            raise RunError(
                f"{self.out} holds a run already.",
                expected="a new folder",
                next_step="choose another --out, or add --overwrite to replace it",
            )

    @property
    def cache(self) -> Path:
        """Where the pass keeps its blocks."""
        return self.folder / "cache"

    def need(self, needed: int, *, less: str = "add --recompute (stores no activations, runs the model twice)") -> int:
        """Check that `needed` bytes are free; returns how many are. Raises RunError, saying how to need less."""
        free = shutil.disk_usage(self.folder).free
        held = sum(file.stat().st_size for file in self.cache.rglob("*") if file.is_file())
        if needed - held > free:
            raise RunError(
                f"The pass needs {needed / 2**30:.3g} GiB of disk for its cache; {free / 2**30:.3g} GiB are free "
                f"at {self.folder.parent}.",
                next_step=f"{less}, free some space, or choose another --out",
            )
        return free

    def table(self, name: str, table: pa.Table) -> None:
        """Store a Parquet table."""
        write_atomically(self.folder / f"{name}.parquet", lambda path: pq.write_table(table, path))

    def arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Store arrays as a safetensors file of this name."""
        write_arrays(self.folder / name, arrays)

    def manifest(self, content: Mapping[str, Any]) -> None:
        write_json(self.folder / "manifest.json", {"format": FORMAT, **content})

    def finish(self, *, keep_cache: bool = False) -> Path:
        """Put the run in place; the cache goes unless it is to be kept."""
        if not keep_cache:
            shutil.rmtree(self.cache, ignore_errors=True)
        try:
            if self.out.exists():
                old = self.out.with_name(f".{self.out.name}.{os.getpid()}.old")
                self.out.rename(old)
                self.folder.rename(self.out)
                shutil.rmtree(old)
            else:
                self.folder.rename(self.out)
            # Last: a draft without its plan could not be taken up again.
            (self.out / "plan.json").unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(self.out, error) from error
        unlock_folder(self.folder)
        return self.out

    def discard(self) -> None:
        """Remove the draft: a run that failed leaves nothing behind."""
        _remove(self.folder)
        unlock_folder(self.folder)


def _place(out: Path) -> Path:
    """Where a run for `out` stands: behind a link it is the folder that the link names."""
    try:
        place = out.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        # A loop of links is a RuntimeError in Python 3.11 and 3.12, a null byte a ValueError.
        raise RunError(f"{out} is no path: {error}.", next_step="choose another --out") from error
    if not place.name:
        raise RunError(
            f"{out} cannot be a run: it is the root of the file system.",
            expected="a new folder",
            next_step="choose another --out",
        )
    return place


def _remove(folder: Path) -> None:
    """Remove a draft. It loses its name first: half of one, left by a kill, would be in the way for ever."""
    if folder.exists():
        aside = folder.rename(folder.with_name(f".{folder.name}.{os.getpid()}.old"))
        shutil.rmtree(aside, ignore_errors=True)


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of a finished run. Raises RunError if `run` is none."""
    path = run / "manifest.json"
    if not path.exists():
        raise RunError(
            f"{run} is no run: it has no manifest.json.",
            expected="a folder that microtome dissect or decompose wrote with --out",
            next_step="check the path",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is no JSON: {error}.", next_step="make the run anew") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise RunError(
            f"{run} has run format {found!r}.",
            expected=f"format {FORMAT}",
            next_step="make the run anew with this version of microtome",
        )
    return content


def add_to_run(run: Path, tables: Mapping[str, pa.Table], *, noted: Mapping[str, Any]) -> None:
    """Put further tables into a finished run, each whole, and last a word about them into its manifest.

    Parameters
    ----------
    run:
        A finished run. Tables that it has under these names are replaced.
    tables:
        By name.
    noted:
        Keys of the manifest and what they become.

    Raises
    ------
    RunError
        If `run` is no run, another process is writing in it, or it cannot be written.
    """
    manifest = read_manifest(run)
    lock_folder(run)
    try:
        for name, table in tables.items():
            write_atomically(run / f"{name}.parquet", lambda path, table=table: pq.write_table(table, path))
        write_json(run / "manifest.json", {**manifest, **noted})
    finally:
        unlock_folder(run)


def read_table(run: Path, name: str) -> pa.Table:
    """A Parquet table of a run. Raises RunError if it is missing."""
    path = run / f"{name}.parquet"
    if not path.exists():
        raise RunError(f"{run} has no table '{name}'.", next_step="see the tables with `microtome query RUN --tables`")
    return pq.read_table(path)
