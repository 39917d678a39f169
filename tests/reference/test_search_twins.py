"""The compiled searches against their literal twins on random small worlds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.core.formula import evaluate, leaves
from microtome.methods.dissect.compositional import Compositional
from microtome.methods.dissect.exact import Exact
from microtome.methods.dissect.netdissect import NetDissect
from tests.reference import search
from tests.support.small_worlds import SmallWorld, small_world

worlds = st.builds(
    small_world,
    st.integers(0, 10**6),
    concepts=st.integers(1, 6),
    elements=st.sampled_from([15, 60, 200]),
)


def check_counts(world: SmallWorld, explanation) -> None:
    """The integers of an explanation are those of its formula's mask."""
    mask = evaluate(explanation.formula, world.columns)
    assert explanation.formula_count == mask.sum()
    assert explanation.both_count == (mask & world.unit).sum()
    assert explanation.active_count == world.unit.sum()
    assert explanation.iou == search.iou(mask, world.unit)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_exact_is_the_best_of_all_formulas(world: SmallWorld) -> None:
    found = Exact(max_length=3).prepare(world.table)(*world.activity)
    if not any((column & world.unit).any() for column in world.columns.values()):
        assert found == ()
        return
    assert [explanation.length for explanation in found] == [1, 2, 3]
    for explanation in found:
        check_counts(world, explanation)
        assert len(list(leaves(explanation.formula))) <= explanation.length
        assert explanation.iou == search.best_iou(world.columns, world.unit, explanation.length)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_the_certificate_tells_the_truth(world: SmallWorld) -> None:
    found = Exact(max_length=3).prepare(world.table)(*world.activity)
    beam = Compositional(max_length=3).prepare(world.table)(*world.activity)
    if not found:
        return
    certificate = found[2].certificate
    assert certificate is not None
    assert Fraction(*certificate.best) == Fraction(found[2].both_count, _union(found[2]))
    assert Fraction(*certificate.beam_best) == Fraction(beam[-1].both_count, _union(beam[-1]))
    assert Fraction(*certificate.beam_best) <= Fraction(*certificate.own_best) <= Fraction(*certificate.best)
    assert certificate.rounds >= 1
    assert certificate.evaluated >= 0


@settings(max_examples=100, deadline=None)
@given(worlds, st.integers(1, 4), st.integers(1, 5))
def test_beam_equals_its_twin(world: SmallWorld, width: int, longest: int) -> None:
    found = Compositional(max_length=longest, beam=width).prepare(world.table)(*world.activity)
    ordered = {name: world.columns[name] for name in sorted(world.columns)}
    twin = search.beam(ordered, world.unit, width=width, longest=longest)
    for mine, literal in zip(found, twin, strict=True):
        check_counts(world, mine)
        assert mine.iou == literal.score
        assert str(mine.formula) == str(literal.formula)


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_netdissect_equals_its_twin(world: SmallWorld) -> None:
    found = NetDissect().prepare(world.table)(*world.activity)
    name, best = search.best_single({n: world.columns[n] for n in sorted(world.columns)}, world.unit)
    if best == 0:
        assert found == ()
        return
    check_counts(world, found[0])
    assert found[0].iou == best
    assert str(found[0].formula) == name


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_longer_formulas_start_from_the_exact_ones(world: SmallWorld) -> None:
    found = Exact(max_length=5).prepare(world.table)(*world.activity)
    short = Exact(max_length=3).prepare(world.table)(*world.activity)
    assert found[:3] == short
    for explanation in found:
        check_counts(world, explanation)
    scores = [explanation.iou for explanation in found]
    assert scores == sorted(scores)


def test_a_shape_that_no_left_deep_beam_writes() -> None:
    """x AND (NOT y OR NOT z) is found, and the certificate shows the beam short of it."""
    generator = np.random.default_rng(5)
    columns = {name: generator.random(4000) < share for name, share in zip("xyz", (0.2, 0.6, 0.6), strict=True)}
    unit = columns["x"] & ~(columns["y"] & columns["z"])
    from tests.support.small_worlds import activity_of, table_of

    table, row_of = table_of(columns)
    found = Exact().prepare(table)(*activity_of(row_of, unit))
    assert found[2].iou == 1.0
    certificate = found[2].certificate
    assert certificate is not None
    assert Fraction(*certificate.own_best) < 1
    mask = evaluate(found[2].formula, columns)
    assert np.array_equal(mask, unit)


@pytest.mark.parametrize("seed", range(20))
def test_merging_never_costs_at_length_three(seed: int) -> None:
    """At length 3 the merged beam is at least as good as the published one, whose copies fill the beam."""
    world = small_world(seed, concepts=12, elements=400)
    found = Compositional(max_length=3, beam=10).prepare(world.table)(*world.activity)
    published = _published_beam(world, width=10, longest=3)
    assert found[-1].iou >= published


def _published_beam(world: SmallWorld, *, width: int, longest: int) -> float:
    """Left-deep beam without merging, as published: equal formulas may sit in the beam side by side."""
    kept = [
        search.Candidate(search.Leaf(name), column, search.iou(column, world.unit), ())
        for name, column in world.columns.items()
        if (column & world.unit).any()
    ]
    kept = sorted(kept, key=lambda candidate: -candidate.score)[:width]
    for _ in range(longest - 1):
        grown = list(kept)
        for parent in kept:
            for name, column in world.columns.items():
                for mask in (parent.mask | column, parent.mask & column, parent.mask & ~column):
                    grown.append(search.Candidate(search.Leaf(name), mask, search.iou(mask, world.unit), ()))
        kept = sorted(grown, key=lambda candidate: -candidate.score)[:width]
    return kept[0].score


def _union(explanation) -> int:
    return explanation.formula_count + explanation.active_count - explanation.both_count
