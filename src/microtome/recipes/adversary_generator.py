"""The user's own image generator: a function of a prompt and a seed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.python import is_file
from microtome.models.probe import USER_CODE_ERRORS

Generate = Callable[[str, int], Any]
"""(prompt, seed) -> an RGB image: uint8 [height width 3], or of PIL."""

_EXPECTED = "package.module:function or path/to/file.py:function, called as function(prompt, seed)"


def load_generator(spec: str) -> Generate:
    """The function that a spec names.

    Parameters
    ----------
    spec:
        `package.module:function` or `path/to/file.py:function`.

    Raises
    ------
    ModelError
        If the module cannot be imported, or has no such function.
    """
    place, colon, name = spec.rpartition(":")
    if not (colon and place and name.isidentifier()):
        raise ModelError(f"'{spec}' names no image generator.", expected=_EXPECTED)
    module = _imported(place)
    function = getattr(module, name, None)
    if not callable(function):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        close = f"did you mean {nearest(name, names, most=1)}?" if names else "define it"
        raise ModelError(f"{place} has no function '{name}'.", expected=_EXPECTED, next_step=close)
    return function


def _imported(place: str) -> ModuleType:
    folder = Path(place).expanduser().resolve().parent if is_file(place) else Path.cwd()
    sys.path.insert(0, str(folder))
    try:
        if not is_file(place):
            return importlib.import_module(place)
        return _run_file(Path(place).expanduser().resolve())
    except USER_CODE_ERRORS as error:
        raise ModelError(
            f"{place} fails: {type(error).__name__}: {error}",
            expected=_EXPECTED,
            next_step="run it on its own, or with --debug for the whole traceback",
        ) from error
    finally:
        sys.path.remove(str(folder))


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ModelError(f"There is no file {path}.", expected=_EXPECTED, next_step="check the path before the colon")
    found = importlib.util.spec_from_file_location(f"_microtome_generator_{path.stem}", path)
    assert found is not None, "the name ends in .py or holds a slash"
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def generate(function: Generate, prompt: str, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """One picture.

    Raises
    ------
    ModelError
        If the function fails, or returns no RGB image.
    """
    try:
        image = function(prompt, seed)
    except (MemoryError, *USER_CODE_ERRORS) as error:
        raise ModelError(
            f'The image generator fails on "{prompt}" with seed {seed}: {type(error).__name__}: {error}',
            expected=_EXPECTED,
            next_step="run it on its own, or with --debug for the whole traceback",
        ) from error
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
        got = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ModelError(
            f'The image generator returns {got} for "{prompt}".',
            expected="an RGB image: uint8 [height, width, 3], or of PIL",
        )
    if 0 in image.shape:
        raise ModelError(f'The image generator returns an image without a pixel for "{prompt}".')
    return np.ascontiguousarray(image)
