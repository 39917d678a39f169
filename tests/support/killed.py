"""Dissections that kill themselves with SIGKILL at chosen moments, and what is left after them.

    python -m tests.support.killed FOLDER

runs every scenario below into FOLDER/NAME/run and writes FOLDER/log.json: how each attempt ended and how many steps
there are. A step is the moment before or after a change of the disk that stays (a file or folder renamed or removed).
Each attempt is a process of its own, forked from one that has only imported.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtome.data.world.dataset import World
from microtome.recipes.dissect import dissect
from microtome.recipes.dissect_settings import DissectSettings
from microtome.record import settings as record_settings
from tests.support.listed import small_model

IMAGES, BLOCK = 18, 3
SETTINGS = DissectSettings(permutations=4, grid=(16, 16), quantile=0.05, max_length=2)
SINGLE_KILLS, CHAIN = 6, 3


def attempt(out: Path, *, at_step: int = 0, at_search: int = 0, steps: Path | None = None) -> int:
    """One dissection in a forked process; its exit status, -9 after SIGKILL.

    Parameters
    ----------
    at_step, at_search:
        Dies at that step, or when that many units have been searched; 0 = never.
    steps:
        Where to write how many steps there were.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = _count_steps(at_step)

            def progress(stage: str, done: int, total: int) -> None:
                if stage == "searching" and done == at_search:
                    os.kill(os.getpid(), signal.SIGKILL)

            record_settings.LARGEST_BLOCK = BLOCK
            data = World("heldout", count=IMAGES, size=32)
            model = small_model(classes=data.classes[:3])
            dissect(model, "relu", data, out=out, settings=SETTINGS, progress=progress)
            if steps is not None:
                steps.write_text(str(count[0]))
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _count_steps(die: int) -> list[int]:
    """Make every change of the disk two steps, and die at number `die`. Returns the running count."""
    count = [0]

    def tick() -> None:
        count[0] += 1
        if count[0] == die:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            tick()
            result = real(*args, **named)
            tick()
            return result

        return call

    for name in ("replace", "rename", "unlink"):
        setattr(Path, name, stepped(getattr(Path, name)))
    shutil.rmtree = stepped(shutil.rmtree)
    return count


def run_all(folder: Path) -> dict[str, Any]:
    """Every scenario; see the module docstring."""
    folder.mkdir(parents=True, exist_ok=True)
    log: dict[str, Any] = {"whole": [attempt(folder / "whole" / "run", steps=folder / "steps")]}
    log["steps"] = steps = int((folder / "steps").read_text())
    dice = random.Random(0)
    # One from each part of the run, the last two steps among them.
    marks = sorted({1 + (steps - 3) * k // (SINGLE_KILLS - 2) + dice.randrange(2) for k in range(SINGLE_KILLS - 2)})
    for step in [*marks, steps - 1, steps]:
        out = folder / f"step {step}" / "run"
        log[f"step {step}"] = [attempt(out, at_step=step), 0 if (out / "manifest.json").exists() else attempt(out)]
    out = folder / "search" / "run"
    log["search"] = [attempt(out, at_search=2), attempt(out)]
    out = folder / "chain" / "run"
    log["chain"] = [attempt(out, at_step=dice.randrange(4, 12)) for _ in range(CHAIN)]
    log["chain"] += [attempt(out, at_search=1), attempt(out)]
    return log


if __name__ == "__main__":
    log = run_all(Path(sys.argv[1]))
    (Path(sys.argv[1]) / "log.json").write_text(json.dumps(log))
