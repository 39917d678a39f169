"""TextSpan: planted heads are found, heads that say nothing are not; the literal twin is in tests/reference."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.methods.decompose.text_span import (
    HeadSpace,
    Span,
    chance_spans,
    explained_by,
    explained_upto,
    text_span,
)

D_OUT, SPACE, TEXTS, DRAWS, LEAD = 24, 6, 80, 39, 3


def pool(seed: int = 0) -> np.ndarray:
    """Unit texts as a text tower gives them: a direction that all share, groups that are alike."""
    rng = np.random.default_rng(seed)
    groups = rng.standard_normal((8, D_OUT))
    texts = 1.5 * rng.standard_normal(D_OUT) + groups[np.arange(TEXTS) % 8] + 0.7 * rng.standard_normal((TEXTS, D_OUT))
    return texts / np.linalg.norm(texts, axis=1, keepdims=True)


def planted(texts: np.ndarray, chosen: list[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """P and the covariance of a head that varies along some texts alone, by less and less."""
    matrix = rng.standard_normal((D_OUT, SPACE))
    matrix[:, : len(chosen)] = texts[chosen].T
    spread = np.diag([9.0, 4.0, 2.0] + [0.0] * (SPACE - 3))
    return matrix, spread


def p_of(covariance: np.ndarray, outward: np.ndarray, texts: np.ndarray, rng: np.random.Generator) -> float:
    """Share of turned pools that explain as much with the first texts."""
    own = text_span(covariance, texts @ outward, LEAD).explained
    chance = explained_upto(chance_spans(covariance, texts, LEAD, draws=DRAWS, rng=rng), LEAD)
    return float((1 + (chance[:, len(own) - 1] >= own[-1]).sum()) / (1 + DRAWS))


@pytest.mark.parametrize("seed", range(5))
def test_a_head_that_writes_along_three_texts_is_named_by_them_and_beats_chance(seed: int) -> None:
    """Independent texts, so that none stands for another; the head's own directions are theirs, made apart."""
    rng = np.random.default_rng(seed)
    texts = rng.standard_normal((TEXTS, D_OUT))
    texts[:3] = np.linalg.qr(texts[:3].T)[0].T * np.linalg.norm(texts, axis=1).mean()
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    matrix, spread = planted(texts, [0, 1, 2], rng)
    space = HeadSpace.of(matrix)
    found = text_span(space.covariance(spread), texts @ space.outward, 10)
    assert found.texts[:3].tolist() == [0, 1, 2]
    assert found.explained[2] == pytest.approx(1.0, abs=1e-9)
    assert len(found.texts) == 3, "nothing is left to explain"
    assert p_of(space.covariance(spread), space.outward, texts, rng) == 1 / (1 + DRAWS)


def test_a_head_of_random_directions_has_a_p_like_any_other() -> None:
    """Over heads that have nothing to do with the pool p is uniform: mean, share below 0.1, largest gap."""
    texts, rng = pool(), np.random.default_rng(7)
    found = []
    for _ in range(80):
        space = HeadSpace.of(rng.standard_normal((D_OUT, SPACE)))
        spread = np.diag(2.0 ** -np.arange(SPACE))
        found.append(p_of(space.covariance(spread), space.outward, texts, rng))
    p = np.sort(found)
    assert abs(p.mean() - 0.5) < 0.1
    assert (p <= 0.1).mean() < 0.2
    gap = np.abs(p - (np.arange(80) + 0.5) / 80).max()
    assert gap < 0.182, "Kolmogorov and Smirnov's bound of 1 % for 80 draws"


def test_chance_is_of_its_seed_and_grows_with_the_texts() -> None:
    texts, covariance = pool(), np.diag([3.0, 2.0, 1.0, 0.5])

    def drawn(seed: int) -> np.ndarray:
        return explained_upto(chance_spans(covariance, texts, 6, draws=5, rng=np.random.default_rng(seed)), 6)

    assert drawn(1).shape == (5, 6)
    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))
    assert (np.diff(drawn(1), axis=1) >= -1e-12).all()
    assert drawn(1).max() <= 1.0 + 1e-12
    # Four dimensions are spent after four texts; the share stays.
    assert np.allclose(drawn(1)[:, 4:], 1.0, atol=1e-9)


def test_turned_pools_keep_the_angles_between_their_texts() -> None:
    """A pool of one text and its copies explains one direction, however it is turned."""
    texts = np.repeat(pool()[:1], 5, axis=0)
    covariance = np.eye(4)
    chance = explained_upto(chance_spans(covariance, texts, 5, draws=20, rng=np.random.default_rng(0)), 5)
    assert np.allclose(chance, 0.25, atol=1e-12)


def test_a_head_without_variance_has_no_chance_to_beat() -> None:
    chance = explained_upto(chance_spans(np.zeros((3, 3)), pool(), 2, draws=4, rng=np.random.default_rng(0)), 2)
    assert not chance.any()
    assert np.array_equal(explained_by(Span(np.zeros(0, np.int64), np.zeros(0), 0.0, np.zeros((0, 3))), np.eye(3)), [])


def test_what_held_out_images_do_not_show_is_not_explained() -> None:
    found = text_span(np.diag([4.0, 1.0]), np.eye(2), 2)
    assert found.texts.tolist() == [0, 1]
    assert found.explained.tolist() == [0.8, 1.0]
    assert explained_by(found, np.diag([1.0, 3.0])).tolist() == [0.25, 1.0]
    assert explained_by(found, np.zeros((2, 2))).tolist() == [0.0, 0.0]


def test_the_length_of_a_text_counts_as_in_the_literal_algorithm() -> None:
    """Texts are not normalised again after the projection: one that lies outside of the range counts for less."""
    texts = np.array([[1.0, 0.0], [0.0, 0.5]])
    assert text_span(np.diag([1.0, 3.0]), texts, 1).texts.tolist() == [0]
    assert text_span(np.diag([1.0, 5.0]), texts, 1).texts.tolist() == [1]
