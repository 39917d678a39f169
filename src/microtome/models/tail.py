"""What comes after a layer, run alone: many changes of a layer's output cost one whole pass and many short ones.

With f = tail after layer,

    logits(x) = tail(layer(x)),    logits(x with unit u of the layer at v) = tail(layer(x), unit u set to v)

The network's own code runs again, but every module that had returned before the layer did hands out what it returned.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.intervention import ablate
from microtome.core.site import Site
from microtome.models.hooks import looking, split_layer, watching
from microtome.models.intervene import apply
from microtome.models.linear_tail import LinearTail
from microtome.models.model import Model
from microtome.models.outputs import first_tensor, with_first
from microtome.models.trace import checked_names, trace

_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
_HALF_TOLERANCE = 1e-2


@final
class Tail:
    """What comes after a layer, run alone.

    `begin` runs the whole network on a batch and remembers what was returned before the layer returned; `finish` then
    gives the logits for any other output of the layer, as often as asked. Between the two the weights and the hooks of
    the model must stay as they are: hooks act in both.

    Of the network's own code all is run again that stands outside of modules, and all modules after the layer; those
    before it are not. The outputs of one batch stay in memory until the next `begin`: of a network of stages each
    stage's, of the blocks within a stage only those of the stage that holds the layer.

    Parameters
    ----------
    model:
        An image model.
    layer:
        A site of it: `name` (of a module that runs several times, its last call) or `name#k`.

    Raises
    ------
    ModelError
        If there is no such layer.

    Examples
    --------
    >>> tail = Tail(model, "layer3")
    >>> acts = tail.begin(x)  # [batch unit height width]
    >>> without = tail.finish(apply(ablate("layer3", [7]), acts, model.site("layer3")))  # [batch class]
    """

    def __init__(self, model: Model, layer: str) -> None:
        (self._name,) = checked_names(model, [layer])
        call = split_layer(layer)[1]
        times = Counter(entry.name for entry in model.calls)[self._name]
        self._model = model
        self.layer = layer
        self._call = times - 1 if call is None else call
        self._kept: list[tuple[str, Any]] = []
        """The input, what was returned before the layer returned, and last the layer's own output."""
        self._written: set[int] | None = None
        """Which of these the rest of the network writes into; None until it has run once."""

    def begin(self, x: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch *shape"]:
        """Run the whole network and remember what the rest needs.

        Parameters
        ----------
        x:
            Preprocessed images.

        Returns
        -------
        The layer's output, in the model's type. It may be kept: nothing writes into it.

        Raises
        ------
        ModelError
            At the first call: if `finish` of this output differs from the model's own logits, as where a module
            changes what another had returned before. At any call: if the layer was not reached.
        """
        with _plain_mode():
            record = _Record(self._name, self._call)
            names = [name for name, _ in self._model.module.named_modules() if name]
            self._kept = []
            x = _copied(self._model.prepared(x))
            with (
                looking(self._model.module, names, record.enters, first=True),
                watching(self._model.module, names, record.ran, on_start=record.started, first=True),
            ):
                logits = self._model.logits(_copied(x))
            activations = first_tensor(record.output)
            if activations is None:
                raise ModelError(
                    f"Layer '{self.layer}' was not reached in the forward pass, or returned no float tensor.",
                    next_step="choose a layer that `microtome layers MODEL` lists",
                )
            self._kept = [("", x), *record.before, (self._name, record.output)]
            if self._written is None:
                self._check(activations, logits)
            return activations

    def finish(self, activations: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch klass"]:
        """The logits, float32, if the layer had returned `activations` for the images of the last `begin`.

        Parameters
        ----------
        activations:
            In the shape that `begin` returned; not written into.

        Raises
        ------
        ModelError
            If nothing was begun, the shape is another, or the network did not run as in `begin`.
        """
        own = first_tensor(self._kept[-1][1]) if self._kept else None
        if own is None:
            raise ModelError("Tail.finish() was called before begin().", next_step="call begin(images) first")
        if activations.shape != own.shape:
            raise ModelError(
                f"Tail.finish(): layer '{self.layer}' was given activations of shape {tuple(activations.shape)}.",
                expected=f"the shape that begin() returned: {tuple(own.shape)}",
            )
        with _plain_mode():
            activations = activations.to(own)
            return self._run(activations.clone() if activations.is_inference() else activations)[0]

    def _check(self, activations: Tensor, logits: Tensor) -> None:
        """Learn what is written into, and compare with the whole network."""
        again, self._written = self._run(activations)
        room = _TOLERANCE.get(self._model.dtype, _HALF_TOLERANCE) * logits.nan_to_num(0, 0, 0).abs().max()
        if again.shape == logits.shape and torch.allclose(again, logits, rtol=0, atol=float(room), equal_nan=True):
            return
        self._kept, self._written = [], None
        raise _not_apart(self.layer, "from the layer's own output it does not reach the model's own logits")

    def _run(self, activations: Tensor) -> tuple[Tensor, set[int]]:
        """Logits, and the places in `_kept` that were written into."""
        kept = [*self._kept[:-1], (self._name, with_first(self._kept[-1][1], activations))]
        handed = [
            (name, _copied(value) if self._written is None or at in self._written else value)
            for at, (name, value) in enumerate(kept)
        ]
        versions = [_versions(value) for _, value in handed]
        with _returning(self._model.module, handed[1:], self.layer):
            logits = self._model.logits(handed[0][1])
        written = {at for at, (_, value) in enumerate(handed) if _versions(value) != versions[at]}
        if self._written is not None and written - self._written:
            self._kept = []
            raise _not_apart(self.layer, "it wrote into outputs that it had left as they were before")
        return logits, written


def logits_of_each(
    model: Model,
    layer: str,
    x: Float[Tensor, "batch 3 height width"],
    value: Float[Tensor, " unit"],
    units: Sequence[int] | None = None,
    *,
    linear: LinearTail | None,
    tail: Tail | None = None,
) -> Iterator[tuple[int, Float[Tensor, "batch klass"]]]:
    """Logits with one unit set to its value everywhere, unit after unit.

    Parameters
    ----------
    model:
        An image model.
    layer:
        A site of it.
    x:
        Preprocessed images, one batch.
    value:
        What each unit of the layer becomes, `[unit]`: zeros, or its mean over some data.
    units:
        Which units, in which order; None = all.
    linear:
        What `linear_tail(model, layer)` returned. With a linear tail a unit costs one product; with None the rest of
        the network runs for each unit.
    tail:
        A Tail of this layer that is used for several batches: it is checked at the first alone.

    Yields
    ------
    (unit, logits `[batch class]`).

    Raises
    ------
    ModelError
        If layer or unit do not exist, `value` has another length, or the rest cannot be run alone.

    Examples
    --------
    >>> linear = linear_tail(model, "layer4")
    >>> for unit, logits in logits_of_each(model, "layer4", x, torch.zeros(512), linear=linear):
    ...     loss = torch.nn.functional.cross_entropy(logits, labels)
    """
    site = model.site(layer)
    if tuple(value.shape) != (site.units,):
        raise ModelError(
            f"logits_of_each(): `value` has shape {tuple(value.shape)}.",
            expected=f"one number for each unit of '{layer}': ({site.units},)",
        )
    value = value.detach()
    wanted = [site.unit(int(unit)).index for unit in (range(site.units) if units is None else units)]
    if linear is not None:
        return _by_product(model, site, x, value, wanted, linear)
    return _by_running(tail or Tail(model, layer), site, x, value, wanted)


def _by_product(
    model: Model, site: Site, x: Tensor, value: Tensor, units: list[int], linear: LinearTail
) -> Iterator[tuple[int, Tensor]]:
    with trace(model, [site.layer], stop=True) as cache:
        pooled = linear.pooled(cache.run(x)[site.layer], site)
    logits, change = linear.logits(pooled), value.to(pooled) - pooled
    for unit in units:
        yield unit, torch.addr(logits, change[:, unit], linear.weight[:, unit])


def _by_running(tail: Tail, site: Site, x: Tensor, value: Tensor, units: list[int]) -> Iterator[tuple[int, Tensor]]:
    activations = tail.begin(x)
    for unit in units:
        yield unit, tail.finish(apply(ablate(site.layer, [unit], mean=value[unit : unit + 1]), activations, site))


class _Record:
    """What modules return, call within call, until one of them has returned.

    Of a finished module only its own output is kept, not those of the modules in it. So when the layer returns, what
    is kept in the calls that are still open is what the rest of the pass will see.
    """

    def __init__(self, name: str, call: int) -> None:
        self.before: list[tuple[str, Any]] = []
        self.output: Any = None
        self._cut = (name, call)
        self._open: list[list[tuple[str, Any]]] = [[]]
        self._done = False

    def started(self) -> None:
        """A pass begins."""
        self._open, self._done = [[]], False

    def enters(self, name: str, value: Any) -> None:
        """A module begins."""
        if not self._done:
            self._open.append([])

    def ran(self, name: str, call: int, output: Any) -> None:
        """A module has returned. The copy is taken at once: a later module may work in place."""
        if self._done:
            return
        self._open.pop()
        if (name, call) == self._cut:
            self.before = [entry for entries in self._open for entry in entries]
            self.output, self._done = _copied(output), True
        else:
            self._open[-1].append((name, _copied(output)))


@contextmanager
def _returning(root: nn.Module, outputs: Sequence[tuple[str, Any]], layer: str) -> Iterator[None]:
    """Let modules return the outputs given, each in its turn, and run as ever once theirs are used up.

    Raises ModelError at the end if some output was not asked for.
    """
    turns: defaultdict[str, deque[Any]] = defaultdict(deque)
    for name, output in outputs:
        turns[name].append(output)
    before: list[tuple[nn.Module, Any]] = []

    def instead_of(forward: Callable[..., Any], left: deque[Any]) -> Callable[..., Any]:
        @wraps(forward)
        def handed(*inputs: Any, **named: Any) -> Any:
            return left.popleft() if left else forward(*inputs, **named)

        return handed

    try:
        for name, left in turns.items():
            module = root.get_submodule(name)
            before.append((module, vars(module).get("forward")))
            vars(module)["forward"] = instead_of(module.forward, left)
        # PyTorch's transformer layers run their parts as modules only while one of these has a hook.
        with watching(root, [outputs[-1][0]], lambda name, call, output: None):
            yield
    finally:
        for module, forward in before:
            if forward is None:
                vars(module).pop("forward", None)
            else:
                vars(module)["forward"] = forward
    if any(turns.values()):
        raise _not_apart(layer, "modules before the layer were not called as often as before")


@contextmanager
def _plain_mode() -> Iterator[None]:
    """No gradients, but no inference mode either: its tensors do not tell when they were written into."""
    with torch.inference_mode(False), torch.no_grad():
        yield


def _copied(value: Any) -> Any:
    """A copy of an output in which every tensor has memory of its own."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        items = [_copied(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, Mapping):
        items = {key: _copied(item) for key, item in value.items()}
        # A transformers ModelOutput is a dataclass: it takes its fields by name.
        return items if type(value) is dict else type(value)(**items)
    return value


def _versions(value: Any) -> list[int]:
    """How often each tensor of an output was written into."""
    if isinstance(value, Tensor):
        return [value._version]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [count for item in value for count in _versions(item)] if isinstance(value, tuple | list) else []


def _not_apart(layer: str, reason: str) -> ModelError:
    return ModelError(
        f"What comes after layer '{layer}' cannot be run apart: {reason}.",
        expected="modules that change neither their inputs nor each other's outputs once these were returned",
        next_step="choose a layer that the model runs at the top level, such as the last block of a stage",
    )
