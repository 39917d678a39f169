"""One number that tells two sets of weights apart."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def fingerprint_of(module: nn.Module) -> str:
    """SHA-256 (64 hex digits) over names, types, shapes and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
