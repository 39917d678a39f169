"""Files that are there whole or not at all, also after kill -9: written beside their place, then renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from microtome.core.errors import RunError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it to `path`.

    Raises
    ------
    RunError
        If the disk is full or the folder cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        _unlink(temporary)
        raise disk_error(path, error) from error
    except BaseException:
        _unlink(temporary)
        raise


def _unlink(path: Path) -> None:
    # Where nothing could be written nothing can be removed: the first error is the one to tell.
    with suppress(OSError):
        path.unlink()


def disk_error(path: Path, error: OSError) -> RunError:
    """The RunError that says what to do about a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"The disk is full: {path} could not be written.",
            expected="room for the activations of the pass",
            next_step="free some space, choose another --out, or use --recompute, which stores no activations",
        )
    return RunError(
        f"{path} could not be written: {error.strerror or error}.",
        expected="a folder that can be written",
        next_step="choose another --out",
    )


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays as one safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def write(temporary: Path) -> None:
        try:
            save_file(plain, temporary)
        except SafetensorError as error:
            # safetensors reports a failed write in its own class, with the system's error as text.
            full = "No space left" in str(error) or "os error 28" in str(error)
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error

    write_atomically(path, write)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a safetensors file."""
    from safetensors.numpy import load_file

    return load_file(path)


def write_json(path: Path, content: Any) -> None:
    """JSON with two spaces of indent, keys as given."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))
