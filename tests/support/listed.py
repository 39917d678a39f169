"""Small data sets that lie in memory, with several planes, void, whole-image concepts and classes; a small model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from microtome.core.concept import Concept
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.models.model import Model, wrap

CONCEPTS = (
    Concept("water", "object"),
    Concept("blue", "color"),
    Concept("river", "object"),
    Concept("sky", "object"),
    Concept("red", "color"),
    Concept("coast", "scene"),
)


class Listed(ImageData):
    """The images it is given."""

    def __init__(
        self,
        images: Sequence[LabelledImage],
        concepts: tuple[Concept, ...] = CONCEPTS,
        *,
        classes: tuple[str, ...] = (),
        name: str = "listed",
    ) -> None:
        self.images = tuple(images)
        self.concepts, self.classes = concepts, classes
        self.card = DataCard(name, "listed", "a test")

    def __len__(self) -> int:
        return len(self.images)

    def key(self, index: int) -> str:
        return self.images[index].key

    def read(self, index: int) -> LabelledImage:
        return self.images[index]

    def fingerprint(self) -> str:
        return hash_of([(i.key, i.pixels.tobytes(), i.planes.tobytes(), i.whole, i.label) for i in self.images])


def random_images(
    count: int, *, seed: int = 0, size: tuple[int, int] = (24, 20), concepts: int = len(CONCEPTS)
) -> list[LabelledImage]:
    """Pixels and labels drawn in blocks of cells, so that concepts have shapes; every third image has void."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(count):
        planes = generator.integers(0, concepts + 1, size=(2, size[0] // 4, size[1] // 4)).repeat(2, 1).repeat(2, 2)
        void = generator.random((size[0] // 4, size[1] // 4)) < 0.3
        pixels = generator.integers(0, 256, size=(size[0] // 4, size[1] // 4, 3)).repeat(4, 0).repeat(4, 1)
        whole = (concepts - 1,) if index % 2 else ()
        made.append(
            LabelledImage(
                f"image {index}",
                pixels.astype(np.uint8),
                planes.astype(np.int32),
                whole=whole,
                void=void.repeat(2, 0).repeat(2, 1) if index % 3 == 0 else None,
                label=index % 3,
            )
        )
    return made


class Slices(nn.Module):
    """conv - relu - conv - relu: 5 units on an 8 x 8 map of a 16 x 16 input; then one output a class."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, stride=2)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv2(torch.tanh(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def small_model(*, seed: int = 0, size: int = 16, classes: tuple[str, ...] = ()) -> Model:
    """`Slices` with weights from the seed; its layer `relu` has maps."""
    torch.manual_seed(seed)
    return wrap(Slices(), size=size, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), classes=classes, device="cpu")
