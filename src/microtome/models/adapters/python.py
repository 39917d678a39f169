"""`path/to/file.py:make_model` and `package.module:make_model`: the user's own code."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from microtome.core.errors import ModelError, nearest
from microtome.models.adapters.family import Built, Request, seeded
from microtome.models.adapters.timm import preprocess_of
from microtome.models.preprocess import Preprocess
from microtome.models.probe import USER_CODE_ERRORS
from microtome.models.state import load_weights


def build(request: Request) -> Built:
    """The module that the user's code makes, with the user's weights where given.

    `NAME` in `place:NAME` is a function without required arguments that returns an `nn.Module`, a class of
    that kind, or a module that is ready. Its random state is seeded with 0, so that untrained weights are the
    same each time. Preprocessing is read from the module's attribute `preprocess` (a `Preprocess`) or from
    timm's configuration.

    Raises
    ------
    ModelError
        If the file or package cannot be imported, has no such name, or makes no `nn.Module`.
    """
    place, _, attribute = request.name.rpartition(":")
    made = _attribute(_imported(place), attribute, place)
    module = made if isinstance(made, nn.Module) else _called(made, request.name)
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"'{attribute}' of {place} gives a {type(module).__name__}.",
            expected="a torch.nn.Module, or a function without arguments that returns one",
        )
    notes = load_weights(module, request.state, source=request.source) if request.state is not None else ()
    own = getattr(module, "preprocess", None)
    preprocess = own if isinstance(own, Preprocess) else preprocess_of(module)
    classes = getattr(module, "classes", ())
    named = isinstance(classes, tuple | list) and all(isinstance(name, str) for name in classes)
    return Built(module, preprocess, tuple(classes) if named else (), notes)


def is_file(place: str) -> bool:
    """Whether the part before `:NAME` means a file and not a package."""
    return place.endswith(".py") or "/" in place or "\\" in place


def _imported(place: str) -> ModuleType:
    if is_file(place):
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise ModelError(
                f"There is no file {path}.",
                expected="path/to/file.py:make_model",
                next_step="check the path before the colon",
            )
        with _importable_from(path.parent):
            return _run_file(path)
    with _importable_from(Path.cwd()):
        try:
            return importlib.import_module(place)
        except USER_CODE_ERRORS as error:
            raise _failed(place, error) from error


def _run_file(path: Path) -> ModuleType:
    # The path is in the name, so that two files called model.py do not take each other's place.
    name = f"_microtome_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ModelError(f"{path} is no Python file.", expected="path/to/file.py:make_model")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except USER_CODE_ERRORS as error:
        del sys.modules[name]
        raise _failed(str(path), error) from error
    return module


@contextmanager
def _importable_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    if not hasattr(module, name):
        names = [key for key in vars(module) if not key.startswith("_")]
        raise ModelError(
            f"{place} has no '{name}'.",
            expected=f"a name that it defines, for example {nearest(name, names)}" if names else "a name in it",
        )
    return getattr(module, name)


def _called(made: Any, spec: str) -> Any:
    if not callable(made):
        return made
    try:
        return seeded(made)
    except USER_CODE_ERRORS as error:
        raise _failed(spec, error) from error


def _failed(place: str, error: BaseException) -> ModelError:
    return ModelError(
        f"{place} fails: {type(error).__name__}: {error}",
        expected="Python code that runs and makes a torch.nn.Module without arguments",
        next_step="run it on its own, or with --debug for the whole traceback",
    )


def exists(package: str) -> bool:
    """Whether a top-level package or module of that name can be found from the current folder."""
    with _importable_from(Path.cwd()):
        return importlib.util.find_spec(package) is not None
