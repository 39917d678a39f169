"""Read one layer of a text model in a forward pass: a module's output, its input, or what its heads write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.models.hooks import split_layer, watching
from microtome.models.outputs import first_tensor, full_precision

Part = Literal["out", "in", "heads"]


class _Stopped(BaseException):
    """Leaves a forward pass early. No Exception, so that a model that catches exceptions lets it through."""


def split_part(layer: str) -> tuple[str, Part]:
    """`"mlp.down_proj:in"` -> (`"mlp.down_proj"`, "in"); a name without ending is the output, "out"."""
    name, colon, end = layer.rpartition(":")
    if colon and end == "in":
        return name, "in"
    if colon and end == "heads":
        return name, "heads"
    return layer, "out"


def is_linear(module: nn.Module) -> bool:
    """True of `nn.Linear` and of the Conv1D of transformers, which is a linear layer with its weight turned."""
    return isinstance(module, nn.Linear) or (type(module).__name__ == "Conv1D" and hasattr(module, "nf"))


def weight_of(module: nn.Module) -> Float[Tensor, "output input"]:
    """Weight of a linear layer, output by input."""
    weight = module.get_parameter("weight").detach()
    return weight if isinstance(module, nn.Linear) else weight.T


def head_norms(z: Float[Tensor, "batch token width"], module: nn.Module, heads: int) -> Float[Tensor, "batch token _"]:
    """Length of what each head adds to the residual stream: ||W_O,h z_h||, one unit a head.

    Parameters
    ----------
    z:
        Input of the attention's output projection: the heads' values side by side.
    module:
        That projection.
    heads:
        How many heads; divides the width of `z`.
    """
    weight = weight_of(module).to(z.dtype)
    width = z.shape[2] // heads
    # Head by head: all at once would hold heads times the residual stream.
    norms = [
        torch.linalg.vector_norm(z[..., h * width : (h + 1) * width] @ weight[:, h * width : (h + 1) * width].T, dim=-1)
        for h in range(heads)
    ]
    return torch.stack(norms, dim=-1)


@contextmanager
def before(root: nn.Module, name: str, on_input: Callable[[Tensor], None]) -> Iterator[None]:
    """Call `on_input(x)` with the first float input of module `name` whenever it is about to run.

    No hook is left behind, whatever happens inside.
    """

    def about_to_run(module: nn.Module, args: Any, options: Any) -> None:
        tensor = first_tensor([*args, *options.values()])
        if tensor is not None:
            on_input(tensor)

    handle = root.get_submodule(name).register_forward_pre_hook(about_to_run, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@final
class Reader:
    """Runs a module and keeps the activations of one layer.

    Parameters
    ----------
    root:
        The whole network.
    layer:
        Layer name with its ending (`:in`, `:heads`) or call (`#0`).
    heads:
        How many attention heads there are, for `:heads`.
    stop_after:
        Leave the pass when the layer has been read that often, for a caller who needs no output; 0 = run on.
    """

    def __init__(self, root: nn.Module, layer: str, *, heads: int = 0, stop_after: int = 0) -> None:
        self._root = root
        self._layer = layer
        name, self._part = split_part(layer)
        self._name, self._call = split_layer(name)
        self._heads = heads
        self._stop_after = stop_after
        self._held: Tensor | None = None
        self._seen = 0

    def run(self, inputs: dict[str, Tensor]) -> tuple[Float[Tensor, "batch *shape"], Any]:
        """Activations of the layer, and what the model returned (None when the pass was left early).

        Raises
        ------
        ModelError
            If the layer did not run.
        """
        self._held, self._seen = None, 0
        output: Any = None
        with suppress(_Stopped), self._watching(), torch.no_grad():
            output = self._root(**inputs)
        if self._held is None:
            raise ModelError(
                f"Layer '{self._layer}' has no activations: it did not run, or gave no float tensor.",
                next_step="list the layers with `microtome layers MODEL`",
            )
        return self._held, output

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if self._part == "out":
            with watching(self._root, [self._name], self._ran):
                yield
        else:
            with before(self._root, self._name, self._take):
                yield

    def _ran(self, name: str, call: int, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None and self._call in (None, call):
            self._take(tensor)

    def _take(self, tensor: Tensor) -> None:
        self._seen += 1
        kept = full_precision(tensor.detach())
        if self._part == "heads":
            kept = head_norms(kept, self._root.get_submodule(self._name), self._heads)
        elif kept.data_ptr() == tensor.data_ptr():
            # A layer that works in place would overwrite what is kept.
            kept = kept.clone()
        self._held = kept
        if self._seen == self._stop_after:
            raise _Stopped
