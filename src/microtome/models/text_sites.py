"""Find the sites of a text model, and what each of them is: MLP neurons, heads, residual stream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from microtome.core.errors import ModelError
from microtome.core.site import Site
from microtome.models.hooks import split_layer, watching
from microtome.models.outputs import first_tensor
from microtome.models.probe import USER_CODE_ERRORS, Call, sites_of
from microtome.models.text_read import before, is_linear, split_part

MLP_NEURONS = "MLP neurons"
HEADS = "attention heads"
RESIDUAL = "residual stream"

_ATTENTION_OUT = re.compile(
    r"(^|\.)\w*att(n|ention)\w*(\.attention)?(\.output)?\.(o_proj|out_proj|c_proj|out_lin|dense|o|wo)$", re.IGNORECASE
)
_MLP_OUT = re.compile(r"\d+\.(\w+\.)*(down_proj|c_proj|fc2|fc_out|dense_4h_to_h|lin2|w2|wo|ffn_output|output\.dense)$")


@dataclass(frozen=True, eq=False)
class TextProbe:
    """What one forward pass of two short texts showed.

    Attributes
    ----------
    calls:
        Every call of a submodule that returned [batch token unit] or [batch unit], in order of ending. Of a module
        that ran on something else as well (on premise and hypothesis, whose lengths differ) there is none.
    inputs:
        Shape of one example's input, by linear layer that takes [batch token width].
    rows:
        For each call that returned [batch unit], by its place in `calls`: what it returned.
    """

    calls: tuple[Call, ...]
    inputs: dict[str, tuple[int, ...]]
    rows: dict[int, Tensor]

    def times(self, layer: str) -> int:
        """How often the module of `layer` ran."""
        return sum(call.name == split_layer(split_part(layer)[0])[0] for call in self.calls)


def probe_text(module: nn.Module, inputs: dict[str, Tensor], *, batch: int, tokens: int) -> TextProbe:
    """Run `module` on `inputs` and note what every submodule returned and every linear layer took.

    Parameters
    ----------
    module:
        The network.
    inputs:
        Keyword inputs of its forward pass.
    batch:
        Length of the batch axis.
    tokens:
        Length of the token axis.

    Raises
    ------
    ModelError
        If the forward pass fails.
    """
    modules = dict(module.named_modules())
    calls: list[Call] = []
    taken: dict[str, tuple[int, ...]] = {}
    rows: dict[int, Tensor] = {}
    odd: set[str] = set()

    def note(name: str, call: int, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is None or not _fits(tensor, batch, tokens):
            odd.add(name)
            return
        if tensor.ndim == 2:
            rows[len(calls)] = tensor.detach().clone()
        shape = tuple(tensor.shape[1:])
        calls.append(Call(name, call, type(modules[name]).__name__, shape, len(shape)))

    def note_input(name: str) -> Any:
        def taking(tensor: Tensor) -> None:
            if tensor.ndim == 3 and _fits(tensor, batch, tokens):
                taken[name] = tuple(tensor.shape[1:])

        return before(module, name, taking)

    try:
        with torch.no_grad(), watching(module, [name for name in modules if name], note):
            _nested([note_input(name) for name, each in modules.items() if name and is_linear(each)], module, inputs)
    except ModelError:
        raise
    except USER_CODE_ERRORS as error:
        raise ModelError(
            f"The model's forward pass fails on two short texts: {type(error).__name__}: {error}",
            expected=f"a model that takes {', '.join(inputs)}",
            next_step="check that the model and its tokenizer belong together",
        ) from error
    kept = [at for at, call in enumerate(calls) if call.name not in odd]
    place = {at: new for new, at in enumerate(kept)}
    rows = {place[at]: row for at, row in rows.items() if at in place}
    return TextProbe(tuple(calls[at] for at in kept), taken, rows)


def text_sites(module: nn.Module, seen: TextProbe, *, heads: int) -> dict[str, Site]:
    """Sites by layer name, in the order in which the module declares them.

    Outputs come under the module's name (`name#k` for call k of a module that runs several times), inputs of linear
    layers as `NAME:in`, heads of attention output projections as `NAME:heads`.

    Parameters
    ----------
    module:
        The network.
    seen:
        What the probe showed.
    heads:
        Attention heads of each layer, 0 where there are none.
    """
    names = [name for name, _ in module.named_modules() if name]
    outputs = sites_of(seen.calls, names)
    listed: dict[str, list[Site]] = {}
    for key, site in outputs.items():
        listed.setdefault(split_layer(key)[0], []).append(site)
    for name, shape in seen.inputs.items():
        own = listed.setdefault(name, [])
        own.append(Site(f"{name}:in", 2, shape, shape[1]))
        if heads and shape[1] % heads == 0 and _ATTENTION_OUT.search(name):
            own.append(Site(f"{name}:heads", 2, (shape[0], heads), heads))
    return {site.layer: site for name in names for site in listed.get(name, [])}


def role_of(module: nn.Module, site: Site, *, width: int) -> str:
    """What a site is in a transformer, or "" where its name tells nothing.

    Parameters
    ----------
    module:
        The network.
    site:
        One of its sites.
    width:
        Width of the residual stream, 0 where unknown.
    """
    name, part = split_part(site.layer)
    if part == "heads":
        return HEADS
    if part == "in":
        return MLP_NEURONS if _MLP_OUT.search(name) and not _ATTENTION_OUT.search(name) else ""
    parent, _, last = split_layer(name)[0].rpartition(".")
    a_block = last.isdecimal() and isinstance(module.get_submodule(parent), nn.ModuleList)
    return RESIDUAL if a_block and site.unit_axis == 2 and site.units == width else ""


def default_text_site(module: nn.Module, seen: TextProbe, sites: dict[str, Site], *, classes: int) -> Site | None:
    """The site that is dissected if none is named; None where nothing suits.

    A classifier's is the last [batch unit] layer before its classifier; where several modules return the same
    values (dropout, a container), the first of them. Otherwise it is MLP neurons: of the last block for a
    classifier, of the middle one for a language model.
    """
    if classes:
        hidden = _before_classifier(seen, classes)
        if hidden in sites:
            return sites[hidden]
    neurons = [site for site in sites.values() if role_of(module, site, width=0) == MLP_NEURONS]
    if neurons:
        return neurons[-1 if classes else len(neurons) // 2]
    return None


def _before_classifier(seen: TextProbe, classes: int) -> str:
    last = max(
        (at for at, call in enumerate(seen.calls) if call.kind == "Linear" and call.shape == (classes,)), default=None
    )
    before_it = [at for at in seen.rows if last is not None and at < last]
    if not before_it:
        return ""
    final = seen.rows[before_it[-1]]
    same = [at for at in before_it if seen.rows[at].shape == final.shape and torch.equal(seen.rows[at], final)]
    name = seen.calls[same[0]].name
    several = Counter(call.name for call in seen.calls)[name] > 1
    return f"{name}#{seen.calls[same[0]].index}" if several else name


def _fits(tensor: Tensor, batch: int, tokens: int) -> bool:
    if 0 in tensor.shape or tensor.shape[0] != batch:
        return False
    return tensor.ndim == 2 or (tensor.ndim == 3 and tensor.shape[1] == tokens)


def _nested(contexts: Sequence[Any], module: nn.Module, inputs: dict[str, Tensor]) -> None:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        module(**inputs)
