"""Words against a class: neurons, scores and closeness on numbers that are easy to follow."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.methods.decompose.adversarial_words import closeness, pushing_neurons, word_scores
from microtome.numerics.pursuit import SparseCodes, matching_pursuit


def test_neurons_that_tell_the_classes_apart_come_first_whatever_their_sign():
    directions = np.array([[0.1, 0.0], [0.0, -0.9], [0.5, 0.5], [0.9, 0.1]])
    chosen, along = pushing_neurons(directions, np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3)
    assert chosen.tolist() == [1, 3, 0]
    assert along == pytest.approx([-0.9, -0.8, -0.1])


def test_the_spread_of_an_effect_can_count_too():
    directions = np.array([[0.1, 0.0], [0.0, -0.9], [0.5, 0.5], [0.9, 0.1]])
    sizes = np.array([100.0, 1.0, 1.0, 2.0])
    chosen, along = pushing_neurons(directions, np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3, sizes)
    assert chosen.tolist() == [0, 3, 1]
    assert along == pytest.approx([-10.0, -1.6, -0.9])


def test_more_neurons_than_there_are_gives_all():
    chosen, _ = pushing_neurons(np.eye(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]), 50)
    assert len(chosen) == 3


def test_scores_add_coefficient_times_push_over_neurons():
    codes = SparseCodes(
        np.array([[0, 2], [2, -1]]), np.array([[0.5, -0.25], [2.0, 99.0]]), np.ones((2, 2))
    )  # fmt: skip
    found = word_scores(codes, np.array([0.4, -0.1]), 4)
    assert found.scores == pytest.approx([0.2, 0.0, -0.25 * 0.4 - 0.2, 0.0])
    assert found.neurons.tolist() == [1, 0, 2, 0]


def test_a_text_that_a_pushing_neuron_is_made_of_scores_highest():
    texts = np.eye(16)
    source, target = texts[0], texts[1]
    # Two neurons fire on text 7 and write towards the wrong class, one on text 9 away from it.
    directions = np.stack([texts[7] + target, 0.8 * texts[7] + target, texts[9] + source, texts[2]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen, along = pushing_neurons(directions, source, target, 4)
    found = word_scores(matching_pursuit(directions[chosen], texts, 2), along, 16)
    others = np.delete(found.scores, 1)
    assert found.scores[7] == others.max() > 0
    assert found.scores[9] < 0
    assert found.neurons[7] == 2


def test_closeness_takes_the_mean_text_off():
    common = np.array([10.0, 0.0, 0.0])
    texts = common + np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    assert closeness(texts, common + np.array([0.0, 2.0, 0.0])) == pytest.approx([1.0, -1.0, 0.0, 0.0], abs=1e-12)


def test_closeness_of_the_mean_itself_is_zero():
    texts = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert closeness(texts, texts.mean(axis=0)).tolist() == [0.0, 0.0]
