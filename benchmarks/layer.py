"""Section 3: a whole layer of 512 units, from cached activations to written tables, pictures and pages.

Run as a process of its own for each figure, so that its peak memory is its own: `python -m benchmarks.layer 200`.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

UNITS = 512


def whole_layer(permutations: int, *, images: int = 2000, units: int = UNITS) -> dict[str, float]:
    """Seconds after the recording pass, and the peak memory of the process in MiB."""
    from benchmarks.broden_data import SIDE, BrodenLike, KnownMaps
    from benchmarks.broden_like import Shape
    from microtome.models.model import wrap
    from microtome.recipes.dissect import dissect
    from microtome.recipes.dissect_settings import DissectSettings

    shape = Shape(images=images)
    data = BrodenLike(shape)
    marks: dict[str, float] = {}

    def note(stage: str, done: int, total: int) -> None:
        marks[stage] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        # The maps come from a process of their own, so that making them does not count as our memory.
        made = Path(folder) / "maps.npy"
        command = [sys.executable, "-m", "benchmarks.layer", "maps", str(images), str(units), str(made)]
        subprocess.run(command, check=True)
        model = wrap(KnownMaps(np.load(made)), size=SIDE)
        start = time.perf_counter()
        result = dissect(
            model, "last", data, out=Path(folder) / "run", progress=note,
            settings=DissectSettings(permutations=permutations, grid=(shape.grid, shape.grid)),
        )  # fmt: skip
        end = time.perf_counter()
        named = result.manifest["summary"]["named"]
        shutil.rmtree(result.path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "recording": marks["recording"] - start, "after": end - marks["recording"],
        "searching": marks["searching"] - marks["recording"], "peak": peak, "named": named,
        "signatures": result.manifest["elements"]["signatures"],
    }  # fmt: skip


def block_maps(data, units: int) -> np.ndarray:
    """Planted maps of all images, float16; labels are read once for them."""
    from benchmarks.units import planted_maps
    from microtome.core.signatures import SignatureTable
    from microtome.record.signatures import SignatureIndex, concept_keys, csr_of, image_signatures

    keys, index, maps = concept_keys(len(data.concepts)), SignatureIndex(), []
    for i in range(len(data)):
        planes = data.read(i).planes
        found = image_signatures(planes, whole=(), void=np.zeros(planes.shape[1:], bool), keys=keys)
        maps.append(index.place(found.sets)[found.map][::4, ::4])
    sets, renumber = index.canonical()
    joined = renumber[np.stack(maps)]
    weight = np.bincount(joined.ravel(), minlength=len(sets))
    return planted_maps(SignatureTable(data.concepts, *csr_of(sets), weight), joined, units=units)


def measured(permutations: int, images: int = 2000, units: int = UNITS) -> dict[str, float]:
    """`whole_layer` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.layer", str(permutations), str(images), str(units)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def run(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Rows (what, measured, target)."""
    rows = []
    for permutations, target in ((0, "< 30 s, < 1,024 MiB"), (20 if quick else 200, "< 180 s, < 1,024 MiB")):
        got = measured(permutations)
        rows.append((
            f"512 units, {permutations} re-pairings", f"{got['after']:.1f} s (search {got['searching']:.1f}), "
            f"peak {got['peak']:.0f} MiB", target,
        ))  # fmt: skip
    return rows


def growth(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Section 5: pass and search as images grow."""
    rows = []
    for images in (250, 500) if quick else (250, 500, 1000, 2000):
        got = measured(0, images, 64)
        rows.append((
            f"{images:,} images, 64 units", f"pass {1000 * got['recording'] / images:.2f} ms an image; "
            f"search {1000 * got['searching'] / 64:.1f} ms a unit, {got['signatures']:,} signatures", "",
        ))  # fmt: skip
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "maps":
        from benchmarks.broden_data import BrodenLike
        from benchmarks.broden_like import Shape

        np.save(sys.argv[4], block_maps(BrodenLike(Shape(images=int(sys.argv[2]))), int(sys.argv[3])))
    else:
        print(json.dumps(whole_layer(int(sys.argv[1]), images=int(sys.argv[2]), units=int(sys.argv[3]))))
