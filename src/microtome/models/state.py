"""Read weights from a file, without ever running code from it, and put them into a module, name by name."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from microtome.core.errors import ModelError, nearest, problems_together

_TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
_NESTS = ("state_dict", "model_state_dict", "model", "net", "module", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")
_RESAVE = "save it anew where it was made: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"


def read_weights(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Tensors by name from a safetensors or torch file, and notes on what was unwrapped.

    `.safetensors` holds tensors alone. `.pt`, `.pth`, `.bin` and `.ckpt` are read by
    `torch.load(weights_only=True)`, which builds tensors and plain containers and refuses everything else.

    Raises
    ------
    ModelError
        If the file is missing, damaged, of another kind, holds no tensors, or wants to run code.
    """
    if not path.is_file():
        raise ModelError(f"There is no weight file {path}.", next_step="check --weights")
    if path.suffix == ".safetensors":
        try:
            return load_file(path), ()
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{path} is no readable safetensors file: {error}", next_step="copy or save it again"
            ) from error
    if path.suffix not in _TORCH_SUFFIXES:
        raise ModelError(
            f"{path} has the ending '{path.suffix}'.",
            expected=f"a weight file: .safetensors, {', '.join(_TORCH_SUFFIXES)}",
            next_step="save the weights as safetensors",
        )
    return _tensors_of(_read_torch(path), path)


def load_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: str) -> tuple[str, ...]:
    """Put `state` into `module`, every name on both sides matched, and return notes on what was done to the
    names.

    A prefix that all names share and the module does not know (`module.` of DataParallel, `_orig_mod.` of
    torch.compile) is dropped. Values are converted to the module's type. Only the batch counters of batch
    norm (`num_batches_tracked`), which evaluation never reads, may be missing.

    Raises
    ------
    ModelError
        With all missing, unexpected and wrongly shaped names. The module is then unchanged.
    """
    own = module.state_dict()
    state, notes = without_prefix(state, own)
    missing = [name for name in own if name not in state]
    counters = [name for name in missing if name.endswith("num_batches_tracked")]
    missing = [name for name in missing if name not in counters]
    unexpected = [name for name in state if name not in own]
    problems = _name_problems(missing, unexpected, own, state)
    for name in wrong_shapes(own, state):
        problems.append(f"'{name}' has shape {_shape(state[name])} in the file, {_shape(own[name])} in the model")
    if problems:
        raise ModelError(
            f"The weights of {source} do not fit the model ({len(missing)} names missing, {len(unexpected)} "
            f"unexpected, {len(wrong_shapes(own, state))} of another shape):\n" + problems_together(problems),
            expected=f"the {len(own)} names of the model's state_dict, each with its shape",
            next_step="check that the file was saved from the same architecture",
        )
    module.load_state_dict({**{name: own[name] for name in counters}, **state}, strict=True)
    return notes


def without_prefix(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """`state` without the wrapper prefixes that all its names share and the model's names do not have."""
    result = dict(state)
    notes: list[str] = []
    found = True
    while found:
        found = False
        for prefix in _PREFIXES:
            shared = bool(result) and all(name.startswith(prefix) for name in result)
            if shared and not any(name.startswith(prefix) for name in own):
                result = {name[len(prefix) :]: tensor for name, tensor in result.items()}
                notes.append(f"Dropped the prefix '{prefix}' from the {len(result)} names of the weight file.")
                found = True
    return result, tuple(notes)


def wrong_shapes(own: Mapping[str, Any], state: Mapping[str, Tensor]) -> list[str]:
    """Names that both sides have, with different shapes."""
    return [name for name in own if name in state and _shape(own[name]) != _shape(state[name])]


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than tensors, and loading it could run code: it was not loaded. {_first_line(error)}",
            expected="a state_dict: names and tensors",
            next_step=_RESAVE,
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path} is no readable torch weight file: {_first_line(error)}",
            expected="a state_dict saved by torch.save",
            next_step=_RESAVE,
        ) from error


def _tensors_of(loaded: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if isinstance(loaded, Mapping) and not _all_tensors(loaded):
        key = next((key for key in _NESTS if _all_tensors(loaded.get(key))), None)
        if key is not None:
            loaded = loaded[key]
            notes = (f"Took the weights from the entry '{key}' of {path.name}.",)
    if not _all_tensors(loaded):
        got = f"a dictionary of {', '.join(map(repr, list(loaded)[:8]))}" if isinstance(loaded, Mapping) else ""
        raise ModelError(
            f"{path} holds no state_dict, but {got or type(loaded).__name__}.",
            expected=f"names and tensors, at the top or under one of {', '.join(map(repr, _NESTS))}",
            next_step=_RESAVE,
        )
    return {str(name): tensor for name, tensor in loaded.items()}, notes


def _all_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, Tensor) for item in value.values())


def _name_problems(
    missing: list[str], unexpected: list[str], own: Mapping[str, Any], state: Mapping[str, Any]
) -> list[str]:
    problems = [
        f"'{name}' is missing" + (f"; the file has {nearest(name, unexpected, most=2)}" if unexpected else "")
        for name in missing
    ]
    for name in unexpected:
        candidates = missing or list(own)
        near = f"; the model has {nearest(name, candidates, most=2)}" if candidates else ""
        problems.append(f"'{name}' is unexpected{near}")
    return problems


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.shape)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
