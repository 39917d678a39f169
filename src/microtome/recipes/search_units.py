"""For each slot: search on one half, score on the other, the same under chance, and the images worth showing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from microtome.core.explanation import Explanation, Finder, chosen_length
from microtome.core.formula import leaves
from microtome.core.measures import Metric
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.netdissect import ConceptOverlap, ranked_overlaps
from microtome.recipes.exemplars import Exemplar, pick_exemplars
from microtome.record.counting import (
    HalfCounter,
    HalfCounts,
    MaskCounter,
    RankCounter,
    Slot,
    positions_of,
    slot_chunks,
)
from microtome.record.one_pass import Progress
from microtome.record.recording import Recording
from microtome.verify.chance import ChanceDraws, ChanceSettings, CountsOf, SlotNull
from microtome.verify.heldout import HeldOut


@dataclass(frozen=True)
class SlotResult:
    """What was found of one slot.

    Attributes
    ----------
    masks:
        Active elements by signature, in both halves.
    explanations:
        Best formula of each length; empty for a slot that is never active or meets no concept.
    heldout:
        (n, a, A) of each on the held-out half.
    scores:
        Held-out scores of the searched metric: entry 0 of the chosen length, entry k of length k; NaN = none.
    chosen:
        Index of the explanation to lead with.
    active:
        Active elements in the searched and in the held-out half.
    spread:
        Over how many images they spread: (sum of n_i)^2 / sum of n_i^2 for n_i active elements in image i.
    fires:
        Images with an active element.
    on_void:
        Active elements that were dropped because nothing is annotated there.
    skipped:
        0, or the least number of active elements that it would need to be searched.
    overlaps:
        Single concepts by falling IoU on the searched half, the first ten.
    overlaps_heldout:
        |C and U| of those on the held-out half.
    """

    slot: Slot
    masks: HalfCounts
    explanations: tuple[Explanation, ...]
    heldout: tuple[tuple[int, int, int], ...]
    scores: Float[np.ndarray, "route"]
    chosen: int
    active: tuple[int, int]
    spread: float
    fires: Bool[np.ndarray, "image"]
    on_void: int
    skipped: int
    null: SlotNull
    overlaps: tuple[ConceptOverlap, ...]
    overlaps_heldout: tuple[int, ...]
    categories: tuple[tuple[ConceptOverlap, int], ...]
    exemplars: tuple[Exemplar, ...]


class UnitSearch:
    """The route that every slot takes, ready for one recording.

    Parameters
    ----------
    recording:
        A finished pass.
    finder:
        A method's `prepare(table)` on the searched half.
    metric:
        What the method maximises; with `auroc` counts are doubled ranks.
    longest:
        Leaves of the longest formula.
    min_active:
        A slot that is active on fewer elements, of both halves together, is not searched.
    """

    def __init__(
        self, recording: Recording, finder: Finder, *, metric: Metric, longest: int, min_active: int = 0
    ) -> None:
        self.recording, self.finder, self.min_active = recording, finder, min_active
        self.metric: Metric = metric
        self.routes = longest + 1
        self.heldout = HeldOut(recording.searched, recording.heldout_weight)
        self._counter = HalfCounter(recording)
        kept = recording.searched.weight > 0
        self._place = np.cumsum(kept) - 1

    def route(self, counts: HalfCounts) -> Float[np.ndarray, "route"]:
        """Search on the searched half, score each length and the chosen one on the held-out half."""
        return self._scores(self._find(counts), counts)

    def _find(self, counts: HalfCounts) -> tuple[Explanation, ...]:
        rows, active = counts.searched
        if not len(rows):
            return ()
        return self.finder(self._place[rows].astype(np.int32), active)

    def _scores(self, found: tuple[Explanation, ...], counts: HalfCounts) -> np.ndarray:
        scores = np.full(self.routes, np.nan)
        if not found:
            # A null draw without any formula scores nothing: it never beats a unit.
            return np.zeros(self.routes)
        for k, explanation in enumerate(found, start=1):
            same = k > 1 and explanation.formula == found[k - 2].formula
            scores[k] = scores[k - 1] if same else self.heldout.score(self.metric, explanation.formula, *counts.heldout)
        scores[len(found) + 1 :] = scores[len(found)]
        scores[0] = scores[chosen_length(found) + 1]
        return scores

    def counts_of(self, slot: Slot, positions: np.ndarray) -> CountsOf:
        """How this slot's activity is counted."""
        if self.metric == "auroc":
            return RankCounter(self.recording, slot.place)
        return MaskCounter(self._counter, positions)

    def one(self, number: int, slot: Slot, positions: np.ndarray, draws: ChanceDraws) -> SlotResult:
        """Everything about one slot; activity where nothing is annotated is dropped first, for all that follows."""
        fired = len(positions)
        positions = positions[self.recording.maps[positions] >= 0]
        images = positions // self.recording.elements
        masks = self._counter(positions)
        counts_of = self.counts_of(slot, positions)
        counts = counts_of()
        skipped = self.min_active if len(positions) < self.min_active else 0
        found = () if skipped else self._find(counts)
        chosen = chosen_length(found) if found else 0
        formula = found[chosen].formula if found else None
        spatial = formula is not None and self._says_where(found[chosen])
        null = (
            draws.run(number, counts_of, search=self.route, routes=self.routes, spatial=spatial)
            if found
            else (SlotNull(np.zeros((0, self.routes)), np.zeros((0, self.routes))))
        )
        ranked = ranked_overlaps(self.recording.searched, *masks.searched)
        categories = _first_of_each(self.recording.searched, ranked)
        shown = [*ranked[:10], *categories]
        outside = dict(zip((o.concept for o in shown), self._both_heldout(shown, masks), strict=True))
        return SlotResult(
            slot=slot,
            masks=masks,
            explanations=found,
            heldout=tuple(self.heldout.counts(e.formula, *masks.heldout) for e in found),
            scores=self._scores(found, counts) if found else np.full(self.routes, np.nan),
            chosen=chosen,
            active=(int(masks.searched[1].sum()), int(masks.heldout[1].sum())),
            spread=_spread(images),
            fires=np.bincount(images, minlength=len(self.recording.items)) > 0,
            on_void=fired - len(positions),
            skipped=skipped,
            null=null,
            overlaps=tuple(ranked[:10]),
            overlaps_heldout=tuple(outside[o.concept] for o in ranked[:10]),
            categories=tuple((o, outside[o.concept]) for o in categories),
            exemplars=tuple(pick_exemplars(
                self.recording, slot, positions, None if formula is None else self.heldout.holds(formula)
            )),
        )  # fmt: skip

    def _says_where(self, explanation: Explanation) -> bool:
        table = self.recording.searched
        return any(self.recording.local[m] for term in leaves(explanation.formula) for m in table.members(term))

    def _both_heldout(self, overlaps: Sequence[ConceptOverlap], counts: HalfCounts) -> list[int]:
        from microtome.methods.dissect.netdissect import concept_overlaps

        both = concept_overlaps(self.recording.searched, *counts.heldout)
        return [int(both[overlap.concept]) for overlap in overlaps]


def _spread(images: np.ndarray) -> float:
    """Effective number of images among positions' image numbers; 0 without any."""
    _, counts = np.unique(images, return_counts=True)
    return float(counts.sum()) ** 2 / float((counts.astype(float) ** 2).sum()) if len(counts) else 0.0


def _first_of_each(table: SignatureTable, ranked: list[ConceptOverlap]) -> list[ConceptOverlap]:
    from microtome.methods.dissect.netdissect import best_per_category

    return list(best_per_category(table, ranked).values())


def searched_rows(recording: Recording) -> SignatureTable:
    """The table of the searched half alone: rows without a searched element are left out."""
    full = recording.searched
    kept = np.flatnonzero(full.weight > 0)
    sizes = np.diff(full.indptr)
    indptr = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(sizes[kept], out=indptr[1:])
    indices = full.indices[np.repeat(full.weight > 0, sizes)]
    return SignatureTable(full.concepts, indptr, indices, full.weight[kept], full.neighbours)


def search_slots(
    search: UnitSearch, slots: Sequence[Slot], chance: ChanceSettings, *, progress: Progress
) -> list[SlotResult]:
    """Run all slots on all cores; the result does not depend on their number."""
    recording = search.recording
    draws = ChanceDraws(
        chance,
        heldout=recording.items.heldout,
        annotated=recording.annotated,
        slots=len(slots),
        grid=recording.grid,
        lengths=recording.lengths,
    )
    results: list[SlotResult] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for chunk in slot_chunks(recording, slots):
            first = len(results)
            positions = positions_of(recording, chunk)
            numbers = range(first, first + len(chunk))
            jobs = pool.map(search.one, numbers, chunk, positions, [draws] * len(chunk))
            for result in jobs:
                results.append(result)
                progress("searching", len(results), len(slots))
    return results
