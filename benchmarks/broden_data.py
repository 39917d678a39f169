"""The Broden-like set as an image set, and a model that answers image i with maps made beforehand.

The image number is written in the pixels' colour, so the model finds its maps without looking anything else up.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.broden_like import Shape, image_planes, names
from microtome.core.concept import Concept
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of

SIDE = 8


class BrodenLike(ImageData):
    """Images of one colour with the label planes of `broden_like`."""

    def __init__(self, shape: Shape, *, seed: int = 0) -> None:
        self.shape, self.seed = shape, seed
        self.card = DataCard("Broden-like", "benchmark", f"seed {seed}")
        self.concepts = tuple(Concept(name, category) for name, category in names(shape))

    def __len__(self) -> int:
        return self.shape.images

    def key(self, index: int) -> str:
        return f"{index:06d}"

    def read(self, index: int) -> LabelledImage:
        planes = image_planes(self.shape, np.random.default_rng([self.seed, index]))
        colour = np.array([index // 65536, index // 256 % 256, index % 256], np.uint8)
        return LabelledImage(self.key(index), np.broadcast_to(colour, (SIDE, SIDE, 3)).copy(), planes)

    def fingerprint(self) -> str:
        return hash_of([self.shape, self.seed])


class KnownMaps(nn.Module):
    """Returns the maps of the images whose numbers are in the pixels.

    Parameters
    ----------
    maps:
        float16 [image, unit, h, w].
    """

    def __init__(self, maps: np.ndarray) -> None:
        super().__init__()
        self.maps = torch.from_numpy(maps)
        self.last = nn.Identity()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        colour = (x[:, :, 0, 0] * 255).round().long()
        number = colour[:, 0] * 65536 + colour[:, 1] * 256 + colour[:, 2]
        return self.last(self.maps[number].float()).mean(dim=(2, 3))
