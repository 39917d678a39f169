"""The proved pair on wide tables: against every pair of terms by dense products, in threads, and its certificate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from microtome.core.explanation import Certificate, Explanation
from microtome.core.formula import Leaf, Neighbours, Not, conjoin, disjoin, leaves
from microtome.core.signatures import SignatureTable
from microtome.methods.dissect.compositional import Compositional
from microtome.methods.dissect.exact import Exact
from microtome.methods.dissect.exact_pairs import BESIDE
from tests.support.random_tables import random_activity, random_table, table_of


def wide_table(seed: int, *, concepts: int = 120, signatures: int = 300, neighbours: bool = True) -> SignatureTable:
    """Rows of some twenty concepts, frequent and rare ones, with weights; two concepts in five have neighbours."""
    generator = np.random.default_rng([seed, 5])
    names = [f"c{k:03d}" for k in range(concepts)]
    p = 0.8 / (1 + 0.15 * np.arange(concepts))
    sets = {tuple(name for name, held in zip(names, generator.random(concepts) < p, strict=True) if held)
            for _ in range(signatures)}  # fmt: skip
    table = table_of(sorted(sets), generator.integers(1, 4, len(sets)).tolist(), concepts=tuple(names))
    if not neighbours:
        return table
    groups = [
        tuple(sorted({own, *generator.choice(concepts, 5, replace=False).tolist()})) if generator.random() < 0.4 else ()
        for own in range(concepts)
    ]
    return replace(table, neighbours=tuple(groups))


def activity_like(table: SignatureTable, seed: int, *, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A unit that fires on the elements of a random pair of terms, but for a share of rows."""
    generator = np.random.default_rng([seed, 6])
    x, y = (table.column(table.terms[k]) for k in generator.choice(len(table.terms), 2, replace=False))
    truth = (x & ~y, x & y, x | y)[seed % 3] ^ (generator.random(table.n_signatures) < noise)
    rows = np.flatnonzero(truth)
    return rows.astype(np.int32), generator.integers(1, table.weight[rows] + 1).astype(np.int64)


def best_of_all(table: SignatureTable, rows: np.ndarray, counts: np.ndarray) -> tuple[Fraction, Fraction]:
    """The highest IoU of one term and of at most two, from dense products over all pairs of terms."""
    dense = np.stack([table.column(term) for term in table.terms]).astype(np.int64)
    active = np.zeros(table.n_signatures, np.int64)
    active[rows] = counts
    total = int(counts.sum())
    n_xy, a_xy = (dense * table.weight) @ dense.T, (dense * active) @ dense.T
    n, a = n_xy.diagonal(), a_xy.diagonal()
    different = ~np.eye(len(n), dtype=bool)
    every = [(n, a)] + [
        (formula_n[different], formula_a[different])
        for formula_n, formula_a in (
            (n_xy, a_xy), (n[:, None] - n_xy, a[:, None] - a_xy),
            (n[:, None] + n[None] - n_xy, a[:, None] + a[None] - a_xy),
        )
    ]  # fmt: skip
    best = []
    for formula_n, formula_a in every:
        union = formula_n + total - formula_a
        # Float64 tells apart fractions of integers below 2^20; the winner is then exact.
        place = int(np.argmax(formula_a / union))
        best.append(Fraction(int(formula_a[place]), int(union[place])))
    return best[0], max(best)


def iou(explanation: Explanation) -> Fraction:
    union = explanation.formula_count + explanation.active_count - explanation.both_count
    return Fraction(explanation.both_count, union)


@pytest.mark.parametrize("neighbours", [True, False])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2, 0.5])
def test_no_pair_of_terms_is_better(neighbours: bool, noise: float) -> None:
    for seed in range(6):
        table = wide_table(seed, neighbours=neighbours)
        rows, counts = activity_like(table, seed, noise=noise)
        one, two = Exact(max_length=2, exact_length=2).prepare(table)(rows, counts)
        assert (iou(one), iou(two)) == best_of_all(table, rows, counts)
        for found in (one, two):
            assert found.formula_count == table.count(found.formula)
            assert found.both_count == counts[table.holds(found.formula)[rows]].sum()


def best_beside(table: SignatureTable, rows: np.ndarray, counts: np.ndarray) -> Fraction:
    """The highest IoU of f OR (x AND y), f OR (x AND NOT y), f AND (x OR y): f a best single term, x a concept."""
    dense = np.stack([table.column(term) for term in table.terms])
    active, total, plain = np.zeros(table.n_signatures, np.int64), int(counts.sum()), len(table.concepts)
    active[rows] = counts
    n, a = dense @ table.weight, dense @ active
    best = Fraction(0)
    for f in np.argsort(-(a / (n + total - a)), kind="stable")[:BESIDE]:
        for inside in (True, False):
            kept = (dense & (dense[f] == inside)).astype(np.int64)
            (n_xy, a_xy), (n_x, a_x) = (
                [product(kept, weight) for weight in (table.weight, active)]
                for product in (lambda d, w: (d * w)[:plain] @ d.T, lambda d, w: d @ w)
            )
            if inside:
                pairs = [(n_x[:plain, None] + n_x - n_xy, a_x[:plain, None] + a_x - a_xy)]
            else:
                pairs = [(n[f] + more_n, a[f] + more_a) for more_n, more_a in (
                    (n_xy, a_xy), (n_x[:plain, None] - n_xy, a_x[:plain, None] - a_xy)
                )]  # fmt: skip
            for formula_n, formula_a in pairs:
                union = formula_n + total - formula_a
                place = np.unravel_index(np.argmax(formula_a / union), union.shape)
                best = max(best, Fraction(int(formula_a[place]), int(union[place])))
    return best


@pytest.mark.parametrize("shape", ["(x AND y) OR f", "(x AND NOT y) OR f", "f AND (x OR y)"])
def test_three_leaves_beside_the_best_terms_are_the_best_of_all_such(shape: str) -> None:
    """x and f are concepts, y is NEIGHBOURS of one every other time; the beam alone misses some of them."""
    short = 0
    for seed in range(10):
        table = wide_table(seed)
        generator, concepts = np.random.default_rng([seed, 12]), len(table.concepts)
        x, f = (table.column(table.terms[k]) for k in generator.choice(concepts // 2, 2, replace=False))
        drawn = generator.integers(concepts, len(table.terms)) if seed % 2 else generator.integers(concepts // 2)
        y = table.column(table.terms[drawn])
        truth = {"(x AND y) OR f": (x & y) | f, "(x AND NOT y) OR f": (x & ~y) | f, "f AND (x OR y)": f & (x | y)}
        rows = np.flatnonzero(truth[shape] ^ (generator.random(table.n_signatures) < 0.02)).astype(np.int32)
        counts = generator.integers(1, table.weight[rows] + 1).astype(np.int64)
        _, two, three = Exact(max_length=3, exact_length=2).prepare(table)(rows, counts)
        beam = iou(Compositional(max_length=3).prepare(table)(rows, counts)[-1])
        beside = best_beside(table, rows, counts)
        assert iou(three) == max(iou(two), beam, beside)
        assert three.both_count == counts[table.holds(three.formula)[rows]].sum()
        short += max(beam, iou(two)) < beside
    assert short


def test_the_beam_falls_short_where_the_proof_does_not() -> None:
    """Both halves of x AND y are poor alone: a beam of two has lost them by the time they would be joined."""
    generator = np.random.default_rng(3)
    columns = {f"lure{k}": generator.random(4000) < 0.1 for k in range(8)}
    columns |= {name: generator.random(4000) < 0.5 for name in "xy"}
    unit = columns["x"] & columns["y"]
    for k in range(8):
        # Each lure covers a part of the unit and little besides.
        columns[f"lure{k}"] &= unit | (generator.random(4000) < 0.05)
        columns[f"lure{k}"] |= unit & (generator.random(4000) < 0.6)
    from tests.support.small_worlds import activity_of
    from tests.support.small_worlds import table_of as dense_table

    table, row_of = dense_table(columns)
    activity = activity_of(row_of, unit)
    found = Exact(max_length=2, exact_length=2, beam=1).prepare(table)(*activity)[1]
    assert str(found.formula) == "x AND y"
    assert iou(found) == 1
    assert found.certificate is not None
    assert Fraction(*found.certificate.beam_best) < 1
    short = Compositional(max_length=2, beam=1).prepare(table)(*activity)[-1]
    assert iou(short) == Fraction(*found.certificate.beam_best)


@pytest.mark.parametrize("seed", range(8))
def test_it_agrees_with_the_search_that_lists_every_pair(seed: int) -> None:
    table = random_table(seed, concepts=8, signatures=40)
    activity = random_activity(table, seed)
    pairs = Exact(max_length=3, exact_length=2).prepare(table)(*activity)
    listed = Exact(max_length=3, exact_length=3).prepare(table)(*activity)
    assert [iou(e) for e in pairs[:2]] == [iou(e) for e in listed[:2]]
    assert iou(pairs[2]) <= iou(listed[2])
    for mine, other in zip(pairs[:2], listed[:2], strict=True):
        assert mine.certificate is not None
        assert other.certificate is not None
        assert mine.certificate.best == other.certificate.best
        assert mine.certificate.beam_best == other.certificate.beam_best


def test_certificates_count_every_formula_once() -> None:
    table = wide_table(1)
    terms = len(table.terms)
    rows, counts = activity_like(table, 1, noise=0.1)
    one, two, *longer = Exact(max_length=4, exact_length=2).prepare(table)(rows, counts)
    assert isinstance(one.certificate, Certificate)
    assert isinstance(two.certificate, Certificate)
    assert one.certificate.evaluated + one.certificate.bounded == terms
    assert two.certificate.evaluated + two.certificate.bounded == terms + 2 * terms * (terms - 1)
    assert two.certificate.bounded > two.certificate.evaluated, "bounds leave few pairs to look at"
    assert [e.certificate for e in longer] == [None, None]


def test_threads_share_one_finder() -> None:
    table = wide_table(2)
    finder = Exact(max_length=4, exact_length=2).prepare(table)
    activities = [activity_like(table, seed, noise=0.1) for seed in range(12)]
    alone = [Exact(max_length=4, exact_length=2).prepare(table)(*own) for own in activities[:3]]
    inline = [finder(*own) for own in activities]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda own: finder(*own), activities * 3))
    assert together == inline * 3
    assert inline[:3] == alone


def test_neighbours_in_either_place_and_with_its_own_word() -> None:
    """NEIGHBOURS(x) AND NOT x: like x, but not x."""
    generator = np.random.default_rng(8)
    columns = {name: generator.random(600) < 0.2 for name in "pqrst"}
    from tests.support.small_worlds import activity_of
    from tests.support.small_worlds import table_of as dense_table

    table, row_of = dense_table(columns)
    table = replace(table, neighbours=((0, 1, 2), (), (), (3, 4), ()))
    near = columns["p"] | columns["q"] | columns["r"]
    cases = [
        (near & ~columns["p"], conjoin(Neighbours("p"), Not(Leaf("p")))),
        (columns["s"] & ~near, conjoin(Leaf("s"), Not(Neighbours("p")))),
        (near | columns["t"], disjoin(Leaf("t"), Neighbours("p"))),
        (near & (columns["s"] | columns["t"]), conjoin(Neighbours("p"), Neighbours("s"))),
    ]
    finder = Exact(max_length=2, exact_length=2).prepare(table)
    for unit, formula in cases:
        found = finder(*activity_of(row_of, unit))[-1]
        assert iou(found) == 1
        assert table.same_truth(found.formula, formula)
        assert len(list(leaves(found.formula))) == 2


def test_nothing_to_find() -> None:
    table = wide_table(3)
    finder = Exact(max_length=3, exact_length=2).prepare(table)
    assert finder(np.zeros(0, np.int32), np.zeros(0, np.int64)) == ()
    bare = table_of([(), ("a",)], [5, 5])
    assert Exact(max_length=3, exact_length=2).prepare(bare)(np.array([0], np.int32), np.array([2], np.int64)) == ()


def test_one_concept_has_no_pair() -> None:
    table = table_of([(), ("a",)], [5, 5])
    found = Exact(max_length=2, exact_length=2).prepare(table)(np.array([0, 1], np.int32), np.array([1, 5], np.int64))
    assert [str(e.formula) for e in found] == ["a"] * len(found)
    assert iou(found[0]) == Fraction(5, 6)


@pytest.mark.parametrize("longest", [1, 2, 5])
def test_as_many_lengths_as_asked(longest: int) -> None:
    table = wide_table(4)
    found = Exact(max_length=longest, exact_length=2).prepare(table)(*activity_like(table, 4, noise=0.1))
    assert [e.length for e in found] == list(range(1, longest + 1))
    assert [iou(e) for e in found] == sorted(iou(e) for e in found)


def test_penalty_and_f1_keep_the_proof() -> None:
    table = wide_table(5)
    activity = activity_like(table, 5, noise=0.2)
    plain = Exact(max_length=2, exact_length=2).prepare(table)(*activity)
    other = Exact(max_length=2, exact_length=2, penalty=0.9, metric="f1").prepare(table)(*activity)
    for one, two in zip(plain, other, strict=True):
        assert one.formula == two.formula
        assert one.certificate == two.certificate
        shared = 2 * two.both_count / (two.formula_count + two.active_count)
        assert two.score == pytest.approx(0.9 ** (len(list(leaves(two.formula))) - 1) * shared)
