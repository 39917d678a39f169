"""Parts of a module by the names that versions of a library gave them."""

from __future__ import annotations

from typing import Any

from torch import nn

from microtome.core.errors import ModelError


def name_of(module: nn.Module, *names: str) -> str:
    """The first of these dotted names that the module has.

    Raises
    ------
    ModelError
        If it has none of them.
    """
    for name in names:
        part: Any = module
        for step in name.split("."):
            part = getattr(part, step, None)
        if isinstance(part, nn.Module):
            return name
    raise ModelError(
        f"A {type(module).__name__} of {type(module).__module__} has no part {' or '.join(names)}.",
        expected="a version of the library in which it has one",
        next_step="upgrade the library, or say which version it is",
    )


def two(value: Any) -> tuple[int, int]:
    """Height and width of what may be one number for both."""
    if isinstance(value, int | float):
        return int(value), int(value)
    return int(value[0]), int(value[1])


def comes_from(module: nn.Module, library: str, *names: str) -> bool:
    """Whether its class is one of those of a library."""
    return type(module).__name__ in names and type(module).__module__.split(".")[0] == library
