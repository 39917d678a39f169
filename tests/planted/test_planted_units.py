"""Units whose answer is known: planted formulas are found and named, smooth noise is not, and its p are uniform.

Planted: the mask of a random formula of up to three leaves (each leaf changes at least 5 % of its truth), a tenth of
its active elements moved elsewhere at random. Noise: smooth random maps, active in their top 0.5 %.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.ndimage import zoom
from scipy.stats import kstest

from microtome.core.formula import Formula, Leaf, Not, conjoin, disjoin
from microtome.data.world.dataset import World
from microtome.methods.dissect.exact import Exact
from microtome.recipes.search_units import UnitSearch, searched_rows
from microtome.recipes.verdicts import Judged, judge_slots
from microtome.record.counting import Slot
from microtome.record.recording import Recording
from microtome.verify.chance import ChanceDraws, ChanceSettings
from tests.support.recordings import labelled_recording

UNITS = 200
GRID = (48, 48)
CHANCE = ChanceSettings(permutations=200, fdr=0.05, seed=3)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return labelled_recording(World("heldout", count=192, size=48), grid=GRID, units=UNITS)


@pytest.fixture(scope="module")
def search(recording: Recording) -> UnitSearch:
    return UnitSearch(recording, Exact().prepare(searched_rows(recording)), metric="iou", longest=3)


def judge_positions(search: UnitSearch, positions: list[np.ndarray]) -> list[Judged]:
    """The whole route for units given by their active positions."""
    heldout = search.recording.items.heldout
    annotated = search.recording.annotated
    draws = ChanceDraws(CHANCE, heldout=heldout, annotated=annotated, slots=len(positions), grid=GRID)
    slots = [Slot(place, 0, 0.0, np.inf) for place in range(len(positions))]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(search.one, range(len(slots)), slots, positions, [draws] * len(slots)))
    return judge_slots(results, CHANCE, routes=search.routes)


def random_formula(recording: Recording, generator: np.random.Generator) -> Formula:
    """A formula of the searched space, present on 0.2 to 10 % of the elements, with every leaf telling."""
    table = recording.searched
    names = [c.name for c, n in zip(table.concepts, table.concept_counts, strict=True) if n > 0.002 * table.total]
    while True:
        a, b, c = (Leaf(str(name)) for name in generator.choice(names, size=3, replace=False))
        shapes = (
            a, conjoin(a, b), conjoin(a, Not(b)), disjoin(a, b), conjoin(a, b, Not(c)), disjoin(a, b, c),
            conjoin(disjoin(a, b), c), conjoin(disjoin(a, b), Not(c)), conjoin(a, Not(b), Not(c)),
            disjoin(conjoin(a, b), c), conjoin(a, disjoin(Not(b), Not(c))), conjoin(a, disjoin(b, Not(c))),
        )  # fmt: skip
        formula = shapes[generator.integers(len(shapes))]
        size = table.count(formula)
        if 0.002 * table.total < size < 0.1 * table.total and every_leaf_tells(recording, formula):
            return formula


def every_leaf_tells(recording: Recording, formula: Formula) -> bool:
    """Setting any one leaf to false or to true changes at least 5 % of the formula's elements."""
    table = recording.searched
    truth = table.holds(formula)
    size = table.weight[truth].sum()
    return all(table.weight[truth != table.holds(shorter)].sum() >= 0.05 * size for shorter in without_a_leaf(formula))


def without_a_leaf(formula: Formula) -> list[Formula]:
    """The formula with each one of its leaves (and its NOT) taken out."""
    if isinstance(formula, Leaf | Not):
        return []
    join = conjoin if type(formula).__name__ == "And" else disjoin
    shorter = []
    for i, child in enumerate(formula.children):
        rest = formula.children[:i] + formula.children[i + 1 :]
        if isinstance(child, Leaf | Not):
            shorter.append(join(*rest))
        shorter += [join(*formula.children[:i], less, *formula.children[i + 1 :]) for less in without_a_leaf(child)]
    return shorter


def planted_positions(recording: Recording, formula: Formula, generator: np.random.Generator) -> np.ndarray:
    """Elements of the formula, a tenth of them moved to random other places."""
    holds = np.append(recording.searched.holds(formula), False)
    active = holds[recording.maps]
    moved = generator.choice(np.flatnonzero(active), size=int(0.1 * active.sum()), replace=False)
    onto = generator.choice(np.flatnonzero(~active), size=len(moved), replace=False)
    active[moved], active[onto] = False, True
    return np.flatnonzero(active)


def smooth_noise(recording: Recording, generator: np.random.Generator, cells: int) -> np.ndarray:
    """Top 0.5 % of smooth random maps that know nothing of the images."""
    maps = generator.standard_normal((len(recording.items), cells, cells)).astype(np.float32)
    fine = zoom(maps, (1, GRID[0] / cells, GRID[1] / cells), order=1, grid_mode=True, mode="nearest")
    return np.flatnonzero(fine.reshape(-1) > np.quantile(fine, 0.995))


@pytest.fixture(scope="module")
def noise(search: UnitSearch) -> list[Judged]:
    generator = np.random.default_rng(11)
    sizes = (3, 6, 12)
    positions = [smooth_noise(search.recording, generator, sizes[i % 3]) for i in range(UNITS)]
    return judge_positions(search, positions)


def test_planted_formulas_are_found_and_named(search: UnitSearch) -> None:
    generator = np.random.default_rng(7)
    recording = search.recording
    formulas = [random_formula(recording, generator) for _ in range(UNITS)]
    judged = judge_positions(search, [planted_positions(recording, f, generator) for f in formulas])
    table = searched_rows(recording)
    same = [
        table.same_truth(formula, one.result.explanations[one.result.chosen].formula)
        for formula, one in zip(formulas, judged, strict=True)
    ]
    assert np.mean(same) >= 0.95
    assert np.mean([one.named for one in judged]) >= 0.90


def test_noise_is_not_named(noise: list[Judged]) -> None:
    assert np.mean([not one.named for one in noise]) >= 0.95


@pytest.mark.parametrize("null", ["p_repaired", "p_shifted"])
def test_p_of_noise_are_uniform(noise: list[Judged], null: str) -> None:
    """Also by kind of noise: coarse maps fire in few images, fine ones in many."""
    p = np.array([getattr(one.verdicts[0], null) for one in noise])
    assert not np.isnan(p).any()
    assert kstest(p, "uniform").pvalue > 0.01
    for third in range(3):
        assert kstest(p[third::3], "uniform").pvalue > 0.001


def test_small_p_of_noise_are_as_rare_as_they_say(noise: list[Judged]) -> None:
    for kind in ("p", "p_repaired", "p_shifted"):
        p = np.array([getattr(one.verdicts[0], kind) for one in noise])
        assert np.mean(p <= 0.05) <= 0.09
        assert np.mean(p <= 0.01) <= 0.03
        for third in range(3):
            assert np.mean(p[third::3] <= 0.05) <= 0.12
