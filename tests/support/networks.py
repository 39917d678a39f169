"""Small networks for tests, and a count of all hooks on a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TwiceRelu(nn.Module):
    """conv1 - relu - conv2 - relu (the same, in place) - pool - fc. Counts the calls of its last layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1)
        self.fc = Counting(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        return self.fc(x.mean((2, 3)))


class Counting(nn.Linear):
    """A linear layer that counts its calls."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input)


class TupleOutput(nn.Module):
    """Returns (activations, extra)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, str]:
        return self.conv(x), "extra"


class OverTuple(nn.Module):
    """A network with a layer that returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = TupleOutput()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps, extra = self.pair(x)
        assert extra == "extra"
        return self.fc(maps.mean((2, 3)))


class Crashing(nn.Module):
    """Fails after its first layer when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.fc = nn.Linear(4, 3)
        self.crash = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.crash:
            raise RuntimeError("the network broke")
        return self.fc(x.mean((2, 3)))


def seeded(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network of that class with weights from the seed."""
    torch.manual_seed(seed)
    return kind().eval()


def images(batch: int = 4, size: int = 8, seed: int = 1) -> Tensor:
    """Noise images [batch 3 size size]."""
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def hooks(module: nn.Module) -> int:
    """How many hooks of any kind are on the module, its submodules and its parameters."""
    names = [name for name in vars(nn.Module()) if "hook" in name]
    assert "_forward_hooks" in names
    on_modules = sum(
        len(value) for part in module.modules() for name in names if hasattr(value := getattr(part, name), "__len__")
    )
    return on_modules + sum(len(parameter._backward_hooks or ()) for parameter in module.parameters())
