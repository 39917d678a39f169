"""Read activations of any layers in one forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.hooks import split_layer, unknown_layer, watching
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, full_precision, with_first


class _Stopped(BaseException):
    """Leaves a forward pass early. No Exception, so that a model that catches exceptions lets it through."""


@final
class Trace(Mapping[str, Tensor]):
    """The activations of the last forward pass, by layer name. Yielded by `trace`.

    Attributes
    ----------
    output:
        What the model returned, or None when the pass was stopped early.
    """

    def __init__(self, model: Model | nn.Module, layers: Sequence[str], *, stop: bool, keep_grad: bool) -> None:
        self.output: Any = None
        self._model = model
        self._stop = stop
        self._keep_grad = keep_grad
        self._wanted: dict[str, tuple[str, int | None]] = {layer: split_layer(layer) for layer in layers}
        self._held: dict[str, Tensor] = {}
        self._seen: Counter[str] = Counter()
        self._running = False
        # How often each module runs in a pass: known from the probe, or learnt from the first whole pass.
        self._calls: Counter[str] | None = None
        if isinstance(model, Model):
            self._calls = Counter(call.name for call in model.calls)

    @property
    def root(self) -> nn.Module:
        """The network that is traced."""
        return self._model.module if isinstance(self._model, Model) else self._model

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """One forward pass of `x`; with `stop` it ends as soon as the last layer asked for has run.

        Parameters
        ----------
        x:
            The model's input, `[batch 3 height width]`; for a Model it is moved to its device and type.

        Returns
        -------
        A tensor for each layer asked for, `[batch ...]`.

        Raises
        ------
        ModelError
            If a layer did not run.
        """
        prepared = self._model.prepared(x) if isinstance(self._model, Model) else x
        self.output = None
        self._running = True
        try:
            with torch.set_grad_enabled(self._keep_grad):
                self.output = self.root(prepared)
        except _Stopped:
            pass
        else:
            self._calls = self._calls or Counter(self._seen)
        finally:
            self._running = False
        return {layer: self[layer] for layer in self._wanted}

    def __getitem__(self, layer: str) -> Tensor:
        if layer in self._held:
            return self._held[layer]
        if layer not in self._wanted:
            raise ModelError(
                f"Layer '{layer}' is not traced here.",
                expected=f"one of {', '.join(map(repr, self._wanted))}",
                next_step="name it in trace(model, [...])",
            )
        name, call = self._wanted[layer]
        ran = f"ran {self._seen[name]} times" if call is not None else "did not run, or returned no float tensor,"
        raise ModelError(
            f"Layer '{layer}' has no activations: '{name}' {ran} in the last forward pass.",
            next_step="run the model within the context first; calls are numbered from #0",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def started(self) -> None:
        """Forget the pass before."""
        self._held.clear()
        self._seen.clear()

    def ran(self, name: str, call: int, output: Any) -> Any:
        """Keep the output of a module that was asked for. Returns what takes its place, or None."""
        self._seen[name] += 1
        layers = [layer for layer, (of, at) in self._wanted.items() if of == name and at in (None, call)]
        tensor = first_tensor(output)
        if not layers or tensor is None:
            return None
        stopping = self._finished(name)
        if self._keep_grad:
            # The network goes on with a copy of what is kept: what is kept stays upstream of the loss, and a
            # later layer that works in place does not overwrite it.
            kept = full_precision(tensor if tensor.requires_grad else tensor.detach().requires_grad_())
            self._held.update(dict.fromkeys(layers, kept))
            onward = with_first(output, kept.to(tensor.dtype, copy=True))
        else:
            kept = full_precision(tensor.detach())
            # A layer that works in place (ReLU) would overwrite what is kept.
            kept = kept.clone() if kept.data_ptr() == tensor.data_ptr() and not stopping else kept
            self._held.update(dict.fromkeys(layers, kept))
            onward = None
        if stopping:
            raise _Stopped
        return onward

    def _finished(self, name: str) -> bool:
        if not (self._running and self._stop) or self._calls is None:
            return False
        return all(self._seen[of] >= (self._calls[of] if at is None else at + 1) for of, at in self._wanted.values())


@contextmanager
def trace(
    model: Model | nn.Module, layers: Sequence[str], *, stop: bool = False, keep_grad: bool = False
) -> Iterator[Trace]:
    """Read the outputs of `layers` while the model runs. No hook is left behind, whatever happens inside.

    Parameters
    ----------
    model:
        A Model, or any `nn.Module` (also one that takes no images).
    layers:
        Layer names as `Model.sites()` has them: `name` (of a module that runs several times in a pass, its
        last call) or `name#k` (its call k, from 0).
    stop:
        In `run`, skip the rest of the network once all layers have run. Of a bare `nn.Module` the first pass
        goes to the end, to count how often each layer runs.
    keep_grad:
        Keep the activations in the graph, so that a loss can be differentiated by them
        (`torch.autograd.grad(loss, cache["layer4"])`). Default: detached, and `run` records no gradients.

    Yields
    ------
    A Trace: a mapping from layer name to activations of the last pass. Half-precision activations come as
    float32; what a later in-place layer does to a tensor is not seen in it.

    Raises
    ------
    ModelError
        If a layer is unknown, or was not reached when its activations are asked for.

    Examples
    --------
    >>> with trace(model, ["layer1", "layer4"], stop=True) as cache:
    ...     for x in batches:
    ...         maps = cache.run(x)["layer4"]  # [batch unit height width]

    Or with the model called in your own way:

    >>> with trace(model, ["layer4"]) as cache:
    ...     y = model.module(x)
    >>> cache["layer4"].shape
    torch.Size([8, 512, 7, 7])
    """
    if not layers:
        raise ModelError("trace() was given no layer.", next_step="name at least one, for example ['layer4']")
    names = checked_names(model, layers)
    cache = Trace(model, layers, stop=stop, keep_grad=keep_grad)
    with watching(cache.root, names, cache.ran, on_start=cache.started):
        yield cache


def checked_names(model: Model | nn.Module, layers: Sequence[str]) -> list[str]:
    """Module names of `layers`, without `#call`. Raises ModelError, with the nearest names, if one is unknown."""
    if isinstance(model, Model):
        for layer in layers:
            # A module that runs once may be asked for as its call 0.
            if layer.removesuffix("#0") not in model.sites():
                model.site(layer)
    modules = dict((model.module if isinstance(model, Model) else model).named_modules())
    names = [split_layer(layer)[0] for layer in layers]
    for layer, name in zip(layers, names, strict=True):
        if not name or name not in modules:
            raise unknown_layer(layer, [known for known in modules if known])
    return names
