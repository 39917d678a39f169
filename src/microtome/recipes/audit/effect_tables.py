"""Tables of what a model does with its units; see `effects`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from microtome.models.tail import Tail, logits_of_each
from microtome.recipes.audit.carriers import matched_sets
from microtome.recipes.audit.effects import (
    Each,
    Together,
    UnitEffect,
    cumulative_curves,
    effects_of_each,
    group_effects,
    like_mass,
    selectivity,
)
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.nouns import Change, Named
from microtome.recipes.audit.text_model import HeldTexts, TextUnits
from microtome.recipes.audit.unit_model import Held, UnitModel
from microtome.recipes.result import Dissection
from microtome.record.one_pass import Progress
from microtome.store.atomic import read_arrays, write_arrays
from microtome.verify.correlation import correlate
from microtome.verify.kinds import UnitKind
from microtome.verify.proportions import wilson

Row = dict[str, Any]
MOST_ITEMS = {True: 600, False: 48}
"""Images on which effects are measured: more where the tail is linear and a unit costs one product."""
STRONGEST = 8
CLASS_SHOWN = 10
HOWS = ("mean", "zero", "resample")


@dataclass(frozen=True)
class Beside:
    """Directions that stand beside units in the tables, by numbers below 0.

    Attributes
    ----------
    names, ways:
        Their names, and their vectors over the units.
    rows:
        Of `part_effects`.
    by_class:
        Change of right answers by class without each.
    speaks:
        For each class what each adds to it.
    """

    names: Mapping[int, Named]
    ways: Mapping[int, Float[np.ndarray, " unit"]]
    rows: Sequence[Row]
    by_class: Mapping[int, Float[np.ndarray, " klass"]]
    speaks: Mapping[int, Mapping[int, float]]


ALONE = Beside({}, {}, (), {}, {})


class Measured:
    """Effects of every unit of a layer on labelled items.

    Parameters
    ----------
    asked:
        The model.
    held, pixels, truth:
        Labelled items, as read; and the images themselves, empty of texts.
    seed:
        Decides draws.
    cache:
        Where logits that took long are kept, so that an audit that was stopped goes on from there.
    """

    def __init__(
        self, asked: UnitModel | TextUnits, held: Held | HeldTexts, pixels: list[np.ndarray],
        truth: Int[np.ndarray, " item"], *, seed: int, cache: Path | None = None,
    ) -> None:  # fmt: skip
        order = np.random.default_rng([seed, 73]).permutation(len(truth))[: MOST_ITEMS[asked.tail is not None]]
        rows = np.sort(order)
        self.asked: Any = asked
        self.held: Any = self.asked.take(held, rows)
        self.truth, self.seed = truth[rows], seed
        self.pixels = [pixels[row] for row in rows] if len(pixels) else []
        self.before = self.held.logits
        self.units = sorted(asked.names)
        self.mass = asked.mass(self.held)
        self._after: dict[str, dict[int, np.ndarray]] = {}
        self._tail: Tail | None = None
        self._cache = cache

    def each(self, how: str) -> Iterator[tuple[int, Float[np.ndarray, "item klass"]]]:
        """(unit, logits without it)."""
        if self.asked.tail is not None:
            for unit in self.units:
                yield unit, self.asked.answer(self.held, Change(parts=(unit,), how=how))
            return
        if how == "resample":
            return
        if not self._after.get(how):
            self._after[how] = self._by_tail(how)
        yield from self._after[how].items()

    def _by_tail(self, how: str) -> dict[int, np.ndarray]:
        """Only what comes after the layer runs again; logits are of the model's own type, float32 at most."""
        kept = None if self._cache is None else self._cache / f"effects-{how}.safetensors"
        if kept is not None and kept.is_file():
            return dict(zip(self.units, read_arrays(kept)["logits"].astype(np.float64), strict=True))
        value = torch.zeros(self.asked.site.units) if how == "zero" else torch.from_numpy(self.asked.means).float()
        model, layer = self.asked.model, self.asked.site.layer
        self._tail = self._tail or Tail(model, layer)
        # Room for all at once: small arrays kept between large ones leave holes that grow to gigabytes.
        logits = np.empty((len(self.units), len(self.pixels), len(self.asked.classes)), np.float32)
        for first in range(0, len(self.pixels), 32):
            x = model.preprocess(self.pixels[first : first + 32])
            each = logits_of_each(model, layer, x, value, self.units, linear=None, tail=self._tail)
            for place, (_, own) in enumerate(each):
                logits[place, first : first + len(x)] = own.float().cpu().numpy()
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_arrays(kept, {"logits": logits})
        return dict(zip(self.units, logits.astype(np.float64), strict=True))

    def together(self, units: tuple[int, ...]) -> Float[np.ndarray, "item klass"]:
        """Logits with units set to their mean."""
        return self.asked.answer(self.held, Change(parts=units)) if units else self.before

    def tables(
        self, run: Dissection, kinds: dict[int, UnitKind], classes: tuple[str, ...],
        speaks: dict[int, Float[np.ndarray, " unit"]], *, progress: Progress, beside: Beside = ALONE,
    ) -> dict[str, list[Row]]:  # fmt: skip
        """`part_effects`, `class_parts`, `effect_curves`, `effect_relations`, `effect_groups`."""
        found, columns = effects_by_cut(
            self.each, self.before, self.truth, self.mass, classes, seed=self.seed, word="unit", progress=progress
        )
        chosen, best_class = selectivity(self.asked.values(self.held), self.truth)
        slots = {int(row["unit"]): row for row in run.units.to_pylist()}
        rows = []
        for unit in self.units:
            slot = slots.get(unit, {})
            rows.append({
                **part_columns(self.asked.names[unit]), "kind": kinds[unit].kind if unit in kinds else None,
                "inputs": slot.get("fires"), **active_columns(slot.get("fires_labelled"), slot.get("accuracy_active")),
                "accuracy_silent": slot.get("accuracy_silent"), "selectivity": chosen[unit],
                "selects": classes[int(best_class[unit])], **columns[unit],
            })  # fmt: skip
        last = self.asked.last() if self.asked.tail is not None else None
        weight = None if last is None else {
            **dict(enumerate(last.weight.T)), **{number: last.weight @ way for number, way in beside.ways.items()}
        }  # fmt: skip
        by_class = {**{unit: own.by_class for unit, own in found.items()}, **beside.by_class}
        adds = {target: {**dict(enumerate(own)), **beside.speaks.get(target, {})} for target, own in speaks.items()}
        return {
            "part_effects": [*rows, *beside.rows],
            "class_parts": class_rows({**self.asked.names, **beside.names}, classes, adds, by_class, weight),
            "effect_curves": curve_rows(self.each, self.together, self.before, self.truth, seed=self.seed),
            "effect_relations": relation_rows(run, rows, self.seed),
            "effect_groups": group_rows(
                self.together, self.before, self.truth, self.mass, classes, speaks, "unit {}".format,
                strongest=STRONGEST, seed=self.seed,
            ),
        }  # fmt: skip


def worst_columns(effect: UnitEffect, classes: tuple[str, ...]) -> Row:
    """The class that loses most right answers; none where no class loses any."""
    worst = int(np.nanargmin(effect.by_class))
    if effect.by_class[worst] >= 0:
        return {}
    return {"worst_class": classes[worst], "worst_class_change": effect.by_class[worst]}


def active_columns(inputs: int | None, accuracy: float | None) -> Row:
    """Share of right answers among labelled items where a unit fires, with its interval."""
    if not inputs or accuracy is None:
        return {"accuracy_active": accuracy}
    low, high = wilson(round(accuracy * inputs), inputs)
    return {"accuracy_active": accuracy, "accuracy_active_low": low, "accuracy_active_high": high}


def effects_by_cut(
    each: Each, before: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"],
    mass: Float[np.ndarray, " part"], classes: tuple[str, ...], *, seed: int, word: str, progress: Progress,
) -> tuple[dict[int, UnitEffect], dict[int, Row]]:  # fmt: skip
    """What is lost without each part: effects of mean ablation, and the columns of `part_effects` that say them all."""
    found: dict[str, dict[int, UnitEffect]] = {}
    for done, how in enumerate(HOWS):
        progress(f"cutting {word}s", done, len(HOWS))
        found[how] = effects_of_each(each, before, truth, seed=seed, how=how)
    progress(f"cutting {word}s", len(HOWS), len(HOWS))
    control = like_mass(found["mean"], mass)
    rows: dict[int, Row] = {}
    for part, own in found["mean"].items():
        zero, other = found["zero"].get(part), found["resample"].get(part)
        rows[part] = {
            "mass": mass[part], "loss": own.loss, "loss_low": own.low, "loss_high": own.high, "accuracy": own.accuracy,
            "accuracy_low": own.accuracy_low, "accuracy_high": own.accuracy_high,
            "loss_zero": None if zero is None else zero.loss, "loss_resample": None if other is None else other.loss,
            "loss_random": control[part],
            **worst_columns(own, classes),
        }  # fmt: skip
    return found["mean"], rows


def curve_rows(
    each: Each, together: Together,
    before: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"], *, seed: int,
) -> list[Row]:  # fmt: skip
    """`effect_curves`: parts cut one after another, in an order found on the half that is not counted."""
    counted = np.zeros(len(truth), bool)
    counted[np.random.default_rng([seed, 79]).permutation(len(counted))[: len(counted) // 2]] = True
    rest = np.flatnonzero(~counted)

    def half(how: str) -> Iterator[tuple[int, Float[np.ndarray, "item klass"]]]:
        for part, logits in each(how):
            yield part, logits[rest]

    first = effects_of_each(half, before[rest], truth[rest], seed=seed, how="mean")
    return [vars(point) for point in cumulative_curves(together, first, truth, counted, seed=seed)]


def group_rows(
    together: Together,
    before: Float[np.ndarray, "item klass"], truth: Int[np.ndarray, " item"], mass: Float[np.ndarray, " part"],
    classes: tuple[str, ...], speaks: Mapping[int, Float[np.ndarray, " part"]], title: Callable[[int], str], *,
    strongest: int, seed: int,
) -> list[Row]:  # fmt: skip
    """`effect_groups`: the strongest parts of each class cut together, beside sets of the same mass."""
    groups = {
        classes[target]: [int(n) for n in np.argsort(-adds, kind="stable")[:strongest]]
        for target, adds in speaks.items()
    }
    sets = {name: matched_sets(mass, parts, 3, seed=seed) for name, parts in groups.items()}
    return [
        {
            "group": name, "set": which, "parts": [title(part) for part in parts],
            "mass": float(mass[list(parts)].sum()), "loss": effect.loss, "loss_low": effect.low,
            "loss_high": effect.high, "accuracy": effect.accuracy, "accuracy_low": effect.accuracy_low,
            "accuracy_high": effect.accuracy_high,
        }
        for name, which, parts, effect in group_effects(together, before, truth, groups, sets, seed=seed)
    ]  # fmt: skip


def class_rows(
    names: Mapping[int, Named], classes: tuple[str, ...], speaks: Mapping[int, Mapping[int, float]],
    by_class: Mapping[int, Float[np.ndarray, " klass"]], weight: Mapping[int, Float[np.ndarray, " klass"]] | None,
) -> list[Row]:  # fmt: skip
    """`class_parts`: the strongest parts for and against each class, with their formulas.

    Parameters
    ----------
    names:
        Of parts and directions, by number.
    speaks:
        For each class what each adds to it.
    by_class:
        What the right answers of each class lose without it.
    weight:
        Its weight for each class, where one layer leads to the answer.
    """
    rows: list[Row] = []
    for target, adds in speaks.items():
        order = sorted(adds, key=lambda number: -adds[number])
        for sign, chosen in (("for", order[:CLASS_SHOWN]), ("against", order[::-1][:CLASS_SHOWN])):
            for rank, number in enumerate(chosen):
                named = names.get(number)
                if named is None or (adds[number] > 0) != (sign == "for") or adds[number] == 0:
                    continue
                change = by_class.get(number)
                rows.append({
                    "target": classes[target], "rank": rank, "sign": sign, **part_columns(named),
                    "adds": adds[number], "weight": None if weight is None else weight[number][target],
                    "class_change": None if change is None else change[target],
                })  # fmt: skip
    return rows


def relation_rows(run: Dissection, rows: list[Row], seed: int) -> list[Row]:
    """`effect_relations`: what goes together over units, and what does not."""
    nan = float("nan")

    def column(key: str) -> np.ndarray:
        return np.array([nan if row[key] is None else float(row[key]) for row in rows])

    wanted = (
        ("how well the name fits, accuracy where the unit fires", "score", "accuracy_active"),
        ("how well the name fits, loss without the unit", "score", "loss"),
        ("class selectivity, loss without the unit", "selectivity", "loss"),
        ("mean activation, loss without the unit", "mass", "loss"),
    )
    pairs = [(what, column(one), column(other)) for what, one, other in wanted]
    active = column("accuracy_active")
    by_unit = {int(row["part"]): place for place, row in enumerate(rows)}
    lengths: dict[int, np.ndarray] = {}
    for entry in run.explanations.to_pylist():
        place = by_unit.get(int(entry["unit"]))
        if place is not None and entry["iou_heldout"] is not None:
            lengths.setdefault(int(entry["length"]), np.full(len(rows), nan))[place] = entry["iou_heldout"]
    pairs += [
        (f"IoU of the best formula of at most {length} concepts, accuracy where the unit fires", iou, active)
        for length, iou in sorted(lengths.items())
    ]
    out: list[Row] = []
    for what, one, other in pairs:
        found = correlate(one, other, seed=seed)
        out.append({
            "what": what, "units": found.units, "pearson": found.pearson, "pearson_low": found.pearson_interval[0],
            "pearson_high": found.pearson_interval[1], "spearman": found.spearman,
            "spearman_low": found.spearman_interval[0], "spearman_high": found.spearman_interval[1], "p": found.p,
        })  # fmt: skip
    return out
