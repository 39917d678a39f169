"""A dissection of tokens that kills itself with SIGKILL while it records, then while it searches, then goes on.

    python -m tests.support.killed_texts FOLDER

writes FOLDER/killed/run and FOLDER/whole/run, and prints how each attempt ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.record import settings as record_settings
from tests.support.text_worlds import token_model, token_texts

SETTINGS = DissectSettings(permutations=4, quantile=0.05, max_length=3)
BLOCK = 5


def attempt(out: Path, *, stage: str = "", at: int = 0) -> int:
    """One dissection in a forked process, killed when `stage` has come to `at`; its exit status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:

            def progress(name: str, done: int, total: int) -> None:
                if name == stage and done >= at:
                    os.kill(os.getpid(), signal.SIGKILL)

            record_settings.LARGEST_BLOCK = BLOCK
            data = token_texts(40, seed=1)
            dissect(token_model(), "sum", data, out=out, settings=SETTINGS, progress=progress)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run = folder / "killed" / "run"
    ends = [
        attempt(run, stage="recording", at=2 * BLOCK), attempt(run, stage="searching", at=3),
        attempt(run, stage="reading texts", at=2), attempt(run), attempt(folder / "whole" / "run"),
    ]  # fmt: skip
    sys.stdout.write(json.dumps(ends))
