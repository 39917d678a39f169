"""Labels of heads: a planted property is found, heads that say nothing have none, no property has an advantage."""

from __future__ import annotations

import numpy as np
import pytest

from microtome.methods.decompose.labels import Standing, against, among, pooled_p, standing
from microtome.methods.decompose.text_span import HeadSpace, chance_spans, text_span

EVEN = [f"p{n % 6}" for n in range(300)]
UNEVEN = ["large"] * 240 + ["small"] * 20 + ["tiny"] * 6 + ["middling"] * 34
GAINS = 2.0 ** -np.arange(12.0)
DRAWS = 39


def stand(texts: list[int], properties: list[str], *, gains: np.ndarray = GAINS, seed: int = 0) -> Standing:
    """How texts stand among draws of any texts."""
    rng = np.random.default_rng(seed)
    drawn = [(rng.permutation(len(properties))[: len(texts)], gains[: len(texts)]) for _ in range(DRAWS)]
    return standing((np.array(texts), gains[: len(texts)]), drawn, properties)


def p_of(found: list[Standing]) -> np.ndarray:
    return pooled_p(np.array([one.score for one in found]), np.stack([one.drawn for one in found]))


def uniform(p: np.ndarray) -> None:
    """Assert that p values are no smaller than they should be, and not much larger."""
    count = len(p)
    assert (p <= 0.05).mean() < 0.05 + 3 * (0.05 * 0.95 / count) ** 0.5
    gap = np.abs(np.sort(p) - (np.arange(count) + 0.5) / count).max()
    assert gap < 1.63 / count**0.5, "Kolmogorov and Smirnov's bound of 1 %"


def test_a_planted_property_is_found() -> None:
    found = stand([*[n for n in range(300) if EVEN[n] == "p4"][:8], 0, 1, 2, 3], EVEN)
    assert found.property == "p4"
    assert found.share == pytest.approx(GAINS[:8].sum() / GAINS.sum())
    assert found.expected == pytest.approx(1 / 6, abs=0.15)
    assert found.score > found.drawn.max()
    assert p_of([found]) == [1 / (1 + DRAWS)]


def test_small_properties_are_found_in_pools_that_others_fill() -> None:
    found = stand([240, 241, 242, 243, 0, 1, 2, 3, 4, 5, 6, 7], UNEVEN)
    assert found.property == "small"
    assert p_of([found])[0] <= 0.05


def test_a_property_that_fills_the_pool_is_no_label() -> None:
    """All texts of a head are from four fifths of the pool: that is what chance gives."""
    found = stand(list(range(12)), UNEVEN)
    assert found.share == 1.0
    assert found.expected == pytest.approx(0.8, abs=0.1)
    assert p_of([found])[0] > 0.05


@pytest.mark.parametrize(
    ("properties", "count"), [(EVEN, 12), (UNEVEN, 12), (UNEVEN, 5)], ids=["even", "uneven", "few"]
)
def test_random_texts_have_a_uniform_p(properties: list[str], count: int) -> None:
    rng = np.random.default_rng(3)
    found = [stand(rng.permutation(300)[:count].tolist(), properties, seed=seed) for seed in range(300)]
    uniform(p_of(found))
    names = [one.property for one in found]
    # None is favoured as a name: the property of most texts less than its share of the pool.
    assert max(names.count(name) for name in set(names)) / 300 < (0.3 if properties is EVEN else 0.8)


@pytest.mark.parametrize(("wide", "apart"), [(2.0, 0.0), (0.7, 1.2)])
def test_heads_that_say_nothing_have_a_uniform_p(wide: float, apart: float) -> None:
    """Texts as the greedy choice takes them, from pools with one more varied property and groups that are alike."""
    rng = np.random.default_rng(1)
    properties = [f"p{n % 6}" for n in range(120)]
    spread = np.where(np.arange(120) % 6 == 0, wide, 0.7)[:, None]
    centres = apart * rng.standard_normal((6, 20))[np.arange(120) % 6]
    texts = 1.5 * rng.standard_normal(20) + centres + spread * rng.standard_normal((120, 20))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = []
    for _ in range(60):
        space = HeadSpace.of(rng.standard_normal((20, 5)))
        covariance = space.covariance(np.diag(2.0 ** -np.arange(5)))
        own = text_span(covariance, texts @ space.outward, 5)
        turned = chance_spans(covariance, texts, 5, draws=19, rng=rng)
        found.append(standing((own.texts, own.gains), [(one.texts, one.gains) for one in turned], properties))
    uniform(p_of(found))


def test_draws_are_set_against_one_another() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.random((30, 2))
    for row in (0, 29):
        assert np.allclose(among(drawn)[row], against(drawn[row][None], np.delete(drawn, row, axis=0))[0])
    assert not among(np.ones((5, 1))).any()
    assert not against(np.ones((1, 1)), np.ones((5, 1))).any()


def test_pooled_p_counts_draws_that_stand_out_as_much() -> None:
    drawn = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert pooled_p(np.array([4.0, 2.0]), drawn).tolist() == [1 / 5, 3 / 5]
    assert pooled_p(np.array([-1.0, 3.0]), drawn).tolist() == [1.0, 2 / 5]


def test_texts_that_explain_nothing_have_no_label() -> None:
    found = stand([0, 1, 2], EVEN, gains=np.zeros(3))
    assert (found.share, found.expected, found.score) == (0.0, 0.0, 0.0)
    assert p_of([found]) == [1.0]


def test_a_pool_of_one_property_labels_nothing() -> None:
    found = stand([0, 1, 2], ["only"] * 9)
    assert (found.property, found.share, found.expected) == ("only", 1.0, 1.0)
    assert p_of([found]) == [1.0]
