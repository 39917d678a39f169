"""Units over texts whose answer is known: planted formulas are found and named, noise is not, and its p are uniform.

Planted: a random formula of one to three terms over sentence pairs, or over tokens; in each a term may be NEIGHBOURS of
a word. A tenth of its active elements are moved elsewhere at random. Noise over pairs: random pairs. Noise over tokens:
runs of tokens, fixed places of the window, whole texts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import kstest

from microtome.core.formula import Formula, Leaf, Neighbours, Not, Term, conjoin, disjoin, leaves
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.exact import Exact
from microtome.recipes.search_units import UnitSearch, searched_rows
from microtome.recipes.verdicts import Judged, judge_slots
from microtome.record.counting import Slot
from microtome.record.items import halve
from microtome.record.recording import Recording
from microtome.verify.chance import ChanceDraws, ChanceSettings, NullPool
from tests.support.text_worlds import ListedTexts, pair_texts, planted_recording, token_texts

UNITS = 200
CHANCE = ChanceSettings(permutations=40, fdr=0.05, seed=3)
FALSE_NAMES = 2
"""At an FDR of 5 % without anything true a run names something in one of twenty."""


def prepared(data: ListedTexts) -> UnitSearch:
    recording = planted_recording(halve(data, seed=1), units=UNITS)
    finder = Exact(max_length=3, exact_length=2).prepare(searched_rows(recording))
    return UnitSearch(recording, finder, metric="iou", longest=3)


@pytest.fixture(scope="module")
def pairs() -> UnitSearch:
    return prepared(pair_texts(2400, seed=5, words=20))


@pytest.fixture(scope="module")
def tokens() -> UnitSearch:
    return prepared(token_texts(500, seed=6, words=20, mentions=False))


@pytest.fixture(params=["pairs", "tokens"])
def search(request: pytest.FixtureRequest) -> UnitSearch:
    return request.getfixturevalue(request.param)


def judge_positions(search: UnitSearch, positions: list[np.ndarray]) -> list[Judged]:
    """The whole route for units given by their active positions."""
    recording = search.recording
    draws = ChanceDraws(
        CHANCE, heldout=recording.items.heldout, annotated=recording.annotated, slots=len(positions),
        grid=recording.grid, lengths=recording.lengths,
    )  # fmt: skip
    results = [search.one(k, Slot(k, 0, 0.0, np.inf), own, draws) for k, own in enumerate(positions)]
    return judge_slots(results, CHANCE, routes=search.routes)


def random_formula(table: SignatureTable, generator: np.random.Generator) -> Formula:
    """A formula that the beam can write, true of 4 to 40 % of the elements, with every part telling."""
    while True:
        a, b, c = (_random_term(table, generator) for _ in range(3))
        shapes: tuple[Formula, ...] = (
            a, conjoin(a, b), conjoin(a, Not(b)), disjoin(a, b), conjoin(a, b, Not(c)), disjoin(a, b, c),
            conjoin(disjoin(a, b), c), conjoin(disjoin(a, b), Not(c)), conjoin(a, Not(b), Not(c)),
            disjoin(conjoin(a, b), c),
        )  # fmt: skip
        formula = shapes[generator.integers(len(shapes))]
        if 0.04 * table.total < table.count(formula) < 0.4 * table.total and every_part_tells(table, formula):
            return formula


def _random_term(table: SignatureTable, generator: np.random.Generator) -> Term:
    plain, grouped = table.terms[: len(table.concepts)], table.terms[len(table.concepts) :]
    chosen = grouped if generator.random() < 0.25 else plain
    return chosen[int(generator.integers(len(chosen)))]


def every_part_tells(table: SignatureTable, formula: Formula) -> bool:
    """Taking any one part out changes at least 15 % of the formula's elements."""
    truth = table.holds(formula)
    size = table.weight[truth].sum()
    return all(table.weight[truth != table.holds(less)].sum() >= 0.15 * size for less in without_a_part(formula))


def without_a_part(formula: Formula) -> list[Formula]:
    """The formula with each one of its terms (and its NOT) or of its parts taken out."""
    if isinstance(formula, Leaf | Neighbours | Not):
        return []
    join = conjoin if type(formula).__name__ == "And" else disjoin
    shorter = []
    for i, child in enumerate(formula.children):
        before, after = formula.children[:i], formula.children[i + 1 :]
        shorter.append(join(*before, *after))
        shorter += [join(*before, less, *after) for less in without_a_part(child)]
    return shorter


def planted_positions(recording: Recording, formula: Formula, generator: np.random.Generator) -> np.ndarray:
    """Elements of the formula, a tenth of them moved to random other elements."""
    annotated = recording.maps >= 0
    active = np.append(recording.searched.holds(formula), False)[recording.maps]
    moved = generator.choice(np.flatnonzero(active), size=int(0.1 * active.sum()), replace=False)
    onto = generator.choice(np.flatnonzero(~active & annotated), size=len(moved), replace=False)
    active[moved], active[onto] = False, True
    return np.flatnonzero(active)


def test_planted_formulas_are_found_and_named(search: UnitSearch) -> None:
    generator = np.random.default_rng(7)
    recording = search.recording
    formulas = [random_formula(recording.searched, generator) for _ in range(UNITS)]
    near = [any(isinstance(term, Neighbours) for term in leaves(formula)) for formula in formulas]
    assert 30 < sum(near) < 160
    judged = judge_positions(search, [planted_positions(recording, f, generator) for f in formulas])
    table = searched_rows(recording)
    same = np.array([
        table.same_truth(formula, one.result.explanations[one.result.chosen].formula)
        for formula, one in zip(formulas, judged, strict=True)
    ])  # fmt: skip
    assert same.mean() >= 0.95
    assert same[near].mean() >= 0.9
    assert np.mean([one.named for one in judged]) >= 0.95


def of_lengths(recording: Recording) -> np.ndarray:
    """Tokens of each text."""
    assert recording.lengths is not None
    return recording.lengths


def runs(recording: Recording, generator: np.random.Generator) -> np.ndarray:
    """Random stretches of 2 to 5 tokens in about one text of four."""
    window, found = recording.grid[1], []
    for item, length in enumerate(of_lengths(recording)):
        if generator.random() < 0.25:
            size = int(generator.integers(2, 6))
            start = int(generator.integers(0, max(length - size, 1)))
            found.append(item * window + np.arange(start, min(start + size, length)))
    return np.concatenate(found)


def places(recording: Recording, generator: np.random.Generator) -> np.ndarray:
    """One place of the window, the same in half of the texts that reach so far; the first has no token before it."""
    at, lengths = int(generator.integers(1, 16)), of_lengths(recording)
    chosen = (lengths > at) & (generator.random(len(lengths)) < 0.5)
    return np.flatnonzero(chosen) * recording.grid[1] + at


def whole_texts(recording: Recording, generator: np.random.Generator) -> np.ndarray:
    """Every token of about one text in fifteen."""
    window, lengths = recording.grid[1], of_lengths(recording)
    chosen = np.flatnonzero(generator.random(len(lengths)) < 1 / 15)
    return np.concatenate([item * window + np.arange(lengths[item]) for item in chosen])


def scattered(recording: Recording, generator: np.random.Generator) -> np.ndarray:
    """Elements at random, 3 to 20 % of them."""
    elements = np.flatnonzero(recording.maps >= 0)
    return elements[generator.random(len(elements)) < generator.uniform(0.03, 0.2)]


Kind = Callable[[Recording, np.random.Generator], np.ndarray]
KINDS: tuple[Kind, ...] = (scattered, runs, places, whole_texts)


def noise(search: UnitSearch, kinds: tuple[Kind, ...]) -> list[Judged]:
    generator = np.random.default_rng(11)
    return judge_positions(search, [np.sort(kinds[k % len(kinds)](search.recording, generator)) for k in range(UNITS)])


def test_random_pairs_are_not_named(pairs: UnitSearch) -> None:
    judged = noise(pairs, (scattered,))
    assert sum(one.named for one in judged) <= FALSE_NAMES
    p = np.array([one.verdicts[0].p for one in judged])
    assert not np.isnan(p).any()
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(p <= 0.05) <= 0.09


@pytest.fixture(scope="module")
def token_noise(tokens: UnitSearch) -> list[Judged]:
    return noise(tokens, KINDS)


def test_random_tokens_runs_places_and_texts_are_not_named(token_noise: list[Judged]) -> None:
    assert sum(one.named for one in token_noise) <= FALSE_NAMES


@pytest.mark.parametrize("null", ["p", "p_repaired", "p_shifted"])
def test_small_p_of_token_noise_are_as_rare_as_they_say(token_noise: list[Judged], null: str) -> None:
    """By kind of noise too: what fires on whole texts looks the same wherever it is moved."""
    p = np.array([getattr(one.verdicts[0], null) for one in token_noise])
    assert not np.isnan(p).any()
    assert np.mean(p <= 0.05) <= 0.09
    for kind in range(len(KINDS)):
        assert np.mean(p[kind::4] <= 0.05) <= 0.16


def test_p_of_repaired_token_noise_are_uniform(token_noise: list[Judged]) -> None:
    """Of all kinds but whole texts, which the re-paired null cannot match where texts differ in length."""
    p = np.array([one.verdicts[0].p_repaired for k, one in enumerate(token_noise) if KINDS[k % 4] is not whole_texts])
    assert kstest(p, "uniform").pvalue > 0.01


def test_what_no_shift_changes_is_not_shown_by_shifts() -> None:
    """Scores of shifts that all equal the unit's own are no evidence, whatever their last bit says."""
    generator = np.random.default_rng(5)
    scores = generator.uniform(0.01, 0.3, UNITS)
    draws = [np.full(20, score) for score in scores]
    pool = NullPool(scores, draws, areas=np.ones(UNITS), spreads=np.ones(UNITS))
    assert min(pool.p(slot) for slot in range(UNITS)) > 0.5
