"""What a module returns: a tensor, a tuple, or a model output whose first item is the tensor that matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def first_tensor(output: Any) -> Tensor | None:
    """The float tensor of a module's output: the output itself or its first item; None if there is none."""
    if isinstance(output, Mapping):
        output = next(iter(output.values()), None)
    elif isinstance(output, tuple | list):
        output = output[0] if output else None
    return output if isinstance(output, Tensor) and output.is_floating_point() else None


def with_first(output: Any, tensor: Tensor) -> Any:
    """The same kind of output with its first item replaced by `tensor`. The output itself is not changed."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, Mapping):
        items = dict(output)
        items[next(iter(items))] = tensor
        # A transformers ModelOutput is a dataclass: it takes its fields by name.
        return type(output)(**items)
    if hasattr(output, "_fields"):
        return type(output)(tensor, *output[1:])
    return type(output)([tensor, *output[1:]])


def full_precision(tensor: Tensor) -> Tensor:
    """Half-precision tensors as float32, all others as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
