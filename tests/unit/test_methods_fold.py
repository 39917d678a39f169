"""Folding a change of units into the weights that read them: the same answers, or none at all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import Intervention, ablate, add, clamp, project, replace, resample, scale
from microtome.core.site import Site
from microtome.methods.edit.fold import affine_of, fold, with_weights
from microtome.models.intervene import apply, intervene
from microtome.models.load import load
from microtome.models.model import Model, wrap
from tests.support.networks import hooks, seeded

UNITS = [7, 0, 60, 101]
GENERATOR = np.random.default_rng(0)
MEANS, DIRECTION = GENERATOR.random(4), GENERATOR.normal(size=128)


@pytest.fixture(scope="module")
def scenes() -> Model:
    return load("world:scenes", device="cpu")


def pictures(model: Model, count: int = 5) -> Tensor:
    """Random images of blocks, prepared for the model."""
    size = model.preprocess.height
    blocks = np.random.default_rng(5).integers(0, 256, size=(count, 4, 4, 3), dtype=np.uint8)
    return model.preprocess(blocks.repeat(size // 4, 1).repeat(size // 4, 2))


def changed_by(model: Model, steps: list[Intervention], x: Tensor) -> Tensor:
    """Logits with the interventions."""
    with intervene(model, steps):
        return model.logits(x)


CHANGES: dict[str, list[Intervention]] = {
    "ablate": [ablate("layer4", UNITS)],
    "mean": [ablate("layer4", UNITS, mean=MEANS)],
    "scale": [scale("layer4", [0.5, 2.0, 0.0, -1.0], UNITS)],
    "keep some": [scale("layer4", 0.3, UNITS), add("layer4", 0.7 * MEANS, UNITS)],
    "project": [project("layer4", DIRECTION)],
    "project, mean left": [project("layer4", DIRECTION), add("layer4", 0.8 * DIRECTION)],
    "an order that matters": [project("layer4", DIRECTION), scale("layer4", [0.2, 3.0, 0.0, 1.5], UNITS)],
    "some units": [project("layer4", DIRECTION[:4], UNITS), scale("layer4", 0.9)],
}


@pytest.mark.parametrize("which", CHANGES)
def test_folded_into_the_classifier_it_answers_as_the_changed_model_does(scenes: Model, which: str) -> None:
    x, steps = pictures(scenes), CHANGES[which]
    plain, wanted = scenes.logits(x), changed_by(scenes, steps, x)
    assert not torch.allclose(plain, wanted, atol=1e-2), "the change does something"
    folded = fold(scenes, steps)
    assert folded is not None
    assert set(folded) <= {"fc.weight", "fc.bias"}
    assert {name: (value.shape, value.dtype) for name, value in folded.items()} == {
        name: (scenes.module.state_dict()[name].shape, torch.float32) for name in folded
    }
    twin = with_weights(scenes, folded)
    assert torch.allclose(twin.logits(x), wanted, atol=1e-4)
    assert torch.equal(scenes.logits(x), plain), "the model itself stays as it was"
    assert not hooks(scenes.module)
    assert not hooks(twin.module)


@pytest.mark.parametrize("which", CHANGES)
def test_gain_and_shift_are_the_change_written_as_a_matrix(which: str) -> None:
    site = Site("layer4", 1, (128, 2, 3), 128)
    gain, shift = affine_of(CHANGES[which], site)
    acts = torch.randn(3, 128, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = acts
    for step in CHANGES[which]:
        expected = apply(step, expected, site)
    found = torch.einsum("ij,bjhw->bihw", gain, acts) + shift.view(1, -1, 1, 1)
    assert torch.allclose(found, expected, atol=1e-12)
    assert gain.dtype == torch.float64
    assert not torch.allclose(found, acts, atol=1e-3)


@pytest.mark.parametrize(
    "step",
    [
        clamp("layer4", [1], high=0.1),
        replace("layer4", 0.0, [1]),
        resample("layer4", [1], seed=0),
        ablate("layer4", [1], positions=np.ones((12, 12), bool)),
        ablate("layer4", [1], side="input"),
    ],
)
def test_what_is_no_matrix_on_the_units_is_refused(scenes: Model, step: Intervention) -> None:
    with pytest.raises(ModelError, match="no matrix on its units"):
        fold(scenes, [ablate("layer4", [0]), step])


def test_one_layer_at_a_time(scenes: Model) -> None:
    with pytest.raises(ModelError, match="2 layers cannot be folded"):
        fold(scenes, [ablate("layer4", [0]), ablate("layer3", [0])])
    with pytest.raises(ModelError, match="0 layers cannot be folded"):
        fold(scenes, [])
    with pytest.raises(ModelError, match="no unit 500"):
        fold(scenes, [ablate("layer4", [500])])
    with pytest.raises(ModelError, match="no layer"):
        fold(scenes, [ablate("layer9", [0])])


@pytest.mark.parametrize("layer", ["layer3.0", "layer2", "layer1.0.relu2"])
def test_a_layer_that_a_shortcut_reads_too_cannot_be_folded(scenes: Model, layer: str) -> None:
    """A block's output goes into the next block's convolution and past it."""
    x, steps = pictures(scenes), [scale(layer, 0.2)]
    assert not torch.allclose(changed_by(scenes, steps, x), scenes.logits(x), atol=1e-2)
    assert fold(scenes, steps) is None


def test_inside_a_block_the_next_convolution_is_the_only_reader(scenes: Model) -> None:
    """It pads, so a gain folds and a shift does not."""
    x, layer = pictures(scenes), "layer3.1.relu1"
    folded = fold(scenes, [scale(layer, 0.2, [3, 4]), ablate(layer, [9])])
    assert folded is not None
    assert set(folded) == {"layer3.1.conv2.weight"}
    wanted = changed_by(scenes, [scale(layer, 0.2, [3, 4]), ablate(layer, [9])], x)
    assert torch.allclose(with_weights(scenes, folded).logits(x), wanted, atol=1e-4)
    assert fold(scenes, [ablate(layer, [9], mean=0.4)]) is None


class Reader(nn.Module):
    """conv - relu - conv (with a bias and padding, or without) - relu - pool - fc."""

    padding = 0
    bias = True

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(4, 5, 3, padding=self.padding, bias=self.bias)
        self.end = nn.ReLU()
        self.fc = nn.Linear(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.end(self.conv2(self.relu(self.conv1(x)))).mean((2, 3)))


class Padded(Reader):
    """The second convolution pads with zeros, which no shift reaches."""

    padding = 1


class Bare(Reader):
    """The second convolution has no bias to hold a shift."""

    bias = False


SHIFTED = [ablate("relu", [1, 2], mean=[0.5, 1.5])]
SCALED = [scale("relu", [0.5, 0.0], [1, 2]), project("relu", [1.0, -2.0, 0.5, 3.0])]


@pytest.mark.parametrize(
    ("kind", "steps", "expected"),
    [
        (Reader, SHIFTED, {"conv2.weight", "conv2.bias"}),
        (Reader, SCALED, {"conv2.weight", "conv2.bias"}),
        (Padded, SHIFTED, None),
        (Padded, SCALED, {"conv2.weight", "conv2.bias"}),
        (Bare, SHIFTED, None),
        (Bare, SCALED, {"conv2.weight"}),
    ],
)
def test_a_convolution_holds_a_shift_only_with_a_bias_and_without_padding(
    kind: type[Reader], steps: list[Intervention], expected: set[str] | None
) -> None:
    model = wrap(seeded(kind), size=8)
    x = pictures(model)
    wanted = changed_by(model, steps, x)
    assert not torch.allclose(wanted, model.logits(x), atol=1e-3)
    folded = fold(model, steps)
    assert (folded if folded is None else set(folded)) == expected
    if folded is not None:
        assert torch.allclose(with_weights(model, folded).logits(x), wanted, atol=1e-5)


def test_a_rectifier_in_between_stops_a_direction_but_not_a_factor() -> None:
    """relu(c a) = c relu(a) for c > 0 alone."""
    model = wrap(seeded(Reader), size=8)
    folded = fold(model, [scale("conv1", [0.5, 3.0], [1, 2])])
    assert folded is not None
    assert set(folded) == {"conv2.weight", "conv2.bias"}
    assert fold(model, [scale("conv1", -1.0, [1])]) is None
    assert fold(model, [project("conv1", [1.0, -2.0, 0.5, 3.0])]) is None


class Two(nn.Module):
    """Two convolutions read one layer, whose unit 2 is silent on noise and loud on a bright red image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU()
        self.left = nn.Conv2d(4, 5, 1)
        self.right = nn.Conv2d(4, 5, 1)
        self.fc = nn.Linear(5, 3)
        with torch.no_grad():
            self.conv.weight[2] = torch.tensor([10.0, 0.0, 0.0]).view(3, 1, 1)
            self.conv.bias[2] = -80.0

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv(x))
        return self.fc((self.left(x) + self.right(x)).mean((2, 3)))


def test_a_unit_that_noise_leaves_silent_is_not_folded_into_the_first_of_two_readers() -> None:
    model = wrap(seeded(Two), size=8, std=(0.1, 0.1, 0.1))
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 255
    x = model.preprocess(red)
    noise = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    cut = [ablate("relu", [2])]
    assert torch.equal(changed_by(model, cut, noise), model.logits(noise)), "noise does not show the change"
    assert not torch.allclose(changed_by(model, cut, x), model.logits(x), atol=0.1)
    assert fold(model, cut) is None
    assert fold(model, [ablate("relu", [1])]) is None


def test_in_double_precision_the_answers_agree_to_double_precision() -> None:
    model = wrap(seeded(Reader).double(), size=8)
    x = pictures(model)
    folded = fold(model, SHIFTED)
    assert folded is not None
    assert torch.allclose(
        with_weights(model, folded).logits(x).double(), changed_by(model, SHIFTED, x).double(), atol=1e-9
    )
    assert folded["conv2.weight"].dtype == torch.float64
