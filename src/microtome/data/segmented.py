"""Predicted pixel concepts: the classes of a semantic-segmentation model of transformers."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from microtome.core.concept import unique_concepts
from microtome.core.errors import DataError, ModelError, OptionError
from microtome.data.base import ImageData, LabelledImage, hash_of
from microtome.data.geometry import cell_centres, label_grid
from microtome.data.labels import EMPTY_NAMES

SEGMENT = "segment"

CACHE_BYTES = 256 * 2**20
"""Compressed predictions kept in memory, since a run reads its images more than once."""


class Segmented(ImageData):
    """An image set with the classes that a model predicts for each pixel added as the category `segment`.

    The category is marked *predicted* on the card: nobody annotated it. Predictions are made on a grid of at
    most 512 cells a side and laid on the label grid by cell centre.

    Parameters
    ----------
    data:
        The image set.
    model:
        `hf:NAME`, a hub name or a local folder, of any model of transformers for semantic (SegFormer,
        UPerNet, BEiT, DPT ...) or universal (Mask2Former ...) segmentation.
    device:
        Where the model runs, such as `cpu` or `cuda`.

    Raises
    ------
    ModelError
        When the model cannot be loaded.
    """

    def __init__(self, data: ImageData, model: str, *, device: str = "cpu") -> None:
        self._data = data
        self._device = device
        name = model.removeprefix("hf:")
        if not name or name == model:
            raise OptionError(f"The segmenter '{model}' is unknown.", expected="hf:NAME, a hub name or a local folder")
        self._processor, self._model = _load(name, device)
        self._model_name = name
        self._value_of, names = _values(self._model.config.id2label, first=len(data.concepts) + 1)
        pairs = [(concept.name, concept.category) for concept in data.concepts]
        self.concepts = unique_concepts([*pairs, *((name, SEGMENT) for name in names)])
        self.classes = data.classes
        note = f"The category {SEGMENT} is predicted by {name}; nobody annotated it."
        card = data.card
        self.card = replace(card, notes=(*card.notes, note), predicted=card.predicted | {SEGMENT})
        self._cache: dict[int, tuple[tuple[int, int], bytes]] = {}
        self._cached = 0

    def __len__(self) -> int:
        return len(self._data)

    def key(self, index: int) -> str:
        return self._data.key(index)

    def labels(self, index: int) -> frozenset[str]:
        return self._data.labels(index) | {SEGMENT}

    def read(self, index: int) -> LabelledImage:
        image = self._data.read(index)
        predicted = self._prediction(index, image.pixels)
        rows, columns = image.planes.shape[1:]
        height, width = predicted.shape
        under = predicted[cell_centres(rows, height)[:, None], cell_centres(columns, width)[None, :]]
        plane = self._value_of[under]
        return replace(image, planes=np.concatenate([image.planes, plane[None]]))

    def _prediction(self, index: int, pixels: np.ndarray) -> np.ndarray:
        """Class number of each cell of the prediction grid, uint16."""
        if index in self._cache:
            shape, packed = self._cache[index]
            return np.frombuffer(zlib.decompress(packed), dtype=np.uint16).reshape(shape)
        predicted = self._predict(pixels)
        packed = zlib.compress(predicted.tobytes(), level=1)
        if self._cached + len(packed) <= CACHE_BYTES:
            self._cache[index] = (predicted.shape, packed)
            self._cached += len(packed)
        return predicted

    def _predict(self, pixels: np.ndarray) -> np.ndarray:
        import torch

        grid = label_grid(*pixels.shape[:2])
        inputs = self._processor(images=Image.fromarray(pixels), return_tensors="pt").to(self._device)
        with torch.inference_mode():
            outputs = self._model(pixel_values=inputs["pixel_values"])
        found = self._processor.post_process_semantic_segmentation(outputs, target_sizes=[grid])[0]
        predicted = found.cpu().numpy()
        if predicted.max(initial=0) >= len(self._value_of) or predicted.min(initial=0) < 0:
            worst = int(predicted.max())
            raise DataError(
                f"The segmenter '{self._model_name}' predicts the class {worst}, which it does not name.",
                expected="a name for every class in the model's id2label",
            )
        return predicted.astype(np.uint16)

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().float().numpy().tobytes())
        names = sorted(self._model.config.id2label.items())
        return hash_of(["segmented", names, digest.hexdigest(), self._data.fingerprint()])


def _load(name: str, device: str) -> tuple[Any, Any]:
    """Processor and model. Files that could run code are not: `trust_remote_code` stays off."""
    try:
        from transformers import (
            AutoConfig,
            AutoImageProcessor,
            AutoModelForSemanticSegmentation,
            AutoModelForUniversalSegmentation,
        )
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING,
            MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING,
        )
    except ImportError as error:
        raise ModelError(
            f"A segmenter needs the package transformers ({error}).",
            next_step="pip install 'microtome[transformers]'",
        ) from error
    try:
        config = AutoConfig.from_pretrained(name)
        if type(config) in MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
            family = AutoModelForSemanticSegmentation
        elif type(config) in MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING:
            family = AutoModelForUniversalSegmentation
        else:
            raise ModelError(
                f"'{name}' is a {config.model_type} model, which does not segment images.",
                expected="a model for semantic or universal segmentation",
            )
        model = family.from_pretrained(name)
        processor = AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelError(
            f"The segmenter '{name}' cannot be loaded: {error}",
            expected="a hub name or a folder with config.json, preprocessor_config.json and weights",
        ) from error
    return processor, model.eval().to(device)


def _values(id2label: dict[int, str], *, first: int) -> tuple[np.ndarray, list[str]]:
    """Plane value of each class number, and the names in the order of their values.

    Classes of one name are one concept; `background` is none.
    """
    values = np.zeros(max(id2label, default=0) + 1, dtype=np.int32)
    names: list[str] = []
    for number, label in sorted(id2label.items()):
        name = " ".join(label.split())
        if not name or name.lower() in EMPTY_NAMES:
            continue
        if name not in names:
            names.append(name)
        values[number] = first + names.index(name)
    if not names:
        raise ModelError("The segmenter names no class.", expected="id2label in its config.json")
    return values, names
