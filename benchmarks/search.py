"""Section 1: the searches. Milliseconds a unit on one core, compiled code warm, beside the published way in one run."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.broden_like import LARGE, SMALL, Shape, image_planes, names
from benchmarks.published import PublishedBeam
from benchmarks.units import planted_maps
from microtome.core.concept import Concept
from microtome.core.signatures import Activity, SignatureTable
from microtome.methods.dissect.compositional import Compositional
from microtome.methods.dissect.exact import Exact
from microtome.record.pairing import paired_counts
from microtome.record.signatures import SignatureIndex, concept_keys, csr_of, image_signatures
from microtome.record.upsample import axis_weights, take_counts, unit_positions


@dataclass(frozen=True)
class Set:
    """A made set: the table, label maps, activation maps and each unit's activity."""

    table: SignatureTable
    maps: np.ndarray
    activations: np.ndarray
    activity: Activity
    positions: list[np.ndarray]


def make_table(shape: Shape, *, seed: int = 0) -> tuple[SignatureTable, np.ndarray]:
    """The set's table of signatures, and maps int32 [image, grid, grid]."""
    generator, index, maps = np.random.default_rng(seed), SignatureIndex(), []
    concepts = tuple(Concept(name, category) for name, category in names(shape))
    keys = concept_keys(len(concepts))
    void = np.zeros((shape.grid, shape.grid), bool)
    for _ in range(shape.images):
        found = image_signatures(image_planes(shape, generator), whole=(), void=void, keys=keys)
        maps.append(index.place(found.sets)[found.map])
    sets, renumber = index.canonical()
    joined = renumber[np.stack(maps)]
    indptr, indices = csr_of(sets)
    weight = np.bincount(joined.ravel(), minlength=len(sets))
    return SignatureTable(concepts, indptr, indices, weight), joined


def make_set(shape: Shape, *, units: int, seed: int = 0) -> Set:
    """A set with planted units at 7 x 7."""
    table, maps = make_table(shape, seed=seed)
    activations = planted_maps(table, maps, units=units, seed=seed)
    flat = np.ascontiguousarray(maps.reshape(-1))
    lower, part = axis_weights(7, shape.grid)
    dense, buffer = np.zeros((2, table.n_signatures), np.int64), np.empty(flat.size // 8, np.int64)
    searched, identity = np.zeros(shape.images, bool), np.arange(shape.images)
    rows, counts, pointers, positions = [], [], [0], []
    for unit in range(units):
        values = activations[:, unit : unit + 1].astype(np.float32)
        keep = int(0.005 * values.size) + 1
        threshold = float(np.partition(values.ravel(), -keep)[-keep])
        n = unit_positions(values, 0, threshold, np.inf, lower, part, lower, part, 0, buffer, 0)
        paired_counts(buffer[:n], flat, searched, shape.grid**2, identity, dense)
        r, c = take_counts(dense[0])
        rows.append(r)
        counts.append(c)
        pointers.append(pointers[-1] + len(r))
        positions.append(buffer[:n].copy())
    return Set(
        table, maps, activations, Activity(np.array(pointers), np.concatenate(rows), np.concatenate(counts)), positions
    )


def dense_set(
    *, rows: int = 50_000, concepts: int = 1200, each: int = 10, units: int = 8
) -> tuple[SignatureTable, Activity]:
    """Rows of ten concepts drawn like 1 / rank, each row an element set of its own, and noisy planted units."""
    generator = np.random.default_rng(3)
    weights = 1.0 / np.arange(1, concepts + 1) ** 0.7
    weights /= weights.sum()
    gumbel = generator.gumbel(size=(rows, concepts)) + np.log(weights)
    members = np.sort(np.argpartition(-gumbel, each, axis=1)[:, :each], axis=1).astype(np.int32)
    table = SignatureTable(
        tuple(Concept(f"c{i:04d}", "object") for i in range(concepts)),
        np.arange(0, rows * each + 1, each, dtype=np.int64), members.reshape(-1), np.full(rows, 40, np.int64),
    )  # fmt: skip
    activity_rows, counts, pointers = [], [], [0]
    for _ in range(units):
        a, b = generator.integers(5, 200, 2)
        holds = (members == a).any(axis=1) | (members == b).any(axis=1)
        active = np.flatnonzero(holds & (generator.random(rows) < 0.5) | (generator.random(rows) < 0.003))
        activity_rows.append(active.astype(np.int32))
        counts.append(generator.integers(1, 41, len(active)))
        pointers.append(pointers[-1] + len(active))
    return table, Activity(np.array(pointers), np.concatenate(activity_rows), np.concatenate(counts))


def per_unit(finder, activity: Activity) -> np.ndarray:
    """Seconds of each unit, after one warm call."""
    finder(*activity.unit(0))
    seconds = []
    for unit in range(len(activity)):
        start = time.perf_counter()
        finder(*activity.unit(unit))
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)


def milliseconds(seconds: np.ndarray) -> str:
    return f"{1000 * seconds.mean():.2f} ms (largest {1000 * seconds.max():.2f})"


def against_published(made: Set, *, units: int = 10) -> list[tuple[str, str, str]]:
    """The beam beside the published way on the same ten units: ratio of times, and IoUs."""
    pointers, rows = made.table.columns
    flat = made.maps.reshape(-1)
    size = -(-flat.size // 64) * 8
    masks = np.zeros((len(made.table.concepts), size), np.uint8)
    for c in range(len(masks)):
        truth = np.zeros(made.table.n_signatures, bool)
        truth[rows[pointers[c] : pointers[c + 1]]] = True
        packed = np.packbits(truth[flat])
        masks[c, : len(packed)] = packed
    twin, finder = PublishedBeam(masks), Compositional(max_length=3).prepare(made.table)
    finder(*made.activity.unit(0))
    start = time.perf_counter()
    found = [finder(*made.activity.unit(unit)) for unit in range(units)]
    ours = time.perf_counter() - start
    theirs, evaluated, worse = 0.0, 0, 0
    for unit in range(units):
        packed = np.zeros(size, np.uint8)
        active = np.zeros(flat.size, bool)
        active[made.positions[unit]] = True
        bits = np.packbits(active)
        packed[: len(bits)] = bits
        start = time.perf_counter()
        best, count = twin.search(packed, width=10, longest=3)
        theirs += time.perf_counter() - start
        evaluated += count
        worse += found[unit][-1].iou < best
    return [
        ("published way, length 3", f"{theirs / units:.1f} s a unit, {evaluated // units:,} candidates", "33 to 39 s"),
        ("beam against it", f"{theirs / ours:,.0f} times faster; worse IoU on {worse} of {units}", ">= 20,000; 0"),
    ]


def run(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Rows (what, measured, target)."""
    small = make_set(SMALL, units=32)
    table = small.table
    rows = [(
        "Broden-like set", f"{table.total:,} elements, {table.n_signatures:,} signatures, "
        f"{len(table.concepts)} concepts", ""
    )]  # fmt: skip
    for longest, target in ((3, "<= 1 ms"), (10, "<= 3 ms")):
        seconds = per_unit(Compositional(max_length=longest).prepare(table), small.activity)
        rows.append((f"beam, length {longest}", milliseconds(seconds), target))
    rows += against_published(small, units=2 if quick else 10)
    rows.append(("exact, 300 concepts", milliseconds(per_unit(Exact().prepare(table), small.activity)), "<= 30 ms"))
    large = make_set(LARGE, units=16)
    seconds = per_unit(Exact().prepare(large.table), large.activity)
    rows.append((f"exact, {len(large.table.concepts):,} concepts", milliseconds(seconds), "<= 300 ms"))
    dense, activity = dense_set()
    seconds = per_unit(Exact().prepare(dense), activity)
    rows.append(("exact, dense rows (50,000 x 10 of 1,200)", milliseconds(seconds), "<= 5,000 ms"))
    return rows
