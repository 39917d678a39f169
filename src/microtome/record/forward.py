"""From pixels to a block of activations: one forward pass a batch, halved when memory runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from microtome.core.errors import DataError, ModelError
from microtome.core.site import Site
from microtome.models.model import Model
from microtome.models.outputs import first_tensor
from microtome.models.probe import USER_CODE_ERRORS
from microtome.models.trace import Trace, trace
from microtome.record.settings import RecordSettings

_HALF_LARGEST = 65504.0
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


@dataclass
class Forward:
    """Runs a model over lists of images.

    Attributes
    ----------
    classify:
        Also record which class the model answers, on its own crop.
    batch_size:
        Images in a pass; what is left of it after halvings.
    notes:
        What happened on the way, for the manifest.
    """

    model: Model
    site: Site
    settings: RecordSettings
    classify: bool
    batch_size: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch_size = self.batch_size or self.settings.batch_size

    @property
    def _own_crop(self) -> bool:
        return self.classify and self.model.preprocess.crop != "none"

    def run(
        self, pixels: Sequence[UInt8[np.ndarray, "_ _ 3"]], *, names: Sequence[str]
    ) -> tuple[Float[np.ndarray, "image unit rows columns"], Int[np.ndarray, "image"]]:
        """Activations (as the settings store them) and answered classes (-1 = not asked) of a list of images.

        Raises
        ------
        DataError
            If an activation is NaN or infinite, naming the first such image.
        ModelError
            If one image alone does not fit in memory, or the model fails on a batch.
        """
        maps, answers = [], []
        with torch.inference_mode(), trace(self.model, [self.site.layer], stop=not self._needs_output) as cache:
            start = 0
            while start < len(pixels):
                stop = min(start + self.batch_size, len(pixels))
                try:
                    values, answer = self._batch(cache, pixels[start:stop])
                except (MemoryError, *USER_CODE_ERRORS) as error:
                    self._halve(error, stop - start)
                    continue
                maps.append(values)
                answers.append(answer)
                start = stop
        values = np.concatenate(maps)
        self._check(values, names)
        return values, np.concatenate(answers)

    @property
    def _needs_output(self) -> bool:
        return self.classify and not self._own_crop

    def _batch(self, cache: Trace, pixels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        activation = cache.run(self.model.preprocess(pixels))[self.site.layer]
        values = unit_maps(activation, self.site, pooled=self.settings.image_level or not self.site.spatial)
        if self.settings.units is not None:
            values = values[:, list(self.settings.units)]
        stored = values.to(torch.float16 if self.settings.dtype == "float16" else torch.float32)
        answer = np.full(len(pixels), -1, np.int64)
        if self._own_crop:
            answer = self.model.logits(self.model.preprocess(pixels, crop=True)).argmax(dim=1).cpu().numpy()
        elif self.classify:
            logits = first_tensor(getattr(cache.output, "logits", cache.output))
            assert logits is not None
            answer = logits.argmax(dim=1).cpu().numpy()
        return stored.cpu().numpy(), answer

    def _halve(self, error: Exception, images: int) -> None:
        """Halve the batch where `error` is a lack of memory; any other is the model's own."""
        text = str(error).lower()
        known = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not known and not any(words in text for words in _NO_MEMORY):
            smaller = "try --batch-size 1" if images > 1 else "mend the model"
            raise ModelError(
                f"The forward pass of {self.model.spec} fails on a batch of {images}: {type(error).__name__}: {error}",
                expected="a model that takes a batch of RGB images, [batch 3 height width], of any length",
                next_step=f"{smaller}; --debug shows the trace",
            ) from error
        if self.batch_size == 1:
            raise ModelError(
                f"One image alone does not fit in memory with {self.model.spec}.",
                next_step="use a smaller --size, another --device or a machine with more memory",
            ) from error
        self.batch_size = max(1, self.batch_size // 2)
        self.notes.append(f"A batch did not fit in memory; batch size halved to {self.batch_size}.")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _check(self, values: np.ndarray, names: Sequence[str]) -> None:
        finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if finite.all():
            return
        first = int(np.argmin(finite))
        bad = values[first]
        if self.settings.dtype == "float16" and not np.isnan(bad).any():
            raise DataError(
                f"Layer '{self.site.layer}' exceeds {_HALF_LARGEST:.0f}, the largest float16, "
                f"on image '{names[first]}'.",
                expected="activations that float16 can hold, or exact infinities nowhere",
                next_step="add --cache-dtype float32",
            )
        raise DataError(
            f"Layer '{self.site.layer}' gives NaN or infinite activations on image '{names[first]}' "
            f"({len(values) - int(finite.sum())} of {len(values)} images of its block).",
            expected="finite numbers",
            next_step="check the weights and the preprocessing (--mean, --std), or choose an earlier --layer",
        )


def unit_maps(activation: Tensor, site: Site, *, pooled: bool) -> Float[Tensor, "image unit height width"]:
    """A layer's output as one map a unit; `pooled` takes each map's maximum, [image, unit, 1, 1]."""
    moved = activation.movedim(site.unit_axis, 1)
    if pooled:
        flat = moved.reshape(moved.shape[0], moved.shape[1], -1)
        return flat.amax(dim=2)[:, :, None, None]
    return moved
