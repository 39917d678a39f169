"""Searches and passes over texts against their literal twins: pairs, tokens, NEIGHBOURS."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from microtome.core.formula import evaluate, leaves
from microtome.methods.dissect.compositional import Compositional
from microtome.methods.dissect.exact import Exact
from microtome.methods.dissect.exact_pairs import BESIDE
from microtome.models.text import TextModel
from microtome.record.counting import HalfCounter, HalfCounts, RankCounter, Slot, positions_of
from microtome.record.items import halve
from microtome.record.one_pass import Pass
from microtome.record.recording import Recording
from microtome.record.settings import RecordSettings
from microtome.stats.histogram import bin_edges
from tests.reference import search
from tests.reference.pairs import TermWorld, term_world
from tests.reference.texts import (
    LiteralText,
    active_by_set,
    elements_by_set,
    literal_texts,
    paired_by_set,
    turned_by_set,
)
from tests.reference.thresholds import threshold
from tests.support.text_worlds import ListedTexts, pair_model, pair_texts, token_model, token_texts

worlds = st.builds(
    term_world, st.integers(0, 10**6), concepts=st.integers(1, 6), elements=st.sampled_from([15, 60, 200])
)
tiny_worlds = st.builds(term_world, st.integers(0, 10**6), concepts=st.integers(2, 3), elements=st.just(60))


def check_counts(world: TermWorld, explanation) -> None:
    """The integers of an explanation are those of its formula's mask."""
    mask = evaluate(explanation.formula, world.columns)
    assert explanation.formula_count == mask.sum()
    assert explanation.both_count == (mask & world.unit).sum()
    assert explanation.active_count == world.unit.sum()
    assert explanation.iou == search.iou(mask, world.unit)


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_neighbours_hold_where_any_member_does(world: TermWorld) -> None:
    assert [term.column for term in world.table.terms] == list(world.columns)
    for term in world.table.terms:
        assert np.array_equal(world.table.column(term)[world.row_of], world.columns[term.column])
        assert world.table.count(term) == world.columns[term.column].sum()


@settings(max_examples=80, deadline=None)
@given(worlds)
def test_the_best_pair_is_the_best_of_all_pairs_of_terms(world: TermWorld) -> None:
    found = Exact(max_length=2, exact_length=2).prepare(world.table)(*world.activity)
    if not any((column & world.unit).any() for column in world.columns.values()):
        assert found == ()
        return
    for explanation in found:
        check_counts(world, explanation)
        assert len(list(leaves(explanation.formula))) <= explanation.length
        assert explanation.iou == search.best_iou(world.columns, world.unit, explanation.length)
        proof = explanation.certificate
        assert proof is not None
        union = explanation.formula_count + explanation.active_count - explanation.both_count
        assert Fraction(*proof.best) == Fraction(explanation.both_count, union)
        assert Fraction(*proof.beam_best) <= Fraction(*proof.best)
        terms = len(world.columns)
        everything = terms if explanation.length == 1 else terms + 2 * terms * (terms - 1)
        assert proof.evaluated + proof.bounded == everything
        assert proof.evaluated >= 0
        assert proof.bounded >= 0


@settings(max_examples=100, deadline=None)
@given(worlds, st.integers(1, 4), st.integers(1, 5))
def test_beam_over_terms_equals_its_twin(world: TermWorld, width: int, longest: int) -> None:
    found = Compositional(max_length=longest, beam=width).prepare(world.table)(*world.activity)
    twin = search.beam(world.columns, world.unit, width=width, longest=longest)
    for mine, literal in zip(found, twin, strict=True):
        check_counts(world, mine)
        assert mine.iou == literal.score
        assert str(mine.formula) == str(literal.formula)


@settings(max_examples=12, deadline=None)
@given(tiny_worlds)
def test_the_best_of_three_terms_is_the_best_of_all(world: TermWorld) -> None:
    found = Exact(max_length=3).prepare(world.table)(*world.activity)
    for explanation in found:
        check_counts(world, explanation)
        assert explanation.iou == search.best_iou(world.columns, world.unit, explanation.length)


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_longer_formulas_start_from_the_proved_pair(world: TermWorld) -> None:
    found = Exact(max_length=5, exact_length=2).prepare(world.table)(*world.activity)
    assert found[:2] == Exact(max_length=2, exact_length=2).prepare(world.table)(*world.activity)
    for explanation in found:
        check_counts(world, explanation)
        assert (explanation.certificate is None) == (explanation.length > 2)
    scores = [explanation.iou for explanation in found]
    assert scores == sorted(scores)


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_three_leaves_are_the_best_of_beam_pair_and_pairs_beside_the_best_terms(world: TermWorld) -> None:
    found = Exact(max_length=3, exact_length=2).prepare(world.table)(*world.activity)
    if len(found) < 3:
        return
    beam = search.beam(world.columns, world.unit, width=10, longest=3)
    check_counts(world, found[2])
    assert found[2].iou == max(
        beam[-1].score, found[1].iou, search.best_beside(world.columns, world.unit, singles=BESIDE)
    )


class Passed:
    """A pass over small texts and the same read one text at a time."""

    def __init__(self, model: TextModel, data: ListedTexts, layer: str, folder: Path, *, image_level: bool) -> None:
        self.items = halve(data, seed=3)
        settings = RecordSettings(
            layer, grid=(1, data.window), quantile=0.1, batch_size=7, image_level=image_level, top_k=4,
            active="auto" if image_level else "quantile",
        )  # fmt: skip
        step = Pass(model, self.items, settings, folder=folder, classify=image_level)
        self.recording: Recording = step.recording(step.run())
        self.texts: list[LiteralText] = literal_texts(model, self.items, layer)
        table = self.recording.searched
        self.sets = [
            frozenset(table.concepts[c].name for c in table.indices[table.indptr[r] : table.indptr[r + 1]])
            for r in range(table.n_signatures)
        ]
        slots = [Slot(u, 0, float(low), np.inf) for u, low in enumerate(self.recording.thresholds)]
        self.positions = positions_of(self.recording, slots)

    def named(self, counts: HalfCounts, *, heldout: bool) -> Counter[frozenset[str]]:
        """Counts of one half by sets of names."""
        rows, entries = counts.heldout if heldout else counts.searched
        return Counter({self.sets[row]: int(entry) for row, entry in zip(rows, entries, strict=True)})

    def searched_values(self, unit: int) -> np.ndarray:
        """Activations of the unit on every element of the searched half."""
        return np.concatenate([text.values[:, unit] for text in self.texts if not text.heldout])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    return Passed(pair_model(), pair_texts(150), "relu", tmp_path_factory.mktemp("pairs"), image_level=True)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    return Passed(token_model(), token_texts(90), "sum", tmp_path_factory.mktemp("tokens"), image_level=False)


@pytest.fixture(params=["pairs", "tokens"])
def passed(request: pytest.FixtureRequest) -> Passed:
    return request.getfixturevalue(request.param)


def test_concept_sets_and_their_elements(passed: Passed) -> None:
    assert len(set(passed.sets)) == len(passed.sets)
    for heldout, weight in ((False, passed.recording.searched.weight), (True, passed.recording.heldout_weight)):
        found = Counter({names: int(count) for names, count in zip(passed.sets, weight, strict=True) if count})
        assert found == elements_by_set(passed.texts, heldout=heldout)


def test_active_means_above_zero_or_above_the_exact_threshold(pairs: Passed, tokens: Passed) -> None:
    assert pairs.recording.positive
    assert not pairs.recording.thresholds.any()
    assert not tokens.recording.positive
    for unit, low in enumerate(tokens.recording.thresholds):
        assert low == threshold(tokens.searched_values(unit), 0.1)


def test_counts_of_active_elements_by_half(passed: Passed) -> None:
    counter = HalfCounter(passed.recording)
    fired = 0
    for unit, positions in enumerate(passed.positions):
        counts, low = counter(positions), float(passed.recording.thresholds[unit])
        for heldout in (False, True):
            expected = active_by_set(passed.texts, unit, low, heldout=heldout)
            assert passed.named(counts, heldout=heldout) == expected
            fired += sum(expected.values())
    assert fired > 100


def test_moments_and_histogram_are_of_the_elements_alone(passed: Passed) -> None:
    recording = passed.recording
    every = np.concatenate([text.values for text in passed.texts]).astype(np.float64)
    np.testing.assert_allclose(recording.summary.moments.mean(), every.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(recording.summary.moments.std(), every.std(axis=0), rtol=1e-9, atol=1e-9)
    low, high = bin_edges()
    for unit, counts in enumerate(recording.summary.histogram.counts):
        values = passed.searched_values(unit)
        assert counts.sum() == len(values)
        for number in np.flatnonzero(counts):
            if low[number] >= 0:
                inside = (values >= low[number]) & ((values < high[number]) | (values == low[number]))
                assert counts[number] == inside.sum()


def test_peaks_lie_where_the_text_is_highest(passed: Passed) -> None:
    for item, text in enumerate(passed.texts):
        assert np.array_equal(passed.recording.peaks[item], text.values.max(axis=0))
        assert np.array_equal(passed.recording.cells[item], text.values.argmax(axis=0))
    assert np.array_equal(passed.recording.answers, [text.answer for text in passed.texts])


def test_top_texts_are_the_highest(passed: Passed) -> None:
    peaks = np.stack([text.values.max(axis=0) for text in passed.texts])
    for unit in range(peaks.shape[1]):
        top = passed.recording.summary.top.images[unit]
        assert np.array_equal(np.sort(peaks[top, unit]), np.sort(peaks[:, unit])[-len(top) :])


def _pairing(passed: Passed, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator, count = np.random.default_rng(seed), len(passed.texts)
    pairing = np.arange(count)
    for half in (False, True):
        members = np.flatnonzero(passed.items.heldout == half)
        pairing[members] = generator.permutation(members)
    return pairing, generator.integers(0, passed.recording.grid, size=(count, 2))


@pytest.mark.parametrize("seed", range(3))
def test_repaired_and_turned_counts(passed: Passed, seed: int) -> None:
    counter, (pairing, shifts) = HalfCounter(passed.recording), _pairing(passed, seed)
    own = np.arange(len(pairing))
    for unit, positions in enumerate(passed.positions):
        # What fires on padding is dropped before anything is counted.
        kept, low = positions[passed.recording.maps[positions] >= 0], float(passed.recording.thresholds[unit])
        for heldout in (False, True):
            plain = counter(kept, pairing=pairing)
            assert passed.named(plain, heldout=heldout) == paired_by_set(
                passed.texts, unit, low, heldout=heldout, pairing=pairing
            )
            both = counter(kept, pairing=pairing, shifts=shifts)
            assert passed.named(both, heldout=heldout) == turned_by_set(
                passed.texts, unit, low, heldout=heldout, pairing=pairing, shifts=shifts
            )
            turned = counter(kept, shifts=shifts)
            assert passed.named(turned, heldout=heldout) == turned_by_set(
                passed.texts, unit, low, heldout=heldout, pairing=own, shifts=shifts
            )


def test_ranks_by_set(passed: Passed) -> None:
    """Doubled mid-ranks within each half, summed by set; read against other texts, for as many tokens as a set has."""
    pairing, shifts = _pairing(passed, 5)
    count = len(passed.texts)
    for unit in range(len(passed.positions)):
        counter = RankCounter(passed.recording, unit)
        for heldout in (False, True):
            members = [text for text in passed.texts if text.heldout == heldout]
            ranks = iter((2 * rankdata(np.concatenate([text.values[:, unit] for text in members]))).tolist())
            expected: Counter[frozenset[str]] = Counter()
            moved: Counter[frozenset[str]] = Counter()
            met: Counter[frozenset[str]] = Counter()
            there: Counter[frozenset[str]] = Counter()
            for number in (n for n in range(count) if passed.texts[n].heldout == heldout):
                other = passed.texts[pairing[number]].names
                for at, names in enumerate(passed.texts[number].names):
                    rank = int(next(ranks))
                    expected[names] += rank
                    there[names] += 1
                    against = other[(at + int(shifts[number, 1])) % len(other)]
                    moved[against] += rank
                    met[against] += 1
            assert passed.named(counter(), heldout=heldout) == expected
            middle = sum(there.values()) + 1
            scaled = {
                names: round(moved[names] * count / met[names]) if met[names] else middle * count
                for names, count in there.items()
            }
            assert passed.named(counter(pairing=pairing, shifts=shifts), heldout=heldout) == scaled
            assert passed.named(counter(shifts=shifts), heldout=heldout).total() == sum(expected.values())
