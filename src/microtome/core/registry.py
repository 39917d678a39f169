"""A dictionary of named things that raises on duplicates and lists the valid names on a miss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from microtome.core.errors import OptionError, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to things of one kind.

    Parameters
    ----------
    kind:
        What the things are, for messages: `dissect method`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Enter `thing` under `name`. Raises ValueError if the name is taken: that is our own mistake."""
        if name in self._things:
            raise ValueError(f"The {self.kind} '{name}' is registered twice.")
        self._things[name] = thing
        return thing

    def __getitem__(self, name: str) -> T:
        if name not in self._things:
            raise OptionError(
                f"There is no {self.kind} '{name}'.",
                expected=f"one of: {', '.join(self._things)}",
                next_step=f"did you mean {nearest(name, self._things, most=1)}?",
            )
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def items(self) -> list[tuple[str, T]]:
        """Names and things in the order they were entered."""
        return list(self._things.items())
