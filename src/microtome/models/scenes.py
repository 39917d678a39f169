"""The shipped model: a small residual network that tells the planted scenes apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from microtome.core.errors import ModelError

_WEIGHTS = "scenes.safetensors"
_CARD = "scenes.json"


@dataclass(frozen=True)
class ScenesCard:
    """What is to be known of the shipped weights; the JSON file beside them holds more (`scenes_card_text`).

    Attributes
    ----------
    world_version:
        `WORLD_VERSION` of the images that it was trained on.
    size, mean, std:
        Preprocessing: pixels high and wide; subtracted from and dividing pixels scaled to 0..1, per channel.
    classes:
        Names of the outputs, in order.
    accuracy:
        Fraction right on each split (`heldout`, `shift` ...).
    """

    world_version: int
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...]
    accuracy: dict[str, float]


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity (or a 1 x 1 convolution where the shape changes).

    Parameters
    ----------
    channels_in, channels_out:
        Widths.
    stride:
        1 keeps the map's size, 2 halves it.

    Source: He et al. 2015, Deep residual learning for image recognition, figure 2. The two rectifiers are
    modules of their own, so that each of them can be named as a layer.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.relu2 = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels_out height_out width_out"]:
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu2(out + self.downsample(x))


class ScenesNet(nn.Module):
    """A residual network with torchvision's layer names and few, wide-awake units.

    For 96 x 96 images: `layer1` 32 channels at 24 x 24, `layer2` 64 at 24 x 24, `layer3` 96 and `layer4` 128
    at 12 x 12: `layer4` keeps its resolution, so that small objects are not blurred into their surroundings.

    Parameters
    ----------
    classes:
        Number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(32, 32, stride=1))
        self.layer2 = nn.Sequential(BasicBlock(32, 64, stride=1))
        self.layer3 = nn.Sequential(BasicBlock(64, 96, stride=2), BasicBlock(96, 96, stride=1))
        self.layer4 = nn.Sequential(BasicBlock(96, 128, stride=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(128, classes)

    def forward(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def load_scenes() -> nn.Module:
    """The shipped network with its trained weights, in float32 and evaluation mode.

    Raises
    ------
    ModelError
        If the package's weights are missing or do not fit.
    """
    card = scenes_card()
    try:
        state = load(_package_file(_WEIGHTS))
        net = ScenesNet(len(card.classes))
        net.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except (RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The shipped weights {_WEIGHTS} do not fit the network: {error}",
            next_step="install microtome again, or train them with `python -m microtome.zoo.train_scenes`",
        ) from error
    return net.eval()


def scenes_card() -> ScenesCard:
    """The card of the shipped weights. Raises ModelError if it is missing or damaged."""
    try:
        card = json.loads(scenes_card_text())
        mean, std = card["preprocessing"]["mean"], card["preprocessing"]["std"]
        return ScenesCard(
            world_version=card["world_version"],
            size=card["preprocessing"]["size"],
            mean=(mean[0], mean[1], mean[2]),
            std=(std[0], std[1], std[2]),
            classes=tuple(card["classes"]),
            accuracy=dict(card["accuracy"]),
        )
    except (ValueError, KeyError, IndexError) as error:
        raise ModelError(
            f"The card {_CARD} of the shipped weights is damaged: {error!r}.",
            next_step="install microtome again, or train them with `python -m microtome.zoo.train_scenes`",
        ) from error


def scenes_card_text() -> str:
    """The whole card as JSON: training settings, accuracy on every split, what each shortcut does to it."""
    return _package_file(_CARD).decode()


def _package_file(name: str) -> bytes:
    file = resources.files("microtome.models").joinpath("weights", name)
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            f"The package has no file models/weights/{name}.",
            next_step="install microtome again, or train it with `python -m microtome.zoo.train_scenes`",
        ) from error
