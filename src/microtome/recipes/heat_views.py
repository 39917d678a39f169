"""What a model sees of an image, and heat at the size of pixels."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from microtome.models.model import Model


def view_of(
    model: Model, pixels: UInt8[np.ndarray, "rows columns 3"], *, crop: bool
) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels that enter the model, so that heat lies where it belongs.

    Parameters
    ----------
    crop:
        As in `Preprocess`: the model's own cut, or the whole image squeezed.
    """
    size = model.preprocess
    x = size(pixels, crop=crop)[0].permute(1, 2, 0).numpy()
    bytes_ = (x * np.array(size.std) + np.array(size.mean)) / size.scale
    return np.clip(np.rint(bytes_), 0, 255).astype(np.uint8)


def upsampled(heat: Float[Tensor, "batch grid_h grid_w"], size: int) -> Float[np.ndarray, "batch size size"]:
    """Heat at `size` x `size` pixels, bilinear between patch centres, float64."""
    grown = torch.nn.functional.interpolate(
        heat[:, None].double().cpu(), size=(size, size), mode="bilinear", align_corners=False
    )
    return grown[:, 0].numpy()
