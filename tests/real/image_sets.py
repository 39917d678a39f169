"""Image sets of ../shared/data that no reader of ours covers, as a user would add them: a small subclass each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from microtome.core.concept import Concept, unique_concepts
from microtome.data.base import DataCard, ImageData, LabelledImage, hash_of
from microtome.data.geometry import label_grid
from tests.real.groups import GROUPS, members

GROUP, TEXTURE, CLASS = "group", "texture", "class"


class GroupsAndTextures(ImageData):
    """One ImageNet picture a class with its coarse group, and texture pictures with their class, as whole images.

    Pictures of ImageNet label no texture and texture pictures no group: there the other category counts as absent.
    `classes` are ImageNet's, so that a network's answers can be judged; texture pictures have none.

    Parameters
    ----------
    samples:
        Folder with index.json and images/, a picture a class.
    textures:
        Folder with a sub-folder a class.
    """

    def __init__(self, samples: Path, textures: Path) -> None:
        index = json.loads((samples / "index.json").read_text(encoding="utf-8"))
        self.classes = imagenet_classes(samples)
        kinds = sorted(path.name for path in textures.iterdir() if path.is_dir())
        self.concepts = unique_concepts([*((group, GROUP) for group in GROUPS), *((kind, TEXTURE) for kind in kinds)])
        names = [entry["name"] for entry in index]
        group_of = {klass: number for number, group in enumerate(GROUPS) for klass in members(group, names)}
        self._files: list[tuple[str, Path, int | None, int | None]] = [
            (f"imagenet/{Path(entry['file']).name}", samples / entry["file"], group_of.get(klass), klass)
            for klass, entry in enumerate(index)
        ]
        for number, kind in enumerate(kinds, start=len(GROUPS)):
            for path in sorted((textures / kind).glob("*.jpg")):
                self._files.append((f"textures/{kind}/{path.name}", path, number, None))
        self._samples = len(index)
        loose = sum(concept is None for _, _, concept, _ in self._files)
        self.card = DataCard(
            name="ImageNet samples and textures", reader="groups and textures", source="imagenet_samples, textures",
            notes=(
                f"Pictures of textures label no group and pictures of ImageNet no texture; {loose} of ImageNet's "
                "classes belong to no group. Images that a category does not label count as without its concepts.",
                "ImageNet's pictures are of its training set: they show what units look for, not how well the "
                "network does on new pictures.",
            ),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._files)

    def key(self, index: int) -> str:
        return self._files[index][0]

    def labels(self, index: int) -> frozenset[str]:
        return frozenset({GROUP if index < self._samples else TEXTURE})

    def read(self, index: int) -> LabelledImage:
        key, path, concept, label = self._files[index]
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        planes = np.zeros((0, *label_grid(*pixels.shape[:2])), np.int32)
        return LabelledImage(key, pixels, planes, whole=() if concept is None else (concept,), label=label)

    def fingerprint(self) -> str:
        sizes = [(key, path.stat().st_size, concept) for key, path, concept, _ in self._files]
        return hash_of(["groups and textures", self.concepts, *sizes])


class ImageNetSamples(ImageData):
    """One ImageNet picture a class, without concepts: what an audit pastes into.

    Parameters
    ----------
    samples:
        Folder with index.json and images/.
    classes:
        Only pictures of these classes, as indices; None: of all.
    """

    def __init__(self, samples: Path, classes: Sequence[int] | None = None) -> None:
        index = json.loads((samples / "index.json").read_text(encoding="utf-8"))
        self.classes = imagenet_classes(samples)
        self.concepts = ()
        chosen = range(len(index)) if classes is None else classes
        self._files = [(klass, samples / index[klass]["file"]) for klass in chosen]
        self.card = DataCard(
            name="ImageNet samples", reader="ImageNet samples", source="imagenet_samples",
            notes=(
                "ImageNet's pictures are of its training set, one a class: accuracy on them is not that on new "
                "pictures.",
            ),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._files)

    def key(self, index: int) -> str:
        return self._files[index][1].name

    def read(self, index: int) -> LabelledImage:
        klass, path = self._files[index]
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        return LabelledImage(path.name, pixels, np.zeros((0, *label_grid(*pixels.shape[:2])), np.int32), label=klass)

    def fingerprint(self) -> str:
        return hash_of(["imagenet samples", *((klass, path.name, path.stat().st_size) for klass, path in self._files)])


class Cifar(ImageData):
    """CIFAR-10 test pictures, one a row of a lossless picture; the class holds of the whole image.

    Parameters
    ----------
    root:
        Folder with images.png and labels.json.
    """

    def __init__(self, root: Path) -> None:
        content = json.loads((root / "labels.json").read_text(encoding="utf-8"))
        self.classes = tuple(content["classes"])
        self.concepts = tuple(Concept(name, CLASS) for name in self.classes)
        self._labels = [int(label) for label in content["labels"]]
        with Image.open(root / "images.png") as picture:
            self._pixels = np.asarray(picture.convert("RGB")).reshape(len(self._labels), 32, 32, 3)
        self.card = DataCard(name="CIFAR-10, 1,000 test images", reader="CIFAR rows", source="cifar10_test1000")

    def __len__(self) -> int:
        return len(self._labels)

    def key(self, index: int) -> str:
        return f"{index:04d}"

    def read(self, index: int) -> LabelledImage:
        label = self._labels[index]
        none = np.zeros((0, 32, 32), np.int32)
        return LabelledImage(self.key(index), self._pixels[index], none, whole=(label,), label=label)

    def fingerprint(self) -> str:
        return hash_of(["cifar rows", self.classes, self._labels, self._pixels.tobytes()])


def imagenet_classes(samples: Path) -> tuple[str, ...]:
    """Names of ImageNet's classes by index: the first synonym, with the index where several classes share it."""
    index = json.loads((samples / "index.json").read_text(encoding="utf-8"))
    first = [entry["name"].split(",")[0] for entry in index]
    shared = Counter(name.casefold() for name in first)
    return tuple(name if shared[name.casefold()] == 1 else f"{name} ({i})" for i, name in enumerate(first))
