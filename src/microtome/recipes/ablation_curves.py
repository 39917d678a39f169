"""Accuracy as terms are mean-ablated one after another: which layers and heads matter, directly and in total."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.methods.decompose.ablation import Deviations, Parts, TermMeans, TermSums
from microtome.models.towers.base import Tower
from microtome.recipes.direct_pass import Opened, matrices_of
from microtome.recipes.total_effect import Means, Sample, can_hold_heads, held_at, outputs_held
from microtome.record.one_pass import Progress
from microtome.record.stream import StreamPass
from microtome.verify.linear_probe import train_probe
from microtome.verify.proportions import wilson

Row = dict[str, Any]
Answers = Callable[[Float[np.ndarray, "image d_out"]], Int[np.ndarray, " image"]]
"""From outputs to labels."""
Reads = dict[str, Answers]
"""Ways of answering, by name: `zero-shot`, `linear probe` ..."""
TERMS = ("heads", "mlps", "embedding")
ZERO_SHOT, PROBE, RETRAINED = "zero-shot", "linear probe", "probe trained anew"


@dataclass(frozen=True)
class Step:
    """One point of a curve.

    Attributes
    ----------
    curve, step:
        Which curve, and where on it.
    parts:
        What is ablated, all of it.
    """

    curve: str
    step: int
    parts: Parts


def steps_of(layers: int, heads: Sequence[tuple[int, int]]) -> list[Step]:
    """The points of all curves.

    `mlps` and `attention` take layer 0, then 0 and 1, and so on to all; `heads` takes the chosen heads together, then
    each alone; `embedding` has one point.

    Parameters
    ----------
    layers:
        Of the model.
    heads:
        The chosen heads; may be empty.
    """
    firsts = [tuple(range(n + 1)) for n in range(layers)]
    steps = [Step("mlps", n, Parts(mlps=some)) for n, some in enumerate(firsts)]
    steps += [Step("attention", n, Parts(attention=some)) for n, some in enumerate(firsts)]
    sets = [tuple(heads), *((head,) for head in heads if len(heads) > 1)] if heads else []
    steps += [Step("heads", n, Parts(heads=some)) for n, some in enumerate(sets)]
    return [*steps, Step("embedding", 0, Parts(embedding=True))]


def term_means(stream: StreamPass, tower: Tower, used: Bool[np.ndarray, " image"]) -> TermMeans:
    """Means of all terms over some images of a pass, read block by block."""
    sums = TermSums(len(tower.layers), tower.heads, tower.space, tower.d_out)
    place = 0
    for block in stream.take(TERMS):
        rows = used[place : place + len(block.index)]
        place += len(block.index)
        if rows.any():
            sums.add(*(block.arrays[name][rows] for name in TERMS))
    return sums.means()


@dataclass(frozen=True, eq=False)
class Direct:
    """Direct effects on a pass: everything that is needed to ablate terms in its blocks."""

    stream: StreamPass
    means: TermMeans
    matrices: list[Float[np.ndarray, "head d_out space"]]

    @classmethod
    def of(cls, opened: Opened, stream: StreamPass, searched: Bool[np.ndarray, " image"]) -> Direct:
        """With means over the searched images."""
        matrices = [matrices_of(opened.tower, n) for n in range(len(opened.tower.layers))]
        return cls(stream, term_means(stream, opened.tower, searched), matrices)

    def answers(
        self, steps: Sequence[Step], reads: Reads, used: Bool[np.ndarray, " image"], progress: Progress
    ) -> dict[str, Int[np.ndarray, "step used"]]:
        """What each way of reading answers after each step, on some images of the pass, block by block."""
        found: dict[str, list[np.ndarray]] = {name: [] for name in reads}
        place = 0
        for block in self.stream.take([*TERMS, "output"]):
            rows = used[place : place + len(block.index)]
            place += len(block.index)
            if rows.any():
                arrays = {name: value[rows].astype(np.float64) for name, value in block.arrays.items()}
                away = Deviations.of(arrays, self.means, self.matrices)
                outputs = [arrays["output"] - away.removed(step.parts) for step in steps]
                for name, read in reads.items():
                    found[name].append(np.stack([read(one) for one in outputs]))
            progress("ablating direct effects", place, len(used))
        return {name: np.concatenate(parts, axis=1) for name, parts in found.items()}

    def outputs(self, parts: Parts, used: Bool[np.ndarray, " image"]) -> Float[np.ndarray, "used d_out"]:
        """The outputs of some images without the direct effect of some parts."""
        found, place = [], 0
        for block in self.stream.take([*TERMS, "output"]):
            rows = used[place : place + len(block.index)]
            place += len(block.index)
            if rows.any():
                arrays = {name: value[rows].astype(np.float64) for name, value in block.arrays.items()}
                found.append(arrays["output"] - Deviations.of(arrays, self.means, self.matrices).removed(parts))
        return np.concatenate(found)


def direct_rows(
    direct: Direct, steps: Sequence[Step], reads: Reads, labels: Int[np.ndarray, " image"],
    heldout: Bool[np.ndarray, " image"], progress: Progress,
) -> list[Row]:  # fmt: skip
    """Rows of `curves` for direct effects: every step on all held-out images that have a label."""
    used = heldout & (labels >= 0)
    whole = Step("", 0, Parts())
    said = direct.answers([whole, *steps], reads, used, progress)
    return [
        _row(step, "direct", name, answers[place + 1] == labels[used], answers[0] == labels[used])
        for name, answers in said.items()
        for place, step in enumerate(steps)
    ]


def retrained_rows(
    direct: Direct, steps: Sequence[Step], labels: Int[np.ndarray, " image"], heldout: Bool[np.ndarray, " image"],
    progress: Progress,
) -> list[Row]:  # fmt: skip
    """The same for a probe that is trained anew on the searched half's ablated outputs: what is left to be learned."""
    known = labels >= 0
    seen, asked = known & ~heldout, known & heldout
    rows: list[Row] = []
    right: list[np.ndarray] = []
    for place, step in enumerate([Step("", 0, Parts()), *steps]):
        probe = train_probe(direct.outputs(step.parts, seen), labels[seen])
        right.append(probe.right(direct.outputs(step.parts, asked), labels[asked]))
        if place:
            rows.append(_row(step, "direct", RETRAINED, right[place], right[0]))
        progress("training probes anew", place, len(steps))
    return rows


def total_rows(
    opened: Opened, steps: Sequence[Step], reads: Reads, labels: Int[np.ndarray, " asked"], *, sample: Sample,
    means: Means, progress: Progress,
) -> list[Row]:  # fmt: skip
    """Rows of `curves` for total effects: every step in the model itself, on a sample of held-out images.

    Steps of single heads are left out where they cannot be changed while the model runs.
    """
    tower = opened.tower
    whole = outputs_held(opened, sample, [])
    base = {name: read(whole) == labels for name, read in reads.items()}
    rows: list[Row] = []
    for place, step in enumerate(steps):
        progress("ablating in the model", place + 1, len(steps))
        if step.parts.heads and not can_hold_heads(tower):
            continue
        outputs = outputs_held(opened, sample, held_at(tower, step.parts, means))
        rows += [_row(step, "total", name, read(outputs) == labels, base[name]) for name, read in reads.items()]
    return rows


def _row(step: Step, kind: str, probe: str, right: Bool[np.ndarray, " asked"], base: Bool[np.ndarray, " asked"]) -> Row:
    low, high = wilson(int(right.sum()), len(right))
    return {
        "curve": step.curve, "step": step.step, "terms": step.parts.words, "kind": kind, "probe": probe,
        "accuracy": float(right.mean()), "low": low, "high": high, "base": float(base.mean()), "images": len(right),
    }  # fmt: skip
