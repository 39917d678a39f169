"""Directions of concepts: weighed against single units, and then asked about as units are.

    M(x) = sum over units k of w_k A_k(x)        fires where M is above its threshold (`methods/probe/net2vec.py`)

What lies along a direction is taken out as one unit is cut; what it adds to a class is what the part of the activations
along it adds. Its control are directions of like mass: the same weights dealt to the units in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from microtome.core.direction import Direction, reading
from microtome.core.errors import DataError, RunError
from microtome.core.formula import Formula, Leaf, leaves, words
from microtome.core.parse import parse
from microtome.methods.probe.net2vec import Net2Vec
from microtome.recipes.audit.effect_tables import ALONE, Beside, Measured, active_columns, worst_columns
from microtome.recipes.audit.effects import NEAREST, effect_of, resampled
from microtome.recipes.audit.findings import part_columns
from microtome.recipes.audit.image_parts import ImageParts
from microtome.recipes.audit.nouns import Change, Named
from microtome.recipes.audit.run_parts import Audited
from microtome.recipes.audit.unit_extras import GRID, activations_of
from microtome.recipes.audit.unit_model import Held, UnitModel
from microtome.store.atomic import read_arrays, write_arrays
from microtome.store.run import read_table

Row = dict[str, Any]
WEIGHED_ON, CELLS, DRAWS, PENALTIES = 200, 5000, 19, 8
"""Images and cells that directions are weighed on, re-paired fits, and steps of the path of fewer units."""
DEALT = 100
"""Directions of the same weights among which the controls are found."""
LUCK = 0.05
FILE = "directions.safetensors"


@dataclass(frozen=True, eq=False)
class Weighed:
    """The direction of a concept.

    Attributes
    ----------
    direction:
        Of length 1.
    threshold:
        It fires where its reading is above.
    named:
        What it stands for; numbers below 0 are those of directions, so that they stand beside units.
    """

    direction: Direction
    threshold: float
    named: Named

    @property
    def change(self) -> Change:
        """Taken out."""
        return Change(f"the {self.named.title} taken out", direction=self.direction.vector)


@dataclass(frozen=True, eq=False)
class Weighing:
    """All directions of an audit.

    Attributes
    ----------
    found:
        The directions.
    rows, paths:
        Of `concept_directions` and `concept_direction_paths`.
    notes:
        What could not be weighed.
    """

    found: tuple[Weighed, ...] = ()
    rows: tuple[Row, ...] = ()
    paths: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()


def named_direction(place: int, concept: Formula, score: float, p: float) -> Named:
    """The name of a direction, the `place`th of a run."""
    said = words(concept)
    return Named(-1 - place, f"direction of {said}", str(concept), said, score, p <= LUCK)


def weigh(asked: UnitModel, parts: ImageParts, audited: Audited, *, most: int, seed: int) -> Weighing:
    """How well the best weighting of all units finds each of the first suspects' concepts, beside the best unit."""
    if not most:
        return Weighing()
    if not asked.site.spatial:
        return Weighing(notes=("Directions of concepts were not weighed: the layer has no map over the image.",))
    concepts: dict[str, Formula] = {}
    for proof in audited.proofs:
        concepts.setdefault(str(proof.suspect.concept), proof.suspect.concept)
    gallery = parts.donors
    drawn = np.random.default_rng([seed, 97]).permutation(len(gallery))
    rows_of = np.sort(drawn[:WEIGHED_ON])
    acts = activations_of(asked.model, asked.site.layer, [gallery.pixels[row] for row in rows_of])
    held = np.zeros(len(rows_of), bool)
    held[np.random.default_rng([seed, 83]).permutation(len(rows_of))[: len(rows_of) // 2]] = True
    grid = min(GRID, gallery.maps.shape[1])
    method = Net2Vec(cells=CELLS, draws=DRAWS, penalties=PENALTIES, steps=100, seed=seed)
    found: list[Weighed] = []
    rows: list[Row] = []
    paths: list[Row] = []
    skipped: list[str] = []
    for text, concept in list(concepts.items())[:most]:
        masks = np.stack([_on_grid(gallery.holds(concept, int(row)), grid) for row in rows_of])
        try:
            one = method.fit(acts, masks, asked.site, text, heldout=held)
        except DataError as error:
            skipped.append(f"The direction of {text} was not weighed: {error.what}")
            continue
        length = float(np.linalg.norm(one.direction.vector))
        found.append(Weighed(
            one.direction.unit_length(), one.threshold / length, named_direction(len(found), concept, one.iou, one.p)
        ))  # fmt: skip
        atoms = [leaf.name for leaf in leaves(concept) if isinstance(leaf, Leaf)]
        rows.append({
            "concept": text, "category": "+".join(dict.fromkeys(gallery.category_of.get(a, "") for a in atoms)),
            "iou": one.iou, "best_unit": one.best_unit, "iou_best_unit": one.iou_best_unit,
            "gain": one.iou - one.iou_best_unit, "chance": one.chance_iou, "p": one.p, "needed": one.needed,
            "units": asked.site.units, "auroc": False, "images": one.images_searched + one.images_heldout,
        })  # fmt: skip
        paths += [{"concept": text, "units": units, "iou": iou} for units, iou in one.path]
    return Weighing(tuple(found), tuple(rows), tuple(paths), tuple(skipped))


def effect_rows(
    asked: UnitModel, weighed: Sequence[Weighed], held: Held, truth: Int[np.ndarray, " item"],
    pixels: Sequence[np.ndarray], *, seed: int,
) -> tuple[list[Row], dict[int, Float[np.ndarray, " klass"]]]:  # fmt: skip
    """Rows of `part_effects` for directions, and the change of right answers by class of each.

    Parameters
    ----------
    held, truth, pixels:
        The labelled items that units are cut on.
    """
    if not weighed:
        return [], {}
    before = asked.answer(held)
    drawn, right = resampled(len(truth), seed), before.argmax(axis=1) == truth
    fires = fires_on(asked, weighed, pixels)
    values = asked.values(held)
    rows: list[Row] = []
    by_class: dict[int, Float[np.ndarray, " klass"]] = {}
    for place, one in enumerate(weighed):
        own = effect_of(before, asked.answer(held, one.change), truth, drawn=drawn)
        beside = [
            effect_of(before, asked.answer(held, Change(direction=way)), truth, drawn=drawn).loss
            for way in like_directions(one.direction.vector, values, seed=seed)
        ]  # fmt: skip
        active = fires[:, place]
        by_class[one.named.number] = own.by_class
        rows.append({
            **part_columns(one.named), "kind": "direction", "inputs": int(active.sum()),
            **active_columns(int(active.sum()), float(right[active].mean()) if active.any() else None),
            "accuracy_silent": float(right[~active].mean()) if not active.all() else None,
            "mass": float(np.abs(values @ one.direction.vector).mean()), "loss": own.loss, "loss_low": own.low,
            "loss_high": own.high, "accuracy": own.accuracy, "accuracy_low": own.accuracy_low,
            "accuracy_high": own.accuracy_high, "loss_random": float(np.mean(beside)),
            **worst_columns(own, asked.classes),
        })  # fmt: skip
    return rows, by_class


def beside_units(asked: UnitModel, weighed: Sequence[Weighed], parts: ImageParts, measured: Measured) -> Beside:
    """The directions as they stand in the tables of units."""
    if not weighed:
        return ALONE
    numbers = [one.named.number for one in weighed]
    rows, by_class = effect_rows(asked, weighed, measured.held, measured.truth, measured.pixels, seed=measured.seed)
    ways = np.stack([one.direction.vector for one in weighed])
    speaks = {
        target: dict(zip(numbers, asked.speaks_along(parts.held, parts.truth, target, ways).tolist(), strict=True))
        for target in parts.targets
    }  # fmt: skip
    return Beside(
        {one.named.number: one.named for one in weighed}, dict(zip(numbers, ways, strict=True)), rows, by_class, speaks
    )


def like_directions(
    vector: Float[np.ndarray, " unit"], values: Float[np.ndarray, "item unit"], *, seed: int
) -> list[Float[np.ndarray, " unit"]]:
    """Of directions with the same weights dealt to the units in another order, those nearest in mean magnitude."""
    generator = np.random.default_rng([seed, 101])
    dealt = np.stack([generator.permutation(vector) for _ in range(DEALT)])
    away = np.abs(np.abs(values @ dealt.T).mean(axis=0) - np.abs(values @ vector).mean())
    return [dealt[place] for place in np.argsort(away, kind="stable")[:NEAREST]]


def peaks_of(
    asked: UnitModel, weighed: Sequence[Weighed], pixels: Sequence[np.ndarray]
) -> Float[np.ndarray, "image direction"]:
    """The largest reading of each direction anywhere on each image."""
    if not weighed:
        return np.zeros((len(pixels), 0))
    found = []
    for first in range(0, len(pixels), 32):
        acts = activations_of(asked.model, asked.site.layer, list(pixels[first : first + 32]))
        found.append(reading(acts, [one.direction for one in weighed], 1).max(axis=(2, 3)))
    return np.concatenate(found) if found else np.zeros((0, len(weighed)))


def fires_on(
    asked: UnitModel, weighed: Sequence[Weighed], pixels: Sequence[np.ndarray]
) -> Bool[np.ndarray, "image direction"]:
    """Whether each direction is above its threshold anywhere on each image."""
    return peaks_of(asked, weighed, pixels) > np.array([one.threshold for one in weighed])


def keep_directions(weighed: Sequence[Weighed], folder: Path, means: Float[np.ndarray, " unit"]) -> None:
    """Write vectors and thresholds into a run, in the order of `concept_directions`, and what cut units are set to."""
    if weighed:
        write_arrays(folder / FILE, {
            "means": means, "vectors": np.stack([one.direction.vector for one in weighed]),
            "thresholds": np.array([one.threshold for one in weighed]),
        })  # fmt: skip


def kept_directions(folder: Path, asked: UnitModel) -> tuple[Weighed, ...]:
    """The directions of an audit's run; the model is centred as the audit had it.

    Raises
    ------
    RunError
        Where the file does not fit the run or the layer.
    """
    if not (folder / FILE).is_file():
        return ()
    held, rows = read_arrays(folder / FILE), read_table(folder, "concept_directions").to_pylist()
    if len(rows) != len(held["vectors"]) or held["vectors"].shape[1:] != (asked.site.units,):
        raise RunError(f"{folder / FILE} does not fit the run.", next_step="make the run again")
    asked.centre(held["means"])
    return tuple(
        Weighed(
            Direction(asked.site, held["vectors"][place], row["concept"]), float(held["thresholds"][place]),
            named_direction(place, parse(row["concept"]), float(row["iou"]), float(row["p"])),
        )
        for place, row in enumerate(rows)
    )  # fmt: skip


def _on_grid(mask: Bool[np.ndarray, "height width"], side: int) -> Bool[np.ndarray, "row column"]:
    rows = ((np.arange(side) + 0.5) / side * mask.shape[0]).astype(int)
    columns = ((np.arange(side) + 0.5) / side * mask.shape[1]).astype(int)
    return mask[rows[:, None], columns[None, :]]
