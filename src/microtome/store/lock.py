"""One process at a time in a folder: the lock goes with the folder when it is renamed, and with the process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from microtome.core.errors import RunError

try:
    import fcntl
except ImportError:
    # Windows has no flock: there two processes in one folder are not kept apart.
    fcntl = None

_held: dict[Path, int] = {}


def lock_folder(folder: Path) -> None:
    """Lock a folder for this process until `unlock_folder` or its end (also by kill -9). It may hold it already.

    The folder itself is locked (flock), so there is no lock file that could be left behind. Network file systems
    without locks on folders go without, like Windows.

    Raises
    ------
    RunError
        If another process holds it.
    """
    unlock_folder(folder)
    if fcntl is None:
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The other process may have put it in place, or removed it, since it was opened.
        gone = not folder.exists() or not os.path.samestat(os.fstat(held), folder.stat())
    except OSError as error:
        gone = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
        if not gone and error.errno not in (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            os.close(held)
            raise
    if gone:
        os.close(held)
        raise RunError(
            f"Another process is writing this run: it holds {folder}.",
            expected="one process for each --out",
            next_step="wait until it ends or stop it, or choose another --out",
        )
    _held[folder] = held


def unlock_folder(folder: Path) -> None:
    """Give a folder back; it need not be locked, nor be there still."""
    held = _held.pop(folder, None)
    if held is not None:
        os.close(held)
