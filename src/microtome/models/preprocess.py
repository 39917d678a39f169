"""From pixels to the model's input: resize, crop, range, mean and standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from microtome.core.errors import DataError, OptionError

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Preprocess:
    """How images become the model's input: `(pixel * scale - mean) / std` after the resize.

    Attributes
    ----------
    size:
        Input size: one number for a square, or (height, width), in pixels.
    mean, std:
        One number for each of red, green and blue, in units of the scaled pixel (0..1 with the default
        scale).
    crop:
        What `crop=True` does. `none`: the whole image is resized to `size`. `center`: it is resized to
        `resize_short` and the middle `size` is cut out.
    resize_short:
        For `crop="center"`: length of the image's short side after the resize, or (height, width) after it.
    scale:
        Factor from the bytes 0..255 to the range that the model was trained on; 1/255 gives 0..1.
    interpolation:
        Filter of the resize; all of them average over the source pixels when an image is made smaller
        (antialiased), save `nearest`.

    Examples
    --------
    >>> pre = Preprocess(size=224)
    >>> pre(np.zeros((480, 640, 3), np.uint8)).shape
    torch.Size([1, 3, 224, 224])
    """

    size: int | tuple[int, int]
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    crop: Literal["none", "center"] = "none"
    resize_short: int | tuple[int, int] | None = None
    scale: float = 1 / 255
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        problem = ""
        if min(self.height, self.width) < 1:
            problem = f"the input size is {self.size}; it is counted in pixels and at least 1"
        elif len(self.mean) != 3 or len(self.std) != 3 or not np.isfinite([*self.mean, *self.std]).all():
            problem = f"mean {self.mean} and std {self.std} must be three finite numbers each"
        elif min(self.std) <= 0:
            problem = f"std {self.std} must be above 0"
        elif self.crop == "center" and self.resize_short is None:
            problem = "a centre crop needs `resize_short`"
        elif self.crop == "center" and not self._crop_fits():
            problem = f"a crop of {self.size} does not fit into an image resized to {self.resize_short}"
        if problem:
            raise OptionError(
                f"Preprocessing cannot be done: {problem}.",
                next_step="give --size, --mean and --std as the model was trained",
            )

    @property
    def height(self) -> int:
        """Input height in pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Input width in pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]

    def __call__(
        self, images: np.ndarray | Sequence[np.ndarray], *, crop: bool = False
    ) -> Float[Tensor, "batch 3 height width"]:
        """The model's input for one image or many.

        Parameters
        ----------
        images:
            RGB bytes: one image `[h w 3]`, a stack `[batch h w 3]`, or a sequence of images of any sizes.
        crop:
            False: the whole image is squeezed to the input size, so that nothing of it (or of its label
            planes) is lost. True: the model's own resize and crop, for measuring accuracy.

        Returns
        -------
        float32 `[batch 3 height width]`, on the CPU.

        Raises
        ------
        DataError
            If an image is not uint8 `[h w 3]`.
        """
        if isinstance(images, np.ndarray) and images.ndim != 4:
            images = [images]
        batch = [self._resized(image, crop=crop) for image in images]
        if not batch:
            return torch.empty(0, 3, self.height, self.width)
        pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).to(torch.float32)
        mean = torch.tensor(self.mean).view(1, 3, 1, 1)
        std = torch.tensor(self.std).view(1, 3, 1, 1)
        return ((pixels * self.scale - mean) / std).contiguous()

    def cropped(self, image: np.ndarray) -> np.ndarray:
        """What the model sees of one image with its own crop: RGB bytes [height width 3], before normalisation."""
        return self._resized(image, crop=True)

    def _resized(self, image: np.ndarray, *, crop: bool) -> np.ndarray:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise DataError(
                f"An image has shape {image.shape} and type {image.dtype}.",
                expected="RGB bytes: uint8 [height, width, 3]",
                next_step="convert it, for example with PIL's image.convert('RGB')",
            )
        picture = Image.fromarray(image)
        filter_ = Image.Resampling[self.interpolation.upper()]
        if not crop or self.crop == "none":
            return np.asarray(_resize(picture, self.height, self.width, filter_))
        picture = _resize(picture, *self.before_crop(picture.height, picture.width), filter_)
        top = round((picture.height - self.height) / 2)
        left = round((picture.width - self.width) / 2)
        return np.asarray(picture.crop((left, top, left + self.width, top + self.height)))

    def before_crop(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) that an image of this size is resized to before the middle is cut out; needs a crop."""
        short = self.resize_short
        if isinstance(short, tuple):
            return short
        assert short is not None
        if height <= width:
            return short, int(short * width / height)
        return int(short * height / width), short

    def _crop_fits(self) -> bool:
        short = self.resize_short
        high, wide = short if isinstance(short, tuple) else (short or 0, short or 0)
        return high >= self.height and wide >= self.width


def resized(preprocess: Preprocess, size: int | tuple[int, int]) -> Preprocess:
    """The same preprocessing for another input size; the resize before a crop changes in proportion."""
    if size == preprocess.size:
        return preprocess
    new = replace(preprocess, size=size, crop="none", resize_short=None)
    short = preprocess.resize_short
    if preprocess.crop == "none" or short is None:
        return new
    high, wide = short if isinstance(short, tuple) else (short, short)
    high, wide = round(high * new.height / preprocess.height), round(wide * new.width / preprocess.width)
    grown: int | tuple[int, int] = (high, wide) if isinstance(short, tuple) else max(high, wide)
    return replace(new, crop="center", resize_short=grown)


def channel_values(text: str, option: str) -> Triple:
    """`"0.485,0.456,0.406"` -> three numbers; one number stands for all three.

    Raises
    ------
    OptionError
        Naming `option`, when the text is not one or three numbers.
    """
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise OptionError(
            f"{option} is '{text}'.",
            expected="three numbers with commas between them (red, green, blue), or one for all three",
            next_step=f"for example {option} 0.485,0.456,0.406",
        )
    return values[0], values[1], values[2]


def _resize(picture: Image.Image, height: int, width: int, filter_: Image.Resampling) -> Image.Image:
    if (picture.height, picture.width) == (height, width):
        return picture
    return picture.resize((width, height), filter_)
