"""Net2Vec on planted concepts: one that three units hold between them, one that no unit holds."""

from __future__ import annotations

from dataclasses import fields

import jaxtyping
import numpy as np
import pytest

from microtome.core.errors import DataError, ModelError, OptionError
from microtome.core.site import Site
from microtome.methods.probe.level_kernel import level_counts
from microtome.methods.probe.logistic import Samples, entry_order, path_sizes
from microtome.methods.probe.net2vec import ConceptDirection, Net2Vec
from microtome.methods.probe.questions import Classifying, Segmenting
from microtome.record.upsample import axis_weights, unit_positions

IMAGES, UNITS, SIDE, GRID = 80, 20, 6, 12
SITE = Site("layer", 1, (UNITS, SIDE, SIDE), UNITS)
POOLED = Site("layer", 1, (UNITS,), UNITS)
PLANTED = (3, 8, 14)
HELDOUT = np.arange(IMAGES) % 2 == 1
QUICK = Net2Vec(draws=19)


def rectangles(generator: np.random.Generator) -> np.ndarray:
    """A box of 4 to 6 positions a side, in half of the images."""
    masks = np.zeros((IMAGES, GRID, GRID), bool)
    for image in range(IMAGES):
        if generator.random() < 0.5 or image < 4:
            top, left = 2 * generator.integers(0, 4, size=2)
            height, width = 2 * generator.integers(2, 4, size=2)
            masks[image, top : top + height, left : left + width] = True
    return masks


def write(concept: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Twenty units of noise; three hold the concept under two disturbances that only the sum of all three cancels."""
    shape = concept.shape
    activations = generator.normal(size=(len(concept), UNITS, *shape[1:]))
    one, two, three = generator.normal(scale=1.5, size=(3, *shape))
    held = (concept + one, concept - one + two, concept - two + 0.1 * three)
    for unit, values in zip(PLANTED, held, strict=True):
        activations[:, unit] = values + 0.05 * generator.normal(size=shape)
    return activations.astype(np.float32)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    masks = rectangles(generator)
    return write(masks[:, ::2, ::2].astype(float), generator), masks


@pytest.fixture(scope="module")
def found(planted: tuple[np.ndarray, np.ndarray]) -> ConceptDirection:
    return QUICK.fit(*planted, SITE, "box", heldout=HELDOUT)


def same(one: object, other: object) -> bool:
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.name != "direction"]
    alike = all(a == b if isinstance(a, tuple) else np.array_equal(a, b, equal_nan=a is not None) for a, b in pairs)
    return alike and np.array_equal(one.direction.vector, other.direction.vector)


def test_three_units_that_hold_a_concept_together_are_found(found: ConceptDirection) -> None:
    assert found.iou > 0.6
    assert found.iou > 2 * found.iou_best_unit
    assert found.iou > 2 * found.iou_best_unit_at_quantile
    assert set(found.order[:3]) == set(PLANTED)
    assert sorted(found.order) == list(range(UNITS))
    assert found.needed == 3
    assert dict(found.path)[2] < 0.8 * found.iou
    assert found.path[-1] == (UNITS, found.iou)
    weights = found.direction.vector
    assert weights[list(PLANTED)].min() > 5 * np.abs(np.delete(weights, PLANTED)).max()
    assert (found.direction.name, found.direction.site) == ("box", SITE)


def test_chance_does_not_reach_it(found: ConceptDirection) -> None:
    assert len(found.chance) == 19
    assert found.p == 1 / 20
    assert found.chance.max() < 0.5 * found.iou
    assert found.chance_iou == pytest.approx(found.chance.mean())


def test_a_draw_of_chance_is_the_fit_of_the_masks_of_other_images(
    planted: tuple[np.ndarray, np.ndarray], found: ConceptDirection
) -> None:
    activations, masks = planted
    for draw in range(3):
        generator, pairing = np.random.default_rng([0, 1, draw]), np.arange(IMAGES)
        for half in (False, True):
            pairing[half == HELDOUT] = generator.permutation(np.flatnonzero(half == HELDOUT))
        other = Net2Vec(draws=0, penalties=0).fit(activations, masks[pairing], SITE, "box", heldout=HELDOUT)
        assert other.iou == found.chance[draw]


def test_a_concept_that_no_unit_holds_is_no_better_than_chance() -> None:
    settings = Net2Vec(draws=19, penalties=0)
    p: list[tuple[float, float]] = []
    for seed in range(12):
        generator = np.random.default_rng(seed)
        masks, other = rectangles(generator), rectangles(generator)
        activations = write(masks[:, ::2, ::2].astype(float), generator)
        absent = settings.fit(activations, other, SITE, "absent", heldout=HELDOUT)
        assert (absent.path, absent.needed) == ((), None)
        told = settings.classify(activations[:, :, 0, 0], other.any(axis=(1, 2)), POOLED, "absent", heldout=HELDOUT)
        p.append((absent.p, told.p))
    # p is uniform then: a tenth of them at most 0.1.
    assert (np.array(p) <= 0.1).sum(axis=0).max() <= 4
    assert np.array(p).mean(axis=0).min() > 0.3


def test_a_unit_that_is_the_concept_needs_no_other(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    activations = activations.copy()
    activations[:, 6] = masks[:, ::2, ::2] + 0.05 * activations[:, 0]
    alone = Net2Vec(draws=0).fit(activations, masks, SITE, "box", heldout=HELDOUT)
    assert (alone.best_unit, alone.needed, alone.order[0]) == (6, 1, 6)
    assert alone.iou_best_unit == pytest.approx(alone.iou, abs=0.03)
    assert alone.p == 1.0
    assert np.isnan(alone.chance_iou)


def test_the_seed_alone_decides(planted: tuple[np.ndarray, np.ndarray], found: ConceptDirection) -> None:
    assert same(found, QUICK.fit(*planted, SITE, "box", heldout=HELDOUT))
    few = [Net2Vec(draws=2, cells=300, penalties=3, seed=seed) for seed in (1, 1, 2)]
    one, again, other = (settings.fit(*planted, SITE, "box", heldout=HELDOUT) for settings in few)
    assert same(one, again)
    assert not np.array_equal(one.direction.vector, other.direction.vector)
    # A fifth of the cells, half of them drawn where the concept is, still tell the same direction.
    whole, part = found.direction.unit_length().vector, one.direction.unit_length().vector
    assert whole @ part > 0.95


def test_what_is_void_has_no_say(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    void = np.zeros_like(masks)
    void[:, :, 8:] = True
    spoilt = masks ^ (void & (np.random.default_rng(1).random(masks.shape) < 0.5))
    settings = Net2Vec(draws=2, penalties=0)
    one, other = (settings.fit(activations, m, SITE, "box", heldout=HELDOUT, void=void) for m in (masks, spoilt))
    assert same(one, other)
    assert one.iou > 0.6
    assert not same(one, settings.fit(activations, spoilt, SITE, "box", heldout=HELDOUT))


def test_units_are_scored_at_the_thresholds_of_the_run(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    settings = Net2Vec(draws=0, penalties=0, quantile=0.1)
    ordered = np.sort(np.moveaxis(activations[~HELDOUT], 1, 0).reshape(UNITS, -1), axis=1)
    own = ordered[:, -(ordered.shape[1] // 10) - 1].astype(float)
    by_quantile = settings.fit(activations, masks, SITE, "box", heldout=HELDOUT)
    given = settings.fit(activations, masks, SITE, "box", heldout=HELDOUT, thresholds=own)
    assert same(by_quantile, given)
    never = settings.fit(activations, masks, SITE, "box", heldout=HELDOUT, thresholds=np.full(UNITS, 1e9))
    assert never.iou_best_unit_at_quantile == 0.0
    assert never.iou_best_unit == given.iou_best_unit > 0.0


def test_images_that_have_a_concept_are_told_by_the_same_fit() -> None:
    generator = np.random.default_rng(5)
    labels = generator.random(400) < 0.3
    activations = write(labels.astype(float)[:, None, None], generator)[:, :, 0, 0]
    heldout = np.arange(400) % 2 == 0
    told = QUICK.classify(activations, labels, POOLED, "has it", heldout=heldout)
    assert told.auroc > 0.98
    assert told.balanced_accuracy > 0.9
    assert told.auroc_best_unit < 0.8
    assert told.balanced_accuracy_best_unit < 0.8
    assert told.best_unit in PLANTED
    assert (told.needed, set(told.order[:3])) == (3, set(PLANTED))
    assert told.p == 1 / 20
    assert told.chance_auroc == pytest.approx(0.5, abs=0.05)
    assert (told.images_searched, told.images_heldout) == (labels[~heldout].sum(), labels[heldout].sum())
    said = activations @ told.direction.vector > told.threshold
    truth = labels[heldout]
    expected = (said[heldout][truth].mean() + 1 - said[heldout][~truth].mean()) / 2
    assert told.balanced_accuracy == pytest.approx(expected)
    assert same(told, QUICK.classify(activations, labels, POOLED, "has it", heldout=heldout))


def test_pairing_is_labels_put_elsewhere(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    void = np.random.default_rng(3).random(masks.shape) < 0.2
    pairing = np.random.default_rng(4).permutation(IMAGES // 2).repeat(2) * 2 + np.arange(IMAGES) % 2
    same_images = np.arange(IMAGES)
    maps = activations[:, PLANTED[0]].astype(float)
    asked = [
        Segmenting.of(activations, m, v, HELDOUT, 500) for m, v in ((masks, void), (masks[pairing], void[pairing]))
    ]
    pooled, labels = activations[:, :, 0, 0], masks.any(axis=(1, 2))
    told = [Classifying.of(pooled, one, HELDOUT) for one in (labels, labels[pairing])]
    for (question, elsewhere), readings in ((asked, maps), (told, maps[:, 0, 0])):
        pair = (
            question.samples(pairing, np.random.default_rng(0)),
            elsewhere.samples(same_images, np.random.default_rng(0)),
        )
        for name in ("x", "positive", "negative"):
            assert np.array_equal(getattr(pair[0], name), getattr(pair[1], name))
        assert question.score(readings, pairing) == elsewhere.score(readings, same_images)
        assert question.score(readings, pairing) != question.score(readings, same_images)


def test_cells_that_are_drawn_stand_for_those_that_are_not(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    # Moved by one position the boxes cover parts of cells.
    moved = np.roll(masks, 1, axis=(1, 2))
    parts = []
    for cells in (10_000, 400):
        question = Segmenting.of(activations, moved, None, HELDOUT, cells)
        samples = question.samples(np.arange(IMAGES), np.random.default_rng(0))
        assert len(samples.x) == min(cells, 40 * SIDE * SIDE)
        assert (samples.positive.sum(), samples.negative.sum()) == pytest.approx((0.5, 0.5))
        parts.append(samples.negative[samples.positive > 0].sum())
    assert parts[0] == pytest.approx(parts[1], rel=0.15)
    assert parts[0] > 0.01


def test_counts_above_a_level_are_those_of_the_pass() -> None:
    generator = np.random.default_rng(2)
    maps = np.round(generator.normal(size=(5, 4, 3)), 1).astype(np.float32)
    weights = (*axis_weights(4, 9), *axis_weights(3, 10))
    levels = np.unique(np.round(generator.normal(size=30), 1))
    nothing, order = np.zeros((5, 9, 10), bool), np.arange(5)
    masks = generator.random((5, 9, 10)) < 0.5
    counts = level_counts(maps, order, order, masks, nothing, levels, *weights)
    buffer = np.empty(450, np.int64)
    for place, level in enumerate(levels):
        found = buffer[: unit_positions(maps[:, None], 0, level, np.inf, *weights, 0, buffer, 0)]
        assert counts[0, place + 1 :].sum() == len(found)
        assert counts[1, place + 1 :].sum() == masks.reshape(-1)[found].sum()


def test_units_enter_the_path_by_what_they_add() -> None:
    x = np.random.default_rng(0).normal(size=(500, 4))
    order = entry_order(Samples.balanced(x, (2 * x[:, 2] - x[:, 1] > 0).astype(float), np.ones(500)), 20, 200)
    assert order[:2].tolist() == [2, 1]
    # In one step they all enter, the larger weight first.
    at_once = entry_order(Samples.balanced(x, (2 * x[:, 2] - x[:, 1] > 0).astype(float), np.ones(500)), 1, 200)
    assert at_once[:2].tolist() == [2, 1]
    assert list(path_sizes(16)) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16]
    assert list(path_sizes(1)) == [1]
    assert list(path_sizes(0)) == []


def test_what_cannot_be_fitted_says_why(planted: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = planted
    with pytest.raises(OptionError, match="l2 is 0") as caught:
        Net2Vec(l2=0.0, draws=-1, quantile=0.7)
    assert "draws is -1" in str(caught.value)
    assert "quantile is 0.7" in str(caught.value)
    with pytest.raises(DataError, match="'box' is in 0 searched and"):
        QUICK.fit(activations, masks & HELDOUT[:, None, None], SITE, "box", heldout=HELDOUT)
    with pytest.raises(DataError, match="everywhere on the searched half"):
        QUICK.fit(activations, np.ones_like(masks), SITE, "box", heldout=HELDOUT)
    with pytest.raises(DataError, match="'not box' is in 0 searched and 0 held-out"):
        QUICK.classify(activations[:, :, 0, 0], np.ones(IMAGES, bool), POOLED, "box", heldout=HELDOUT)
    with pytest.raises(ModelError, match="but layer 'other' has 5 units"):
        QUICK.fit(activations[:, :6], masks, Site("other", 1, (5, 6, 6), 5), "box", heldout=HELDOUT)
    broken = activations.copy()
    broken[0, 4, 0, 0] = np.nan
    with pytest.raises(DataError, match="Activations of 1 units hold NaN"):
        QUICK.fit(broken, masks, SITE, "box", heldout=HELDOUT)


def test_labels_of_other_images_are_refused_without_shape_checks(
    planted: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(DataError, match="activations of 80 images, labels of 79 and halves of 80"):
        QUICK.classify(planted[0][:, :, 0, 0], np.ones(79, bool), POOLED, "box", heldout=HELDOUT)
