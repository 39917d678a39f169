"""The table of signatures with the run: enough to search again without the model or the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microtome.core.concept import Concept
from microtome.core.errors import RunError
from microtome.core.signatures import Activity, SignatureTable
from microtome.recipes.search_units import SlotResult
from microtome.record.recording import Recording
from microtome.stats.overlap import Overlap
from microtome.store.atomic import read_arrays
from microtome.store.run import read_table

FILE = "signatures.safetensors"
HALVES = ("search", "heldout")


def count_arrays(recording: Recording, results: list[SlotResult]) -> dict[str, np.ndarray]:
    """Sets, weights and counts of both halves; slot i is row i of the table `units`."""
    table = recording.searched
    arrays = {
        "set_ptr": table.indptr,
        "set_concepts": table.indices,
        "weight_search": table.weight,
        "weight_heldout": recording.heldout_weight,
    }
    for half in HALVES:
        overlap = Overlap(len(results), table.n_signatures)
        for slot, result in enumerate(results):
            overlap.add(slot, *(result.masks.searched if half == "search" else result.masks.heldout))
        activity = overlap.activity()
        arrays |= {f"slot_ptr_{half}": activity.indptr, f"slot_rows_{half}": activity.rows}
        arrays[f"slot_counts_{half}"] = activity.counts
    return arrays


def read_counts(run: Path, half: str) -> tuple[SignatureTable, Activity]:
    """The table of one half (`search` or `heldout`) and every slot's activity on it.

    Raises
    ------
    RunError
        If the run has no such file, or `half` is neither.
    """
    path = run / FILE
    if half not in HALVES or not path.exists():
        raise RunError(
            f"{run} has no counts of the half '{half}'.",
            expected=f"a run with {FILE}, and one of {', '.join(HALVES)}",
            next_step="check the path, or make the run anew",
        )
    arrays = read_arrays(path)
    listed = read_table(run, "concepts").to_pylist()
    concepts = tuple(Concept(row["concept"], row["category"]) for row in listed)
    place = {concept.name: index for index, concept in enumerate(concepts)}
    # A run written before there were texts has no such column.
    groups = tuple(tuple(place[name] for name in row.get("neighbours") or ()) for row in listed)
    table = SignatureTable(
        concepts, arrays["set_ptr"], arrays["set_concepts"], arrays[f"weight_{half}"], groups if any(groups) else ()
    )
    activity = (arrays[f"slot_{part}_{half}"] for part in ("ptr", "rows", "counts"))
    return table, Activity(*activity)
