"""A small network for the planted world at 64 pixels: 64 channels at 8 x 8 before the pool, a linear classifier."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from microtome.models.model import Model, wrap
from microtome.models.scenes import BasicBlock
from microtome.zoo.scenes_card import MEAN, STD

SIZE = 64


class SmallScenes(nn.Module):
    """`ScenesNet` at half the width.

    Parameters
    ----------
    classes:
        Number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = BasicBlock(16, 24, stride=2)
        self.layer2 = BasicBlock(24, 32, stride=1)
        self.layer3 = BasicBlock(32, 48, stride=2)
        self.layer4 = BasicBlock(48, 64, stride=1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def wrapped(net: nn.Module, classes: Sequence[str], spec: str) -> Model:
    """The network as a Model."""
    return wrap(net.eval(), size=SIZE, mean=tuple(MEAN), std=tuple(STD), classes=classes, device="cpu", spec=spec)
