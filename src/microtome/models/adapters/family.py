"""What a family of models is asked for and what it returns; the table of families."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError, nearest
from microtome.models.encode import Encoder
from microtome.models.preprocess import Preprocess
from microtome.models.state import load_weights, without_prefix, wrong_shapes
from microtome.models.texts import TextTower

Made = TypeVar("Made")


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes
    ----------
    name:
        What follows `family:` in the spec, without `@random`.
    random:
        The spec ended in `@random`: the architecture alone, initialised from seed 0.
    state:
        Weights of the user's file, to be put into the architecture; None = the family's own weights.
    source:
        Path of that file, for messages.
    classes:
        How many classes the user named, 0 for none.
    size:
        Input size that the user asked for, or None.
    """

    name: str
    random: bool = False
    state: dict[str, Tensor] | None = None
    source: str = ""
    classes: int = 0
    size: int | tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Built:
    """A module with what its family knows of it.

    Attributes
    ----------
    module:
        The network.
    preprocess:
        From pixels to its input; None = the family does not know.
    classes:
        Names of its outputs.
    notes:
        Sentences that the user should read.
    encoder:
        From texts to its inputs: what makes it a text model.
    texts:
        The text side of a CLIP-like image model.
    """

    module: nn.Module
    preprocess: Preprocess | None = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    encoder: Encoder | None = None
    texts: TextTower | None = None


@dataclass(frozen=True)
class Family:
    """One way to name a model: `prefix:name`.

    Attributes
    ----------
    prefix:
        What stands before the colon.
    example:
        A whole spec, for messages.
    build:
        From request to module.
    """

    prefix: str
    example: str
    build: Callable[[Request], Built]


class Families:
    """Families by prefix. A prefix is taken once; an unknown one is answered with the valid ones."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    def register(self, family: Family) -> None:
        """Add a family. Raises ModelError when its prefix is taken."""
        if family.prefix in self._families:
            raise ModelError(f"The model family '{family.prefix}' is registered twice.")
        self._families[family.prefix] = family

    def get(self, prefix: str) -> Family:
        """The family of that prefix. Raises ModelError, with the nearest ones, when there is none."""
        if prefix not in self._families:
            raise ModelError(
                f"There is no model family '{prefix}'.",
                expected=f"one of {nearest(prefix, self._families, most=len(self._families))}",
            )
        return self._families[prefix]

    def __contains__(self, prefix: str) -> bool:
        return prefix in self._families

    def examples(self) -> list[str]:
        """One spec of each family."""
        return [family.example for family in self._families.values()]


def library(module: str, *, extra: str) -> ModuleType:
    """Import an optional package, or say why it cannot be used.

    Parameters
    ----------
    module:
        Dotted name (`torchvision.models`).
    extra:
        The extra of microtome that installs it.

    Raises
    ------
    ModelError
        If it is not installed, or is installed but fails to import (torchvision of another build than torch
        does).
    """
    package = module.split(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        absent = (error.name or module).split(".")[0]
        if absent == package and error.name == package:
            raise ModelError(
                f"The package {package} is not installed.",
                next_step=f"pip install 'microtome[{extra}]'",
            ) from error
        if absent != package:
            raise ModelError(
                f"The package {package} needs {absent}, which is not installed.",
                next_step=f"pip install {absent}",
            ) from error
        raise broken_library(package, error) from error
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise broken_library(package, error) from error


def broken_library(package: str, error: BaseException) -> ModelError:
    """The error for a package that is installed but cannot be imported.

    timm and transformers import torchvision where it is installed; a torchvision that was built for another
    torch (PyPI's CUDA build beside a CPU torch) is then the cause, though their own message may not name it.
    """
    cause = error if package == "torchvision" else (_torchvision_failure() or error)
    reason = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
    if package != "torchvision" and cause is error:
        return ModelError(
            f"{package} is installed but cannot be imported: {reason}",
            expected=f"a {package} that works with the installed torch {torch.__version__}",
            next_step=f"pip install --upgrade {package}",
        )
    build = "cpu" if torch.version.cuda is None else "cu" + torch.version.cuda.replace(".", "")
    through = "" if package == "torchvision" else f"{package} cannot be used, because "
    return ModelError(
        f"{through}torchvision is installed but cannot be imported: {reason}",
        expected=f"a torchvision that was built for the installed torch {torch.__version__}",
        next_step="pip install --force-reinstall torch torchvision --index-url "
        f"https://download.pytorch.org/whl/{build}"
        + (", or uninstall torchvision, which transformers can do without" if package == "transformers" else ""),
    )


def _torchvision_failure() -> BaseException | None:
    """Why torchvision cannot be imported; None if it can, or is not installed."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return None
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        return error
    return None


def seeded(build: Callable[[], Made]) -> Made:
    """What `build` makes with random weights from seed 0, leaving the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def with_state(build: Callable[[int], nn.Module], request: Request) -> tuple[nn.Module, tuple[str, ...]]:
    """Build an architecture that has a free number of classes and put the user's weights into it.

    Where the file differs in its classifier alone, the architecture is built again with the file's number of
    classes.

    Parameters
    ----------
    build:
        From a number of classes (0 = the architecture's own) to a module.
    request:
        With `state`.
    """
    assert request.state is not None
    module = seeded(lambda: build(request.classes))
    notes: tuple[str, ...] = ()
    found = 0 if request.classes else _classes_of_file(module.state_dict(), request.state)
    if found:
        module = seeded(lambda: build(found))
        notes = (f"The weight file has {found} classes; the classifier was built to fit.",)
    return module, notes + load_weights(module, request.state, source=request.source)


def _classes_of_file(own: dict[str, Tensor], state: dict[str, Tensor]) -> int:
    """Classes in the file when nothing but the first axis of one layer's tensors differs, else 0."""
    state, _ = without_prefix(state, own)
    wrong = wrong_shapes(own, state)
    if not wrong or len({name.rpartition(".")[0] for name in wrong}) != 1:
        return 0
    if any(own[name].shape[1:] != state[name].shape[1:] for name in wrong):
        return 0
    return int(state[wrong[0]].shape[0])
