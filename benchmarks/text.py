"""Text: 10,000 pairs with 40 of 4,093 concepts each. Every figure is of a process of its own, with its peak memory.

`python -m benchmarks.text search KIND TABLE UNITS` and `python -m benchmarks.text layer KIND PARTS` print one line of
JSON; KIND is `plain` or `near` (with NEIGHBOURS), TABLE `made` or `snli`. Times of searches are of the processor, so
that other work on the machine tells little on them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

UNITS, PERMUTATIONS, BEAM, LENGTH = 1024, 200, 10, 3
SHARED = Path(os.environ.get("MICROTOME_SHARED", "../shared/data"))


def search_units(kind: str, source: str, units: int) -> dict[str, float]:
    """Milliseconds of processor time a unit at lengths 3 and 5, and the published way on the first two units."""
    from benchmarks.pairs_like import alike, pairs_table, planted
    from microtome.methods.dissect.exact import Exact

    table = pairs_table() if source == "made" else snli_table()
    if kind == "near":
        table = replace(table, neighbours=alike(table))
    activity = planted(table, units=units)
    found: dict[str, float] = {
        "rows": table.n_signatures, "concepts": len(table.concepts), "each": len(table.indices) / table.n_signatures,
        "terms": len(table.terms), "active": len(activity.rows) / units,
    }  # fmt: skip
    for longest in (LENGTH, 5):
        finder = Exact(max_length=longest, beam=BEAM, exact_length=2).prepare(table)
        finder(*activity.unit(0))
        seconds = []
        for unit in range(units):
            start = time.process_time()
            finder(*activity.unit(unit))
            seconds.append(time.process_time() - start)
        found |= {f"mean_{longest}": 1000 * float(np.mean(seconds)), f"max_{longest}": 1000 * max(seconds)}
        if longest == LENGTH:
            found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            if kind == "plain" and source == "made":
                found |= _published(table, activity, finder, units=2)
    return found


def _published(table, activity, finder, *, units: int) -> dict[str, float]:
    """The beam over dense masks of all pairs, candidate by candidate, beside ours on the same units."""
    from benchmarks.published import PublishedBeam

    indptr, rows = table.columns
    masks = np.zeros((len(table.concepts), table.n_signatures), bool)
    for concept in range(len(masks)):
        masks[concept, rows[indptr[concept] : indptr[concept + 1]]] = True
    twin, ours, theirs, worse, evaluated = PublishedBeam(masks), 0.0, 0.0, 0, 0
    for unit in range(units):
        start = time.process_time()
        best = finder(*activity.unit(unit))[-1].iou
        middle = time.process_time()
        fires = np.zeros(table.n_signatures, bool)
        fires[activity.unit(unit)[0]] = True
        score, count = twin.search(fires, width=BEAM, longest=LENGTH)
        theirs += time.process_time() - middle
        ours += middle - start
        worse, evaluated = worse + (best < score), evaluated + count
    return {
        "published": theirs / units, "ratio": theirs / ours, "worse": worse, "of": units,
        "evaluated": evaluated / units,
    }  # fmt: skip


def snli_table():
    """The table of the real pairs that are explained, all of them searched."""
    from microtome.core.signatures import SignatureTable
    from microtome.data.text.open import open_texts
    from microtome.data.text.settings import TextSettings
    from microtome.record.signatures import csr_of

    tagger = f"nltk:{SHARED / 'ud_ewt' / 'en_ewt-ud-dev.conllu'}"
    data = open_texts(SHARED / "nli" / "snli_dev.jsonl", TextSettings(tagger=tagger))
    order = sorted(range(len(data.concepts)), key=lambda i: data.concepts[i].name)
    place = {own: at for at, own in enumerate(order)}
    sets: dict[tuple[int, ...], int] = {}
    for index in range(len(data)):
        members = tuple(sorted(place[own] for own in data.read(index).sets[0]))
        sets[members] = sets.get(members, 0) + 1
    indptr, indices = csr_of(list(sets))
    return SignatureTable(tuple(data.concepts[i] for i in order), indptr, indices, np.array(list(sets.values())))


def whole_layer(kind: str, parts: int) -> dict[str, float]:
    """Seconds of one of `parts` equal parts of 1,024 units, from pairs to pages, and the peak memory in MiB.

    How many re-pairings a unit gets falls with the number of units; a part draws as many a unit as the whole would.
    """
    from benchmarks.pairs_like import known_model, pairs_table
    from microtome.recipes.dissect import dissect
    from microtome.recipes.dissect_settings import DissectSettings
    from microtome.verify.chance import SLOTS_A_DRAW

    table = pairs_table(near=kind == "near")
    from benchmarks.pairs_like import PairsLike

    stride = -(-UNITS // SLOTS_A_DRAW)
    own = -(-(UNITS // parts) // SLOTS_A_DRAW)
    settings = DissectSettings(
        max_length=LENGTH, beam=BEAM, active="positive", permutations=PERMUTATIONS * own // stride,
        units=tuple(range(0, UNITS, parts)),
    )  # fmt: skip
    marks: dict[str, float] = {}

    def note(stage: str, done: int, total: int) -> None:
        marks[stage] = time.perf_counter()

    model = known_model(table, units=UNITS)
    with tempfile.TemporaryDirectory() as folder:
        start, worked = time.perf_counter(), time.process_time()
        result = dissect(
            model, "last", PairsLike(table), out=Path(folder) / "run", progress=note, settings=settings
        )  # fmt: skip
        end, worked = time.perf_counter(), time.process_time() - worked
        named = result.manifest["summary"]["named"]
        draws = result.query("select count(*) n from chance").to_pylist()[0]["n"]
    return {
        "recording": marks["recording"] - start, "after": end - marks["recording"], "processor": worked,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "named": named, "draws": draws,
        "units": UNITS // parts,
    }  # fmt: skip


def measured(*arguments: object) -> dict[str, float]:
    """One of the two above in a process of its own, on one thread of linear algebra."""
    command = [sys.executable, "-m", "benchmarks.text", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def run(*, quick: bool = False) -> list[tuple[str, str, str]]:
    """Rows (what, measured, target)."""
    units, rows = 8 if quick else 24, []
    tables = {"made": "pairs from a seed"} | ({"snli": "SNLI dev"} if (SHARED / "nli").is_dir() else {})
    for source, title in tables.items():
        for kind, more, limit in (("plain", "", 40), ("near", ", NEIGHBOURS", 80)):
            got = measured("search", kind, source, units)
            target = f"<= {limit} ms, < 500 MiB" if source == "made" else ""
            rows.append((
                f"{title}{more}: {got['rows']:,} rows x {got['each']:.0f} of {got['concepts']:,}, "
                f"{got['active'] / got['rows']:.0%} active",
                f"{got['mean_3']:.1f} ms of processor (largest {got['max_3']:.1f}), length 5 {got['mean_5']:.1f} ms; "
                f"peak {got['peak']:.0f} MiB", target,
            ))  # fmt: skip
            if "ratio" in got:
                rows.append((
                    "dense masks, one candidate after the other",
                    f"{got['published']:.1f} s a unit, {got['evaluated']:,.0f} candidates; ours {got['ratio']:,.0f} "
                    f"times faster, worse IoU on {got['worse']} of {got['of']}", "38 s (published)",
                ))  # fmt: skip
    parts = 16 if quick else 8
    for kind, more in (("plain", ""), ("near", ", NEIGHBOURS")):
        got = measured("layer", kind, parts)
        rows.append((
            f"1,024 units, {PERMUTATIONS} re-pairings{more}",
            f"{(got['recording'] + parts * got['after']) / 60:.1f} min, by {parts} times one part in {parts} "
            f"({got['after']:.0f} s, {got['processor']:.0f} s of processor); peak {got['peak']:.0f} MiB",
            "< 15 min",
        ))  # fmt: skip
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "search":
        print(json.dumps(search_units(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        print(json.dumps(whole_layer(sys.argv[2], int(sys.argv[3]))))
