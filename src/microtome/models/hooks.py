"""The one place where hooks are put on a model, and taken off again whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from microtome.core.errors import ModelError, nearest

OnOutput = Callable[[str, int, Any], Any]


def split_layer(layer: str) -> tuple[str, int | None]:
    """`"relu#1"` -> (`"relu"`, 1); `"relu"` -> (`"relu"`, None)."""
    name, mark, call = layer.rpartition("#")
    if mark and call.isdecimal():
        return name, int(call)
    return layer, None


def unknown_layer(layer: str, valid: Sequence[str]) -> ModelError:
    """The error for a layer name that the model does not have, with the nearest names that it has."""
    return ModelError(
        f"The model has no layer '{layer}'.",
        expected=f"one of {len(valid)} layers, for example {nearest(layer, valid)}",
        next_step="list them all with `microtome layers MODEL`",
    )


@contextmanager
def watching(
    root: nn.Module,
    names: Sequence[str],
    on_output: OnOutput,
    *,
    on_start: Callable[[], None] | None = None,
    first: bool = False,
) -> Iterator[None]:
    """Call `on_output(name, call, output)` whenever one of the named modules has run, until the context ends.

    Parameters
    ----------
    root:
        The whole model; a forward pass begins when it is called.
    names:
        Module names of `root`, without `#call`.
    on_output:
        `call` counts the module's calls within this pass, from 0. What it returns takes the place of the
        module's output; None leaves it.
    on_start:
        Called when a forward pass begins.
    first:
        Run before the hooks that are there already, so that those see the changed output.
    """
    counts: Counter[str] = Counter()
    handles: list[RemovableHandle] = []

    def started(module: nn.Module, inputs: Any) -> None:
        counts.clear()
        if on_start is not None:
            on_start()

    def hook_of(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def ran(module: nn.Module, inputs: Any, output: Any) -> Any:
            call = counts[name]
            counts[name] += 1
            return on_output(name, call, output)

        return ran

    try:
        handles.append(root.register_forward_pre_hook(started))
        for name in dict.fromkeys(names):
            handles.append(root.get_submodule(name).register_forward_hook(hook_of(name), prepend=first))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def looking(
    root: nn.Module, names: Sequence[str], on_input: Callable[[str, Any], Any], *, first: bool = False
) -> Iterator[None]:
    """Call `on_input(name, value)` with the first input of the named modules before they run, until the context ends.

    Parameters
    ----------
    root:
        The whole model.
    names:
        Module names of `root`.
    on_input:
        Takes the first positional argument, or `hidden_states` where a module is called by keyword. What it returns
        takes the place of that input; None leaves it.
    first:
        Run before the hooks that are there already, so that those see the changed input.
    """
    handles: list[RemovableHandle] = []

    def hook_of(name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], Any]:
        def runs(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
            if inputs:
                new = on_input(name, inputs[0])
                return None if new is None else ((new, *inputs[1:]), named)
            key = "hidden_states" if "hidden_states" in named else next(iter(named), None)
            new = on_input(name, None if key is None else named[key])
            return None if new is None or key is None else (inputs, {**named, key: new})

        return runs

    try:
        for name in dict.fromkeys(names):
            module = root.get_submodule(name)
            handles.append(module.register_forward_pre_hook(hook_of(name), with_kwargs=True, prepend=first))
        yield
    finally:
        for handle in handles:
            handle.remove()
