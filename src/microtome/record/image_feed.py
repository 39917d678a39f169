"""Images for a pass: pixels in, one map a unit out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from microtome.core.errors import OptionError
from microtome.core.site import Site
from microtome.data.geometry import resize_pixels
from microtome.models.model import Model
from microtome.models.outputs import first_tensor
from microtome.models.trace import Trace, trace
from microtome.record.batches import Batches, check_finite
from microtome.record.items import Items
from microtome.record.labels import LabelBlock, read_block
from microtome.record.settings import RecordSettings
from microtome.record.signatures import concept_keys

THUMBNAIL = 112


@final
class ImageFeed:
    """See `feed.Feed`.

    Parameters
    ----------
    classify:
        Also ask which class the model answers, on its own crop.

    Raises
    ------
    OptionError
        For a layer without a map unless elements are images.
    """

    padded = False

    def __init__(self, model: Model, items: Items, settings: RecordSettings, *, classify: bool) -> None:
        self.site = model.site(settings.layer)
        if not (self.site.spatial or settings.image_level):
            raise OptionError(
                f"Layer '{self.site.layer}' has no map over the image, so its elements cannot be pixels.",
                expected="a layer with a spatial map, or image-level elements",
                next_step="set image_level (--elements image), or choose another --layer",
            )
        self.spatial = self.site.spatial and not settings.image_level
        self.map_shape: tuple[int, ...] = self.site.positions if self.spatial else (1, 1)
        self.batches = Batches(
            settings.batch_size, model.spec, "image", "a batch of RGB images, [batch 3 height width], of any length"
        )
        self._model, self._items, self._settings, self._classify = model, items, settings, classify
        self._keys = concept_keys(len(items.concepts))

    def read(self, first: int, last: int) -> tuple[LabelBlock, Sequence[UInt8[np.ndarray, "_ _ 3"]]]:
        """Labels and pixels of images first..last-1. Raises DataError naming the file that cannot be read."""
        return read_block(self._items, first, last, settings=self._settings, keys=self._keys)

    def run(
        self, inputs: Sequence[UInt8[np.ndarray, "_ _ 3"]], names: Sequence[str]
    ) -> tuple[Float[np.ndarray, "item unit height width"], Int[np.ndarray, "item"]]:
        """Activations and answered classes of a list of images.

        Raises
        ------
        DataError
            If an activation is NaN or infinite, naming the first such image.
        ModelError
            If one image alone does not fit in memory, or the model fails on a batch.
        """
        stop = not self._classify or self._own_crop
        with torch.inference_mode(), trace(self._model, [self.site.layer], stop=stop) as cache:
            values, answers = self.batches.over(len(inputs), lambda first, last: self._batch(cache, inputs[first:last]))
        check_finite(values, names, layer=self.site.layer, item="image")
        return values, answers

    def kept(self, inputs: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> dict[str, np.ndarray]:
        """Thumbnails."""
        return {"pixels": np.stack([thumbnail(image) for image in inputs])}

    @property
    def _own_crop(self) -> bool:
        return self._classify and self._model.preprocess.crop != "none"

    def _batch(self, cache: Trace, pixels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        model, settings = self._model, self._settings
        activation = cache.run(model.preprocess(pixels))[self.site.layer]
        values = unit_maps(activation, self.site, pooled=settings.image_level or not self.site.spatial)
        if settings.units is not None:
            values = values[:, list(settings.units)]
        stored = values.to(torch.float16 if settings.dtype == "float16" else torch.float32)
        answer = np.full(len(pixels), -1, np.int64)
        if self._own_crop:
            answer = model.logits(model.preprocess(pixels, crop=True)).argmax(dim=1).cpu().numpy()
        elif self._classify:
            logits = first_tensor(getattr(cache.output, "logits", cache.output))
            assert logits is not None
            answer = logits.argmax(dim=1).cpu().numpy()
        return stored.cpu().numpy(), answer


def thumbnail(pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """The whole image squeezed to the size of the report's tiles."""
    return resize_pixels(pixels, size=THUMBNAIL)


def unit_maps(activation: Tensor, site: Site, *, pooled: bool) -> Float[Tensor, "image unit height width"]:
    """A layer's output as one map a unit; `pooled` takes each map's maximum, [image, unit, 1, 1]."""
    moved = activation.movedim(site.unit_axis, 1)
    if pooled:
        flat = moved.reshape(moved.shape[0], moved.shape[1], -1)
        return flat.amax(dim=2)[:, :, None, None]
    return moved
