"""Units asked about: every answer is what the model gives inside `intervene`, with a linear tail and without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, ablate
from microtome.core.intervention import replace as put
from microtome.models.intervene import intervene
from microtome.models.load import load
from microtome.models.model import Model, wrap
from microtome.models.trace import trace
from microtome.recipes.audit.asked import AskedModel
from microtome.recipes.audit.nouns import Change, LastLayer
from microtome.recipes.audit.unit_model import UnitModel
from tests.support.networks import hooks

COUNT, BATCH = 7, 4
CLASSES = ("a", "b", "c", "d")


class Deep(nn.Module):
    """conv - relu - conv - relu - pool - linear: what follows the first rectifier is not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.fc = nn.Linear(8, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.conv1(x))
        return self.fc(self.relu2(self.conv2(x)).mean((2, 3)))


def deep() -> Model:
    torch.manual_seed(0)
    return wrap(Deep().double(), size=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), classes=CLASSES, device="cpu")


ASKED: dict[str, Any] = {
    "linear tail": lambda: UnitModel(load("world:scenes", device="cpu"), "layer4", {}, {}, batch_size=3),
    "deep": lambda: UnitModel(deep(), "relu1", {}, {}, batch_size=BATCH),
    "last of the deep": lambda: UnitModel(deep(), "relu2", {}, {}, batch_size=3),
}


@pytest.fixture(scope="module", params=ASKED)
def asked(request: pytest.FixtureRequest) -> UnitModel:
    return ASKED[request.param]()


def pictures(asked: UnitModel, *, seed: int = 0, count: int = COUNT) -> list[np.ndarray]:
    """Random images of blocks, at the model's input size."""
    size = asked.model.preprocess.height
    blocks = np.random.default_rng(seed).integers(0, 256, size=(count, 4, 4, 3), dtype=np.uint8)
    return list(blocks.repeat(size // 4, 1).repeat(size // 4, 2))


def inside(asked: UnitModel, pixels: list[np.ndarray], steps: list[Intervention]) -> np.ndarray:
    """Logits of the model itself under interventions."""
    with intervene(asked.model, steps):
        return asked.model.logits(asked.model.preprocess(pixels)).double().numpy()


def acts_of(asked: UnitModel, pixels: list[np.ndarray]) -> Tensor:
    """The layer's output [item unit row column], in float64."""
    with trace(asked.model, [asked.site.layer], stop=True) as cache:
        return cache.run(asked.model.preprocess(pixels))[asked.site.layer].double()


def settled(asked: UnitModel) -> np.ndarray:
    """Settle the means on some of other images, and return them counted here."""
    others = pictures(asked, seed=8, count=9)
    rows = np.arange(9) % 3 > 0
    asked.settle(asked.read(others), rows)
    return acts_of(asked, others).mean((2, 3)).numpy()[rows].mean(axis=0)


def test_it_is_what_the_recipe_asks_for(asked: UnitModel) -> None:
    assert isinstance(asked, AskedModel)
    assert asked.erasable
    assert (asked.tail is None) == bool(asked.notes)


def test_only_what_is_linear_is_taken_for_it() -> None:
    assert ASKED["linear tail"]().tail is not None
    assert ASKED["last of the deep"]().tail is not None
    assert ASKED["deep"]().tail is None


def test_what_was_read_is_what_the_model_does(asked: UnitModel) -> None:
    pixels = pictures(asked)
    held = asked.read(pixels)
    plain = inside(asked, pixels, [])
    assert len(held) == COUNT
    assert np.allclose(held.logits, plain, atol=1e-5)
    assert np.array_equal(asked.answer(held), held.logits)
    pooled = acts_of(asked, pixels).mean((2, 3)).numpy()
    assert np.allclose(asked.values(held), pooled, atol=1e-6)
    assert np.allclose(asked.mass(held), np.abs(pooled).mean(axis=0), atol=1e-6)
    assert not hooks(asked.model.module)


def test_the_last_layer_on_its_features_gives_the_logits(asked: UnitModel) -> None:
    held, last = asked.read(pictures(asked)), asked.last()
    features = asked.features(held)
    assert features is not None
    assert last is not None
    assert np.allclose(features @ last.weight.T + last.bias, held.logits, atol=1e-4)
    name, module = asked.last_module()
    assert name == "fc"
    assert np.allclose(module.get_parameter("weight").detach().numpy(), last.weight)


def steps_of(change: Change, layer: str, means: np.ndarray) -> list[Intervention]:
    """What a change is to do, said with other interventions than the code under test uses."""
    rows = list(change.parts)
    if change.how == "zero":
        return [ablate(layer, rows)]
    return [ablate(layer, rows, mean=means[rows])]


@pytest.mark.parametrize("how", ["mean", "zero"])
@pytest.mark.parametrize("parts", [(2,), (4, 0, 1)])
def test_cut_units_answer_as_the_model_with_them_ablated(asked: UnitModel, how: str, parts: tuple[int, ...]) -> None:
    means, pixels = settled(asked), pictures(asked)
    change = Change(parts=parts, how=how)
    found = asked.answer(asked.read(pixels), change)
    assert np.allclose(found, inside(asked, pixels, steps_of(change, asked.site.layer, means)), atol=1e-4)
    assert np.allclose(found, inside(asked, pixels, asked.interventions(change)), atol=1e-4)
    assert not np.allclose(found, inside(asked, pixels, []), atol=1e-3), "the cut does something"


@pytest.mark.parametrize("how", ["mean", "zero"])
def test_units_keep_a_share_of_their_difference(asked: UnitModel, how: str) -> None:
    means, pixels, parts = settled(asked), pictures(asked), [4, 0, 1]
    acts = acts_of(asked, pixels)
    held = asked.read(pixels)
    base = torch.from_numpy(means[parts] if how == "mean" else np.zeros(3)).view(1, -1, 1, 1)
    for keep in (0.25, 0.5):
        mixed = acts.clone()
        mixed[:, parts] = base + keep * (acts[:, parts] - base)
        expected = inside(asked, pixels, [put(asked.site.layer, mixed)])
        assert np.allclose(asked.answer(held, Change(parts=tuple(parts), how=how, keep=keep)), expected, atol=1e-4)
    kept = asked.answer(held, Change(parts=tuple(parts), how=how, keep=1.0))
    assert np.allclose(kept, held.logits, atol=1e-5), "with everything kept nothing changes"


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_resampled_units_get_those_of_images_of_the_data(asked: UnitModel, keep: float) -> None:
    """Never of the images that are asked about: those may all hold what the cut is to take away."""
    others, pixels, parts = pictures(asked, seed=8, count=9), pictures(asked), [4, 0, 1]
    rows = np.arange(9) % 3 > 0
    asked.settle(asked.read(others), rows)
    lent = acts_of(asked, [others[row] for row in np.flatnonzero(rows)])
    if asked.tail is None:
        # Of many images only some are kept to lend, drawn at random.
        lent = lent[np.random.default_rng([0, 91]).permutation(6)]
    chosen = np.random.default_rng([0, 89]).integers(0, 6, COUNT)
    acts = acts_of(asked, pixels)
    mixed = acts.clone()
    mixed[:, parts] = keep * acts[:, parts] + (1 - keep) * lent[chosen][:, parts]
    found = asked.answer(asked.read(pixels), Change(parts=tuple(parts), how="resample", keep=keep))
    assert np.allclose(found, inside(asked, pixels, [put(asked.site.layer, mixed)]), atol=1e-4)
    assert not np.allclose(found, inside(asked, pixels, []), atol=1e-3)


def test_one_image_alone_is_resampled_and_without_data_nobody_lends(asked: UnitModel) -> None:
    settled(asked)
    alone, change = asked.read(pictures(asked, count=1)), Change(parts=(0,), how="resample")
    assert asked.answer(alone, change).shape == (1, len(asked.classes))
    fresh = UnitModel(asked.model, asked.site.layer, {}, {})
    with pytest.raises(ModelError, match="no item of the data to lend"):
        fresh.answer(fresh.read(pictures(asked, count=2)), change)


def test_a_direction_is_taken_out_and_its_mean_left_in(asked: UnitModel) -> None:
    means, pixels = settled(asked), pictures(asked)
    direction = np.random.default_rng(4).normal(size=asked.site.units)
    held, acts = asked.read(pixels), acts_of(asked, pixels)
    unit = torch.from_numpy(direction / np.linalg.norm(direction))
    along = torch.einsum("bu...,u->b...", acts - torch.from_numpy(means).view(1, -1, 1, 1), unit)
    literal = acts - along[:, None] * unit.view(1, -1, 1, 1)
    expected = inside(asked, pixels, [put(asked.site.layer, literal)])
    for length in (1.0, 250.0):
        found = asked.answer(held, Change(direction=length * direction))
        assert np.allclose(found, expected, atol=2e-4), "however long the direction is"
    assert not np.allclose(expected, held.logits, atol=1e-3)
    # Along the direction an image now has what the mean of all had.
    both = Change(direction=direction, parts=(1, 2))
    assert np.allclose(asked.answer(held, both), inside(asked, pixels, asked.interventions(both)), atol=2e-4), (
        "and after a cut"
    )


def test_a_new_last_layer_is_what_answers(asked: UnitModel) -> None:
    held, last = asked.read(pictures(asked)), asked.last()
    assert last is not None
    generator = np.random.default_rng(2)
    new = LastLayer(generator.normal(size=last.weight.shape), generator.normal(size=last.bias.shape))
    features = asked.features(held)
    assert features is not None
    assert np.allclose(asked.answer(held, Change(last=new)), features @ new.weight.T + new.bias)
    assert np.allclose(asked.answer(held, Change(last=last)), held.logits, atol=1e-4)
    cut = Change(parts=(1,), how="zero", last=new)
    if asked.tail is None:
        with pytest.raises(ModelError, match="along with cuts"):
            asked.answer(held, cut)
    else:
        silent = features.copy()
        silent[:, 1] = 0.0
        assert np.allclose(asked.answer(held, cut), silent @ new.weight.T + new.bias)


def margins(logits: np.ndarray, truth: np.ndarray, target: int) -> np.ndarray:
    """The target's logit over the true class's."""
    return logits[:, target] - logits[np.arange(len(truth)), truth]


def slightly_changed(pixels: list[np.ndarray], by: int) -> list[np.ndarray]:
    """Each image with one quarter brighter."""
    changed = [image.copy() for image in pixels]
    for image in changed:
        half = len(image) // 2
        image[:half, :half] = np.minimum(image[:half, :half].astype(int) + by, 255).astype(np.uint8)
    return changed


def test_what_units_carry_sums_to_the_growth_of_the_margin(asked: UnitModel) -> None:
    """To the last digits where the tail is linear; elsewhere the better the smaller the change."""
    pixels, truth, target = pictures(asked), np.arange(COUNT) % 2, 3
    before = asked.read(pixels)
    errors = []
    for by in (1, 4, 60):
        after = asked.read(slightly_changed(pixels, by))
        grown = margins(after.logits, truth, target) - margins(before.logits, truth, target)
        assert np.abs(grown).max() > 1e-5
        carried = asked.carried(before, after, truth, target)
        assert carried.shape == (asked.site.units,)
        errors.append(abs(carried.sum() - grown.mean()) / np.abs(grown).mean())
    if asked.tail is not None:
        assert max(errors) < (1e-4 if asked.model.dtype == torch.float32 else 1e-9)
    else:
        assert errors[0] < 0.05
        assert errors[0] < errors[2]


def test_what_one_unit_carries_is_what_moving_it_alone_does() -> None:
    """With a linear tail: put one unit's values of after into before."""
    asked = ASKED["last of the deep"]()
    pixels, truth = pictures(asked), np.arange(COUNT) % 2
    changed = pictures(asked, seed=5)
    carried = asked.carried(asked.read(pixels), asked.read(changed), truth, 3)
    later, plain = acts_of(asked, changed), inside(asked, pixels, [])
    for unit in range(asked.site.units):
        moved = inside(asked, pixels, [put(asked.site.layer, later, [unit])])
        grown = (margins(moved, truth, 3) - margins(plain, truth, 3)).mean()
        assert carried[unit] == pytest.approx(grown, abs=1e-6)


def test_where_the_tail_is_not_linear_gradients_are_those_of_small_steps() -> None:
    """What a unit carries is the slope after the change times what changed at each place."""
    asked = ASKED["deep"]()
    pixels, truth, target = pictures(asked, count=3), np.array([0, 1, 2]), 3
    changed = slightly_changed(pixels, 60)
    carried = asked.carried(asked.read(pixels), asked.read(changed), truth, target)
    later, step = acts_of(asked, changed), 1e-5
    grown = later - acts_of(asked, pixels)
    for unit in range(asked.site.units):
        away = torch.zeros_like(later)
        away[:, unit] = grown[:, unit]
        ends = [
            margins(inside(asked, changed, [put(asked.site.layer, later + sign * step * away)]), truth, target)
            for sign in (1, -1)
        ]
        assert carried[unit] == pytest.approx(((ends[0] - ends[1]) / (2 * step)).mean(), abs=1e-5)


def test_what_units_say_for_a_class_sums_to_its_logit_over_the_mean(asked: UnitModel) -> None:
    """On the class's own images; with a linear tail, but for the bias."""
    held, truth = asked.read(pictures(asked)), np.array([0, 0, 0, 1, 1, 2, 2])
    found = asked.speaks(held, truth, 1)
    assert found.shape == (asked.site.units,)
    if asked.tail is not None:
        last = asked.last()
        assert last is not None
        own = (held.logits - last.bias)[3:5]
        assert found.sum() == pytest.approx((own[:, 1] - own.mean(axis=1)).mean(), abs=1e-4)
    absent = asked.speaks(held, truth, 3)
    everywhere = asked.speaks(held, np.full(COUNT, 3), 3)
    assert np.allclose(absent, everywhere), "of a class without an image, all images are asked"
    assert not np.allclose(found, absent)


def test_some_of_what_was_read_answers_as_if_read_alone(asked: UnitModel) -> None:
    settled(asked)
    pixels, rows = pictures(asked), np.array([5, 0, 3])
    some = asked.take(asked.read(pixels), rows)
    alone = asked.read([pixels[row] for row in rows])
    for change in (Change(), Change(parts=(1, 2)), Change(direction=np.arange(asked.site.units) + 1.0)):
        assert np.allclose(asked.answer(some, change), asked.answer(alone, change), atol=1e-5)
    assert np.allclose(asked.values(some), asked.values(alone), atol=1e-6)


def test_images_asked_by_turns_do_not_get_each_others_answers(asked: UnitModel) -> None:
    """Whatever is kept between calls belongs to the images that it was made of."""
    settled(asked)
    sets = [pictures(asked, seed=seed, count=count) for seed, count in ((0, COUNT), (5, COUNT), (6, 2))]
    held = [asked.read(pixels) for pixels in sets]
    for change in (Change(parts=(1,)), Change(parts=(2, 3), how="zero"), Change(parts=(1,), keep=0.5)):
        steps = asked.interventions(change)
        for pixels, own in zip(sets, held, strict=True):
            assert np.allclose(asked.answer(own, change), inside(asked, pixels, steps), atol=1e-4)


def test_means_can_be_given(asked: UnitModel) -> None:
    means = np.random.default_rng(1).random(asked.site.units)
    asked.centre(means)
    assert np.array_equal(asked.means, means)
    pixels = pictures(asked)
    expected = inside(asked, pixels, [ablate(asked.site.layer, [3, 1], mean=means[[3, 1]])])
    assert np.allclose(asked.answer(asked.read(pixels), Change(parts=(3, 1))), expected, atol=1e-4)


def test_no_image_gives_empty_answers(asked: UnitModel) -> None:
    held = asked.read([])
    assert len(held) == 0
    assert asked.answer(held, Change(parts=(1,))).shape == (0, len(asked.classes))
    assert asked.values(held).shape == (0, asked.site.units)


def test_numbers_that_are_none_are_said() -> None:
    model = deep()
    with torch.no_grad():
        model.module.get_parameter("fc.bias")[0] = float("nan")
    asked = UnitModel(replace(model, spec="broken"), "conv1", {}, {})
    with pytest.raises(ModelError, match="broken gives NaN"):
        asked.read(pictures(asked))
