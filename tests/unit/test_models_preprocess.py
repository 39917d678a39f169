"""Preprocessing: geometry, range, normalisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from microtome.core.errors import DataError, OptionError
from microtome.models.preprocess import Preprocess, channel_values, resized

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_an_image_of_the_right_size_is_only_normalised() -> None:
    image = noise(6, 5)
    x = Preprocess((6, 5), MEAN, STD)(image)
    expected = (image / 255 - MEAN) / STD
    assert x.shape == (1, 3, 6, 5)
    assert x.dtype == torch.float32
    assert np.allclose(x[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_the_scale_is_the_models_own() -> None:
    x = Preprocess(4, scale=1.0)(np.full((4, 4, 3), 200, np.uint8))
    assert (x == 200).all()


def test_by_default_nothing_of_the_image_is_cut_off() -> None:
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, :10, 0] = 255
    image[:, -10:, 1] = 255
    pre = Preprocess(20, crop="center", resize_short=20)
    whole, cropped = pre(image)[0], pre(image, crop=True)[0]
    assert whole[0, :, 0].min() > 0.9
    assert whole[1, :, -1].min() > 0.9
    assert cropped[:2].max() == 0, "control: the model's own crop loses both edges"


def test_the_crop_is_that_of_torchvision() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    pre = Preprocess(21, MEAN, STD, crop="center", resize_short=32)
    theirs = transforms.Compose(
        [
            transforms.Resize(32),
            transforms.CenterCrop(21),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    for height, width in [(48, 64), (64, 47), (33, 32), (100, 37)]:
        image = noise(height, width)
        assert torch.allclose(pre(image, crop=True)[0], theirs(Image.fromarray(image)), atol=1e-5)


def test_many_images_of_any_size_make_one_batch() -> None:
    pre = Preprocess(8)
    several = pre([noise(9, 5), noise(30, 20, 1)])
    assert several.shape == (2, 3, 8, 8)
    assert torch.equal(several[1:], pre(noise(30, 20, 1)))
    stack = np.stack([noise(9, 9), noise(9, 9, 1)])
    assert torch.equal(pre(stack), pre(list(stack)))
    assert pre([]).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(DataError, match="RGB bytes"):
        Preprocess(4)(image)


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0},
        {"size": 4, "std": (1.0, 0.0, 1.0)},
        {"size": 4, "mean": (float("nan"), 0.0, 0.0)},
        {"size": 4, "crop": "center"},
        {"size": 8, "crop": "center", "resize_short": 7},
    ],
)
def test_impossible_settings_are_refused(fields) -> None:
    with pytest.raises(OptionError):
        Preprocess(**fields)


def test_another_size_keeps_the_proportion_of_the_crop() -> None:
    pre = resized(Preprocess(224, crop="center", resize_short=256), 112)
    assert (pre.size, pre.resize_short, pre.crop) == (112, 128, "center")
    assert resized(Preprocess(224), 64).size == 64


def test_channel_values() -> None:
    assert channel_values("0.1, 0.2,0.3", "--mean") == (0.1, 0.2, 0.3)
    assert channel_values("0.5", "--mean") == (0.5, 0.5, 0.5)
    for text in ("", "1,2", "a,b,c", "1,2,3,4"):
        with pytest.raises(OptionError, match="--std"):
            channel_values(text, "--std")
