"""Elements with the same concepts share a signature, whatever planes the concepts lie in."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from microtome.record.signatures import SignatureIndex, concept_keys, csr_of, image_signatures


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10_000), concepts=st.integers(1, 6), planes=st.integers(0, 4))
def test_each_element_has_exactly_its_concepts(seed: int, concepts: int, planes: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(0, concepts + 1, size=(planes, 5, 4)).astype(np.int32)
    whole = tuple(np.flatnonzero(generator.random(concepts) < 0.2).tolist())
    void = generator.random((5, 4)) < 0.2
    found = image_signatures(values, whole=whole, void=void, keys=concept_keys(concepts))
    assert len(set(found.sets)) == len(found.sets)
    for y in range(5):
        for x in range(4):
            if void[y, x]:
                assert found.map[y, x] == -1
            else:
                expected = {int(value) - 1 for value in values[:, y, x] if value > 0} | set(whole)
                assert found.sets[found.map[y, x]] == tuple(sorted(expected))


def test_the_order_of_planes_and_repeats_do_not_matter() -> None:
    planes = np.array([[[1, 2]], [[2, 1]], [[2, 1]]], np.int32)
    found = image_signatures(planes, whole=(), void=np.zeros((1, 2), bool), keys=concept_keys(2))
    assert found.sets == ((0, 1),)
    assert found.map.tolist() == [[0, 0]]


def test_keys_are_distinct_the_same_each_time_and_zero_for_nothing() -> None:
    keys = concept_keys(2000)
    assert keys[0] == 0
    assert len(np.unique(keys)) == 2001
    assert np.array_equal(keys[:101], concept_keys(100))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=3).map(lambda s: tuple(sorted(set(s)))), max_size=12),
    st.randoms(use_true_random=False),
)
def test_canonical_numbers_forget_the_order_of_arrival(sets: list[tuple[int, ...]], dice: random.Random) -> None:
    shuffled = dice.sample(sets, len(sets))
    answers = []
    for order in (sets, shuffled):
        index = SignatureIndex()
        handed = index.place(tuple(order))
        ordered, renumber = index.canonical()
        assert len(index) == len(ordered) == len(set(sets))
        assert [ordered[renumber[number]] for number in handed] == order
        answers.append(ordered)
    assert answers[0] == answers[1] == sorted(set(sets))


def test_sets_as_csr() -> None:
    indptr, indices = csr_of([(), (1, 3), (0,)])
    assert indptr.tolist() == [0, 0, 2, 3]
    assert indices.tolist() == [1, 3, 0]
    assert (indptr.dtype, indices.dtype) == (np.int64, np.int32)
