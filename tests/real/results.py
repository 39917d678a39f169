"""Write docs/results from runs on the real data: `python -m tests.real.results --out docs/results`.

Runs are kept under runs/results and used again when they are complete, so a call that was broken off goes on where it
stopped. The pages hold nothing but what the run folders say.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import types
from pathlib import Path

from microtome.core.errors import MicrotomeError
from microtome.recipes.result import Dissection
from tests.real.real_run import RealRun
from tests.real.result_pages import write_index, write_page
from tests.real.runs import RUNS

REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Make what is missing and write the pages; returns the exit code."""
    options = _options(arguments)
    # As in tests/conftest.py: torchvision built for CUDA fails to import beside a CPU build of torch in this module.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    shared = Path(os.environ.get("MICROTOME_SHARED") or REPOSITORY.parent / "shared" / "data")
    if not shared.is_dir():
        sys.stderr.write(f"{shared} is no folder; set MICROTOME_SHARED to the folder that holds the real data\n")
        return 2
    chosen = [RUNS[name] for name in options.only or RUNS]
    done: list[tuple[RealRun, Dissection]] = []
    try:
        for run in chosen:
            result = _made(run, shared.resolve(), options.runs / run.name, anew=options.anew)
            write_page(run, result, options.out, pictures=options.pictures)
            done.append((run, result))
    except MicrotomeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    complete = [(run, Dissection(options.runs / run.name)) for run in RUNS.values() if _complete(options.runs, run)]
    write_index(complete, options.out)
    return 0


def _made(run: RealRun, shared: Path, folder: Path, *, anew: bool) -> Dissection:
    last = ""

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last
        if what != last:
            sys.stderr.write(f"{run.name}: {what}\n")
            last = what

    if (folder / "manifest.json").exists() and not anew:
        sys.stderr.write(f"{run.name}: the run at {folder} is complete and used again\n")
        return run.finish(Dissection(folder), progress)
    if anew and folder.exists():
        shutil.rmtree(folder)
    return run.finish(run.run(shared, folder, progress=progress), progress)


def _complete(folder: Path, run: RealRun) -> bool:
    return (folder / run.name / "manifest.json").exists()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.real.results", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder of the pages")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="folder of the runs")
    parser.add_argument("--only", nargs="+", choices=list(RUNS), help="make and write these alone")
    parser.add_argument("--anew", action="store_true", help="make runs again that are complete")
    parser.add_argument("--without-pictures", dest="pictures", action="store_false", help="tables alone")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
