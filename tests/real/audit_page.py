"""Write docs/results/squeezenet-audit.md: `python -m tests.real.audit_page --out docs/results`.

SqueezeNet is audited with segments of CamVid, pasted into ImageNet's pictures. Runs are kept under runs/results and
used again when they are complete; the page holds nothing but what they say. `--concept car --target cab` makes one
finding alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

from microtome.core.errors import MicrotomeError
from microtome.data.open import open_data
from microtome.recipes.audit.inputs import AuditInputs
from microtome.recipes.audit.result import Audit
from microtome.recipes.audit.run import audit
from microtome.recipes.audit.settings import AuditSettings
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress
from tests.real.audit_moved import moved_rows
from tests.real.audit_sections import Timed, write_page
from tests.real.image_sets import ImageNetSamples
from tests.real.runs import RUNS, squeezenet

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES, OWN, RANDOM, ONE = "squeezenet-audit-names", "squeezenet-audit", "squeezenet-audit-random", "squeezenet-one"
COMMAND = ("python", "-m", "tests.real.audit_page")
PERMUTATIONS = 100
LAYER = "features.12"
CLASSES = (
    "cab", "minivan", "convertible", "sports car", "trolleybus", "streetcar", "freight car", "moving van",
    "mountain bike", "moped", "unicycle", "street sign", "traffic light", "parking meter", "picket fence", "car wheel",
    "church", "palace", "lakeside", "valley",
)  # fmt: skip
"""Fixed before any run: what drives or stands in streets, and what lies behind them."""
SETTINGS = AuditSettings(
    images=1000, suspects=24, cases=60, trials=8, draws=2, directions=2, place="own", batch_size=8
)  # fmt: skip
AT_RANDOM = replace(SETTINGS, place="random", scale=0.7, suspects=12, directions=0)


def main(arguments: list[str] | None = None) -> int:
    """Make the runs that are missing and write the page; returns the exit code."""
    options = _options(arguments)
    # As in tests/conftest.py: torchvision built for CUDA fails to import beside a CPU build of torch in this module.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    shared = Path(os.environ.get("MICROTOME_SHARED") or REPOSITORY.parent / "shared" / "data")
    if not shared.is_dir():
        sys.stderr.write(f"{shared} is no folder; set MICROTOME_SHARED to the folder that holds the real data\n")
        return 2
    runs: Path = options.runs
    try:
        names = _names(shared, runs / NAMES)
        if options.concept:
            one = replace(SETTINGS, concept=options.concept, target=options.target, directions=0)
            found = make_audit(shared, names, runs / ONE, one, progress=_told(ONE, {}), overwrite=True)
            sys.stdout.write("".join(f"{row['sentence']}\n" for row in found.findings))
            return 0
        own, random = (
            _timed(shared, names, runs / name, settings) for name, settings in ((OWN, SETTINGS), (RANDOM, AT_RANDOM))
        )
        moved = _moved(shared, names, runs / f"{OWN}-moved.json")
        write_page(names, own, random, moved, CLASSES, options.out, (*COMMAND, "--out", "docs/results"))
    except MicrotomeError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def make_audit(
    shared: Path, names: Dissection, folder: Path, settings: AuditSettings, *, progress: Progress,
    overwrite: bool = False,
) -> Audit:  # fmt: skip
    """Segments of CamVid's train frames pasted into ImageNet's pictures, for the twenty classes."""
    return audit(
        squeezenet(shared, named=True), LAYER, open_data(shared / "camvid" / "train"), out=folder,
        inputs=_inputs(shared, names), settings=settings, overwrite=overwrite, command=COMMAND, progress=progress,
    )  # fmt: skip


def _inputs(shared: Path, names: Dissection) -> AuditInputs:
    return AuditInputs(hosts=ImageNetSamples(shared / "imagenet_samples"), run=names.path, classes=CLASSES)


def _moved(shared: Path, names: Dissection, kept: Path) -> list[dict[str, Any]]:
    """What pasting does to the class's score, in the same cases; kept beside the run."""
    if not kept.exists():
        sys.stderr.write(f"{kept.stem}: asking the same cases again\n")
        rows = moved_rows(
            squeezenet(shared, named=True), LAYER, open_data(shared / "camvid" / "train"), _inputs(shared, names),
            SETTINGS, kept.with_suffix(""),
        )  # fmt: skip
        kept.write_text(json.dumps(rows), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def _names(shared: Path, folder: Path) -> Dissection:
    """The dissection that names the units: half of the train frames held out, with fewer re-pairings."""
    if (folder / "manifest.json").exists():
        return Dissection(folder)
    return RUNS["squeezenet-camvid-halves"].run(
        shared, folder, permutations=PERMUTATIONS, progress=_told(folder.name, {})
    )


def _timed(shared: Path, names: Dissection, folder: Path, settings: AuditSettings) -> Timed:
    """The audit, and the seconds that each of its stages took when it was made; kept beside the run."""
    kept = folder.with_name(f"{folder.name}-seconds.json")
    if (folder / "manifest.json").exists():
        sys.stderr.write(f"{folder.name}: the run at {folder} is complete and used again\n")
        seconds = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        return Timed(Audit(folder), seconds)
    begun: dict[str, float] = {}
    found = make_audit(shared, names, folder, settings, progress=_told(folder.name, begun))
    ends = [*list(begun.values())[1:], time.monotonic()]
    seconds = {what: round(end - start, 1) for (what, start), end in zip(begun.items(), ends, strict=True)}
    kept.write_text(json.dumps(seconds), encoding="utf-8")
    return Timed(found, seconds)


def _told(name: str, begun: dict[str, float]) -> Progress:
    """Say each stage once, and note when it began."""

    def progress(what: str, done: int, total: int) -> None:
        if what not in begun:
            begun[what] = time.monotonic()
            sys.stderr.write(f"{name}: {what}\n")

    return progress


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.real.audit_page", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="folder of the page")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="folder of the runs")
    parser.add_argument("--concept", default="", help="make the finding of this concept alone, and no page")
    parser.add_argument("--target", default="", help="... as a reason for this class")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
